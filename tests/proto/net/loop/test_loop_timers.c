/* Timers of the loop: in order, set anew, and cancelled from within handlers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "tests/support/link/noted_loop.h"
#include "tests/support/link/turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static timer *one;

static void timers_come_in_order_of_time(void **state) {
    (void)state;
    turns_once(noted_loop, 30, note_and_stop, "c");
    turns_once(noted_loop, 10, note, "a");
    turns_once(noted_loop, 20, note, "b");
    turns_once(noted_loop, 60000, note, "x");
    uint64_t start_ms = clock_ms();
    assert_false(loop_run(noted_loop));
    assert_string_equal(events, "abc");
    assert_true(clock_ms() - start_ms >= 29);
}

static void a_cancelled_timer_does_not_come(void **state) {
    (void)state;
    timer never = {0};
    loop_once(noted_loop, &never, 5, note, "x");
    turns_once(noted_loop, 5, note, "a");
    assert_true(timer_is_set(&never));
    loop_cancel(noted_loop, &never);
    loop_cancel(noted_loop, &never);
    assert_false(timer_is_set(&never));
    turns_once(noted_loop, 20, stop, NULL);
    loop_run(noted_loop);
    assert_string_equal(events, "a");
}

static void one_that_is_set_anew_comes_once(void **state) {
    (void)state;
    timer again_later = {0};
    loop_once(noted_loop, &again_later, 5, note, "x");
    loop_every(noted_loop, &again_later, 1, note, "y");
    loop_once(noted_loop, &again_later, 10, note, "a");
    turns_once(noted_loop, 30, stop, NULL);
    loop_run(noted_loop);
    assert_string_equal(events, "a");
    assert_false(timer_is_set(&again_later));
}

static void cancel_itself(void *letter) {
    note(letter);
    if (strlen(events) < 3) return;
    loop_cancel(noted_loop, one);
    turns_once(noted_loop, 20, stop, NULL);
}

static void a_repeating_timer_may_cancel_itself(void **state) {
    (void)state;
    one = turns_every(noted_loop, 2, cancel_itself, "t");
    loop_run(noted_loop);
    assert_string_equal(events, "ttt");
}

static void cancel_other(void *letter) {
    note(letter);
    loop_cancel(noted_loop, one);
}

static void a_timer_may_cancel_another_that_is_due_too(void **state) {
    (void)state;
    turns_once(noted_loop, 5, cancel_other, "a");
    one = turns_once(noted_loop, 5, note, "x");
    turns_once(noted_loop, 20, stop, NULL);
    usleep(10000);
    loop_run(noted_loop);
    assert_string_equal(events, "a");
}

static void be_late(void *letter) {
    note(letter);
    if (strlen(events) == 1) usleep(60000);
}

/* 60 ms late is one call late, not six calls at once. */
static void a_late_loop_makes_up_for_nothing(void **state) {
    (void)state;
    turns_every(noted_loop, 10, be_late, "t");
    turns_once(noted_loop, 75, stop, NULL);
    loop_run(noted_loop);
    assert_in_range(strlen(events), 1, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_LOOP(timers_come_in_order_of_time),
        ON_LOOP(a_cancelled_timer_does_not_come),
        ON_LOOP(one_that_is_set_anew_comes_once),
        ON_LOOP(a_repeating_timer_may_cancel_itself),
        ON_LOOP(a_timer_may_cancel_another_that_is_due_too),
        ON_LOOP(a_late_loop_makes_up_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
