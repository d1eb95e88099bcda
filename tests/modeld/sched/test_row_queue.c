/* row_queue.h: whose rows go to a sampler next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "modeld/sched/row_queue.h"

#include <cmocka.h>

enum { N = 5 };

typedef struct world {
    row_queue queue;
    owner ann, bob;
    sequence anns[N], bobs[N];
} world;

static void begin(world *w) {
    *w = (world){0};
    row_queue_init(&w->queue);
    for (int i = 0; i < N; i++) {
        w->anns[i].owner = &w->ann;
        w->bobs[i].owner = &w->bob;
    }
}

static sequence *serve(world *w) {
    sequence *s = TAILQ_FIRST(&w->queue.rows);
    if (s) row_queue_serve(&w->queue, s);
    return s;
}

static void an_owners_rows_keep_their_order(void **state) {
    (void)state;
    world w;
    begin(&w);
    for (int i = 0; i < N; i++) row_queue_join(&w.queue, &w.anns[i], false);
    for (int i = 0; i < N; i++) assert_ptr_equal(serve(&w), &w.anns[i]);
    assert_null(serve(&w));
}

static void one_row_does_not_wait_for_many(void **state) {
    (void)state;
    world w;
    begin(&w);
    for (int i = 0; i < N; i++) row_queue_join(&w.queue, &w.anns[i], false);
    assert_ptr_equal(serve(&w), &w.anns[0]);
    for (int i = 0; i < 2; i++) row_queue_join(&w.queue, &w.bobs[i], false);
    sequence *wanted[] = {&w.anns[1], &w.bobs[0], &w.anns[2], &w.bobs[1], &w.anns[3], &w.anns[4]};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) assert_ptr_equal(serve(&w), wanted[i]);
}

static void turns_that_were_missed_are_gone(void **state) {
    (void)state;
    world w;
    begin(&w);
    for (int i = 0; i < 100; i++) {
        row_queue_join(&w.queue, &w.anns[0], false);
        serve(&w);
    }
    for (int i = 0; i < N; i++) row_queue_join(&w.queue, &w.bobs[i], false);
    row_queue_join(&w.queue, &w.anns[0], false);
    assert_ptr_equal(serve(&w), &w.bobs[0]);
    assert_ptr_equal(serve(&w), &w.anns[0]);
}

static void a_row_that_is_given_up_moves_no_turn(void **state) {
    (void)state;
    world w;
    begin(&w);
    for (int i = 0; i < N; i++) row_queue_join(&w.queue, &w.anns[i], false);
    row_queue_leave(&w.queue, &w.anns[N - 1]);
    row_queue_leave(&w.queue, &w.anns[N - 1]);      /* it is not there */
    row_queue_join(&w.queue, &w.bobs[0], false);
    assert_ptr_equal(serve(&w), &w.anns[0]);
    assert_ptr_equal(serve(&w), &w.bobs[0]);
}

static void a_retry_is_before_all(void **state) {
    (void)state;
    world w;
    begin(&w);
    for (int i = 0; i < N; i++) row_queue_join(&w.queue, &w.anns[i], false);
    sequence *retried = serve(&w);
    row_queue_join(&w.queue, retried, true);
    row_queue_join(&w.queue, &w.bobs[0], false);
    assert_ptr_equal(serve(&w), retried);
    assert_ptr_equal(serve(&w), &w.anns[1]);
    assert_ptr_equal(serve(&w), &w.bobs[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_owners_rows_keep_their_order),
        cmocka_unit_test(one_row_does_not_wait_for_many),
        cmocka_unit_test(turns_that_were_missed_are_gone),
        cmocka_unit_test(a_row_that_is_given_up_moves_no_turn),
        cmocka_unit_test(a_retry_is_before_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
