/* The pool does every item exactly once, whoever takes it, and shows what was written. */
#include "proto/pool/threads.h"

#include <dirent.h>
#include <fenv.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "proto/numeric/fmath.h"

#include <cmocka.h>

enum { N_ITEMS_MAX = 67 };

typedef struct tally {
    uint32_t n_done[N_ITEMS_MAX];       /* plain memory: a race would be seen by ThreadSanitizer */
    uint32_t thread[N_ITEMS_MAX];
} tally;

static void count_items(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    tally *t = context;
    for (uint32_t i = first; i < end; i++) {
        t->n_done[i]++;
        t->thread[i] = thread;
    }
}

static void each_item_is_done_once(void **state) {
    (void)state;
    for (uint32_t n_threads = 1; n_threads <= 5; n_threads++) {
        threads *pool = threads_new(n_threads, fmath_thread_start);
        assert_non_null(pool);
        assert_int_equal(threads_count(pool), n_threads);
        for (uint32_t n = 0; n <= N_ITEMS_MAX; n++) {
            tally t = {0};
            threads_for(pool, n, THREADS_WORK_MIN, count_items, &t);
            for (uint32_t i = 0; i < N_ITEMS_MAX; i++) assert_int_equal(t.n_done[i], i < n);
        }
        threads_free(&pool);
        assert_null(pool);
    }
}

/* The caller holds its first range until the other thread has done all the rest. */
typedef struct slow_caller {
    _Atomic uint32_t n_done;
    uint32_t n_held;
    bool waited_in_vain;
} slow_caller;

static void hold_the_first_range(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    slow_caller *s = context;
    if (thread == 0 && s->n_held == 0) {
        s->n_held = end - first;
        for (int ms = 0; s->n_done < N_ITEMS_MAX - s->n_held && !s->waited_in_vain; ms++) {
            nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
            s->waited_in_vain = ms > 20000;
        }
    }
    s->n_done += end - first;
}

static void a_slow_thread_leaves_the_rest_to_others(void **state) {
    (void)state;
    threads *pool = threads_new(2, fmath_thread_start);
    assert_non_null(pool);
    slow_caller s = {0};
    threads_for(pool, N_ITEMS_MAX, THREADS_WORK_MIN, hold_the_first_range, &s);
    threads_free(&pool);
    assert_false(s.waited_in_vain);
    assert_int_equal(s.n_done, N_ITEMS_MAX);
    assert_true(s.n_held < N_ITEMS_MAX / 4);
}

/* A thread that gets no core, as far as the others can tell: it waits inside a signal's handler. */
static int gate[2];
static _Atomic bool is_held;

static void wait_at_gate(int number) {
    (void)number;
    char nothing;
    is_held = true;
    if (read(gate[0], &nothing, 1) != 1) abort();
}

static void hold_the_other_thread(void) {
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *task; (task = readdir(tasks));) {
        int id = atoi(task->d_name);
        if (id != 0 && id != getpid()) assert_int_equal(syscall(SYS_tgkill, getpid(), id, SIGUSR1), 0);
    }
    closedir(tasks);
    while (!is_held) nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
}

static void a_thread_without_a_core_holds_up_nobody(void **state) {
    (void)state;
    assert_int_equal(pipe(gate), 0);
    signal(SIGUSR1, wait_at_gate);
    threads *pool = threads_new(2, fmath_thread_start);
    assert_non_null(pool);
    hold_the_other_thread();
    alarm(60);                  /* instead of waiting for ever */
    for (int round = 0; round < 100; round++) {
        tally t = {0};
        threads_for(pool, N_ITEMS_MAX, THREADS_WORK_MIN, count_items, &t);
        for (uint32_t i = 0; i < N_ITEMS_MAX; i++) assert_true(t.n_done[i] == 1 && t.thread[i] == 0);
    }
    assert_int_equal(write(gate[1], "", 1), 1);
    for (int round = 0; round < 1000; round++) {     /* it comes back in the middle of some round */
        tally t = {0};
        threads_for(pool, N_ITEMS_MAX, THREADS_WORK_MIN, count_items, &t);
        for (uint32_t i = 0; i < N_ITEMS_MAX; i++) assert_int_equal(t.n_done[i], 1);
    }
    threads_free(&pool);
    alarm(0);
    close(gate[0]);
    close(gate[1]);
}

static void little_work_stays_with_the_caller(void **state) {
    (void)state;
    threads *pool = threads_new(4, fmath_thread_start);
    assert_non_null(pool);
    tally t = {0};
    threads_for(pool, N_ITEMS_MAX, THREADS_WORK_MIN - 1, count_items, &t);
    for (uint32_t i = 0; i < N_ITEMS_MAX; i++) assert_true(t.n_done[i] == 1 && t.thread[i] == 0);
    threads_free(&pool);
}

static void add_neighbours(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    uint64_t *sums = context; /* [2][N_ITEMS_MAX]: each round reads what all wrote in the last */
    for (uint32_t i = first; i < end; i++)
        sums[N_ITEMS_MAX + i] = sums[i] + sums[(i + 1) % N_ITEMS_MAX];
}

static void copy_back(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    uint64_t *sums = context;
    for (uint32_t i = first; i < end; i++) sums[i] = sums[N_ITEMS_MAX + i];
}

static void a_round_sees_the_last_one(void **state) {
    (void)state;
    uint64_t sums[2 * N_ITEMS_MAX] = {1}, alone[2 * N_ITEMS_MAX] = {1};
    threads *pool = threads_new(3, fmath_thread_start);
    assert_non_null(pool);
    for (int round = 0; round < 2000; round++) {
        threads_for(pool, N_ITEMS_MAX, THREADS_WORK_MIN, add_neighbours, sums);
        threads_for(pool, N_ITEMS_MAX, THREADS_WORK_MIN, copy_back, sums);
        add_neighbours(alone, 0, N_ITEMS_MAX, 0);
        copy_back(alone, 0, N_ITEMS_MAX, 0);
    }
    threads_free(&pool);
    assert_memory_equal(sums, alone, sizeof sums);
}

static void a_pool_that_slept_wakes(void **state) {
    (void)state;
    threads *pool = threads_new(2, fmath_thread_start);
    assert_non_null(pool);
    for (int round = 0; round < 3; round++) {
        nanosleep(&(struct timespec){.tv_nsec = 30 * 1000 * 1000}, NULL); /* beyond any spinning */
        tally t = {0};
        threads_for(pool, N_ITEMS_MAX, THREADS_WORK_MIN, count_items, &t);
        for (uint32_t i = 0; i < N_ITEMS_MAX; i++) assert_int_equal(t.n_done[i], 1);
    }
    nanosleep(&(struct timespec){.tv_nsec = 30 * 1000 * 1000}, NULL);
    threads_free(&pool);
}

static void take_rounding(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    (void)thread;
    int *modes = context;
    for (uint32_t i = first; i < end; i++) modes[i] = fegetround();
}

static void all_threads_round_to_nearest(void **state) {
    (void)state;
    fesetround(FE_UPWARD);      /* new threads would inherit it */
    threads *pool = threads_new(4, fmath_thread_start);
    assert_non_null(pool);
    int modes[4] = {-1, -1, -1, -1};
    threads_for(pool, 4, THREADS_WORK_MIN, take_rounding, modes);
    threads_free(&pool);
    for (int i = 0; i < 4; i++) assert_int_equal(modes[i], FE_TONEAREST);
}

static void no_pool_is_fine_to_free(void **state) {
    (void)state;
    threads *pool = NULL;
    threads_free(&pool);
    assert_true(threads_default_count() >= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_item_is_done_once),
        cmocka_unit_test(a_slow_thread_leaves_the_rest_to_others),
        cmocka_unit_test(a_thread_without_a_core_holds_up_nobody),
        cmocka_unit_test(little_work_stays_with_the_caller),
        cmocka_unit_test(a_round_sees_the_last_one),
        cmocka_unit_test(a_pool_that_slept_wakes),
        cmocka_unit_test(all_threads_round_to_nearest),
        cmocka_unit_test(no_pool_is_fine_to_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
