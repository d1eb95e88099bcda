/* A round begins when the shares are cut and ends when no item is left: a thread that has lost its core
 * holds up no more than the part that it is at, and where it is at none, nothing. So a thread may wake
 * in a later round than the one it was woken for. What it knows of a round it reads after it has taken a
 * part of it: the round cannot end before that part is done. In a forward pass the next round is
 * microseconds away: whoever waits spins for some of them, then sleeps on the number itself (futex): an
 * idle daemon costs nothing. */
#include "threads.h"

#include <assert.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/base/limits.h"

enum { SPINS = 1000, YIELDS = 300, CACHE_LINE_BYTES = 64, PARTS_A_THREAD = 8 };

/* A number that threads wait on, alone in its cache line. */
typedef struct signal_word {
    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t value;
    _Atomic uint32_t n_sleeping;
} signal_word;

/* The items that a thread is to do: the first of them in the lower half, their end in the upper. Alone in
 * its cache line. */
typedef struct share {
    _Alignas(CACHE_LINE_BYTES) _Atomic uint64_t range;
} share;

typedef struct helper {
    threads *pool;
    uint32_t number;
    pthread_t thread;
} helper;

struct threads {
    signal_word round;          /* counts rounds */
    signal_word n_left;         /* items of this round that are not done */
    _Atomic bool stopping;
    threads_body *body;         /* of this round */
    void *context;
    _Atomic uint32_t part_items;
    uint32_t n_threads;
    void (*begin)(void);        /* what each thread does first */
    share shares[THREADS_MAX];
    helper helpers[];           /* [n_threads], the first is the caller and not used */
};

static void pause_a_moment(void) {
#ifdef __x86_64__
    __builtin_ia32_pause();
#endif
}

/* Wait until the word differs from `old`; returns what it is then. */
static uint32_t signal_wait(signal_word *w, uint32_t old) {
    for (int i = 0; i < SPINS + YIELDS; i++) {
        uint32_t value = atomic_load_explicit(&w->value, memory_order_acquire);
        if (value != old) return value;
        if (i < SPINS) pause_a_moment();
        else sched_yield();
    }
    atomic_fetch_add(&w->n_sleeping, 1);
    uint32_t value;
    while ((value = atomic_load(&w->value)) == old)
        syscall(SYS_futex, &w->value, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
    atomic_fetch_sub(&w->n_sleeping, 1);
    return value;
}

/* After the word has changed. The change and this read are sequentially consistent, as are the
 * sleeper's count and its read of the word: one of the two sees the other. */
static void signal_wake(signal_word *w) {
    if (atomic_load(&w->n_sleeping) > 0)
        syscall(SYS_futex, &w->value, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static uint64_t range_of(uint32_t first, uint32_t end) {
    return (uint64_t)end << 32 | first;
}

/* Up to part_items of a share: its owner takes them from the front, so that it reads weights as they
 * lie, others from the back. False: none is left. What is taken is of the round that cut the share last,
 * whichever that is, and the round's body and context are visible. */
static bool take_part(threads *pool, share *s, bool owner, uint32_t *first, uint32_t *end) {
    uint64_t range = atomic_load_explicit(&s->range, memory_order_relaxed), rest;
    uint32_t n_max = atomic_load_explicit(&pool->part_items, memory_order_relaxed);
    do {
        *first = (uint32_t)range;
        *end = (uint32_t)(range >> 32);
        if (*first == *end) return false;
        uint32_t n = *end - *first < n_max ? *end - *first : n_max;
        rest = owner ? range_of(*first + n, *end) : range_of(*first, *end - n);
        if (owner) *end = *first + n;
        else *first = *end - n;
    } while (!atomic_compare_exchange_weak_explicit(&s->range, &range, rest, memory_order_acquire,
                                                    memory_order_relaxed));
    return true;
}

/* A thread's own share, then what others have left of theirs: one that lost its core for a while is helped. */
static void run_parts(threads *pool, uint32_t number) {
    uint32_t n_done = 0, first, end;
    for (uint32_t i = 0; i < pool->n_threads; i++) {
        share *s = &pool->shares[(number + i) % pool->n_threads];
        for (; take_part(pool, s, i == 0, &first, &end); n_done += end - first)
            pool->body(pool->context, first, end, number);
    }
    bool was_last = n_done > 0 && atomic_fetch_sub(&pool->n_left.value, n_done) == n_done;
    if (was_last) signal_wake(&pool->n_left);
}

/* As soon as the first share is cut, threads may be at work on it. */
static void cut_shares(threads *pool, uint32_t n_items) {
    uint32_t n = pool->n_threads;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t first = (uint32_t)((uint64_t)n_items * i / n);
        uint32_t end = (uint32_t)((uint64_t)n_items * (i + 1) / n);
        atomic_store_explicit(&pool->shares[i].range, range_of(first, end), memory_order_release);
    }
}

static void *work(void *argument) {
    helper *me = argument;
    me->pool->begin();
    for (uint32_t round = 0;;) {
        round = signal_wait(&me->pool->round, round);
        if (atomic_load(&me->pool->stopping)) return NULL;
        run_parts(me->pool, me->number);
    }
}

static void wake_helpers(threads *pool) {
    atomic_fetch_add(&pool->round.value, 1);
    signal_wake(&pool->round);
}

static void end_round(threads *pool) {
    uint32_t n_left = atomic_load_explicit(&pool->n_left.value, memory_order_acquire);
    while (n_left > 0) n_left = signal_wait(&pool->n_left, n_left);
}

threads *threads_new(uint32_t n_threads, void (*begin)(void)) {
    assert(n_threads >= 1 && n_threads <= THREADS_MAX);
    size_t bytes = sizeof(threads) + n_threads * sizeof(helper);
    bytes = (bytes + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
    threads *pool = aligned_alloc(CACHE_LINE_BYTES, bytes);
    if (!pool) return NULL;
    *pool = (threads){.n_threads = 1, .begin = begin};
    begin();
    for (; pool->n_threads < n_threads; pool->n_threads++) {
        helper *w = &pool->helpers[pool->n_threads];
        *w = (helper){.pool = pool, .number = pool->n_threads};
        if (pthread_create(&w->thread, NULL, work, w) == 0) continue;
        threads_free(&pool);
        return NULL;
    }
    return pool;
}

void threads_free(threads **pool) {
    threads *p = *pool;
    if (!p) return;
    atomic_store(&p->stopping, true);
    wake_helpers(p);
    for (uint32_t i = 1; i < p->n_threads; i++) pthread_join(p->helpers[i].thread, NULL);
    free(p);
    *pool = NULL;
}

uint32_t threads_count(const threads *pool) {
    return pool->n_threads;
}

uint32_t threads_default_count(void) {
    cpu_set_t cores;
    long n = sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores)
                                                             : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (uint32_t)n;
}

void threads_for(threads *pool, uint32_t n_items, uint64_t work, threads_body *body,
                 void *context) {
    if (n_items == 0) return;
    if (pool->n_threads == 1 || n_items == 1 || work < THREADS_WORK_MIN) {
        body(context, 0, n_items, 0);
        return;
    }
    pool->body = body;
    pool->context = context;
    pool->part_items = (n_items - 1) / (PARTS_A_THREAD * pool->n_threads) + 1;
    atomic_store(&pool->n_left.value, n_items);
    cut_shares(pool, n_items);
    wake_helpers(pool);
    run_parts(pool, 0);
    end_round(pool);
}
