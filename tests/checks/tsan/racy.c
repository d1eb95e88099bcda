/* A race that is meant: two threads of a pool add to one number. A build with ThreadSanitizer whose report of
 * it does not come, with suppressions and all, reports nothing. */
#include "proto/pool/threads.h"

#include <stdio.h>
#include <time.h>

enum { ITEMS = 64 };

static void begin(void) {}

static void add(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);     /* the other one gets a share, too */
    uint64_t *sum = context;
    for (uint32_t i = first; i < end; i++) *sum += i;
}

int main(void) {
    threads *pool = threads_new(2, begin);
    if (!pool) return 1;
    uint64_t sum = 0;
    for (int i = 0; i < 10; i++) threads_for(pool, ITEMS, THREADS_WORK_MIN * 16, add, &sum);
    threads_free(&pool);
    printf("%llu\n", (unsigned long long)sum);
    return 0;
}
