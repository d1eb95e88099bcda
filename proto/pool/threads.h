/* A fixed pool of threads with one operation: do items 0 … n − 1. Each thread goes through a share of
 * its own, neighbouring items in order, and then takes what others have left of theirs. Which thread does
 * which item is chance: no result may depend on it. */
#ifndef TRIVIUM_THREADS_H
#define TRIVIUM_THREADS_H

#include <stdint.h>

enum { THREADS_WORK_MIN = 1 << 16 };    /* about a microsecond of one thread */

typedef struct threads threads;

/* Items first … end − 1, by thread number `thread` (0 is the caller's); called again for each range. */
typedef void threads_body(void *context, uint32_t first, uint32_t end, uint32_t thread);

/* n_threads ≥ 1 with the caller's own: 1 starts none. Each of them, the caller's now, calls `begin` first
 * (fmath_thread_start sets the floating-point mode). NULL: no memory, or no thread could be started. */
threads *threads_new(uint32_t n_threads, void (*begin)(void));
void threads_free(threads **pool);      /* waits until all have ended */

uint32_t threads_count(const threads *pool);

/* Cores that this process may run on, at most THREADS_MAX. */
uint32_t threads_default_count(void);

/* Run `body` over all items; returns when all is done, and what the threads wrote is visible.
 * `work` is about the number of multiply-adds of it all: what is too little to be worth waking
 * others is done by the caller alone. Only the thread that made the pool may call it, and not
 * from within a body. */
void threads_for(threads *pool, uint32_t n_items, uint64_t work, threads_body *body, void *context);

#endif
