/* A daemon that is told to end: once, it drains; twice, it ends. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/process/signals.h"
#include "proto/net/draining.h"
#include "tests/support/link/turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static loop *l;
static draining *under_test;
static size_t n_begun, n_asked;
static bool is_idle_now;

static void begins(void *unused) {
    (void)unused;
    n_begun++;
}

static bool is_idle(void *unused) {
    (void)unused;
    n_asked++;
    return is_idle_now;
}

static void make(double patience_s) {
    under_test = draining_new(&(draining_options){.loop = l, .patience_s = patience_s, .begin = begins, .is_idle = is_idle});
    assert_non_null(under_test);
}

static int begin(void **state) {
    (void)state;
    n_begun = n_asked = 0;
    is_idle_now = false;
    signals_begin(0);
    l = loop_new();
    return l ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    draining_free(&under_test);
    loop_free(&l);
    return 0;
}

static void raise_signal(void *number) {
    raise(*(const int *)number);
}

static void becomes_idle(void *unused) {
    (void)unused;
    assert_true(draining_has_begun(under_test));
    is_idle_now = true;
}

static const int terminate = SIGTERM, interrupt = SIGINT;

static void it_ends_as_soon_as_nothing_is_under_way(void **state) {
    (void)state;
    make(60);
    turns_once(l, 1, raise_signal, (void *)&terminate);
    turns_once(l, 100, becomes_idle, NULL);
    assert_false(turns_to_the_end(l));          /* by itself, not by a signal */
    assert_int_equal(n_begun, 1);
    assert_true(n_asked > 1);
}

static void it_ends_when_its_patience_is_over(void **state) {
    (void)state;
    make(0.1);
    turns_once(l, 1, raise_signal, (void *)&terminate);
    assert_false(turns_to_the_end(l));
    assert_int_equal(n_begun, 1);
}

static void without_patience_it_ends_at_once(void **state) {
    (void)state;
    make(0);
    turns_once(l, 1, raise_signal, (void *)&terminate);
    assert_false(turns_to_the_end(l));
    assert_int_equal(n_begun + n_asked, 0);     /* nobody is told what is over in a moment */
}

static void a_second_signal_ends_it(void **state) {
    (void)state;
    make(60);
    turns_once(l, 1, raise_signal, (void *)&terminate);
    turns_once(l, 60, raise_signal, (void *)&terminate);
    assert_true(turns_to_the_end(l));
    assert_int_equal(n_begun, 1);
}

static void an_interrupt_ends_it_at_any_time(void **state) {
    (void)state;
    make(60);
    turns_once(l, 1, raise_signal, (void *)&interrupt);
    assert_true(turns_to_the_end(l));
    assert_int_equal(n_begun, 0);
    turns_once(l, 1, raise_signal, (void *)&terminate);
    turns_once(l, 60, raise_signal, (void *)&interrupt);
    assert_true(turns_to_the_end(l));
    assert_int_equal(n_begun, 1);
}

static void raise_twice(void *second) {
    raise(SIGTERM);
    raise_signal(second);
}

/* Both come before the loop has taken the first. */
static void a_second_signal_right_after_the_first_ends_it(void **state) {
    (void)state;
    make(60);
    turns_once(l, 1, raise_twice, (void *)&terminate);
    assert_true(turns_to_the_end(l));
    assert_int_equal(n_begun, 1);
    draining_free(&under_test);
    make(60);
    turns_once(l, 1, raise_twice, (void *)&interrupt);
    assert_true(turns_to_the_end(l));
    assert_int_equal(n_begun, 2);
}

static void orders_it(void *unused) {
    (void)unused;
    draining_order(under_test);
    draining_order(under_test);
    is_idle_now = true;
}

static void an_order_is_the_same_and_counts_once(void **state) {
    (void)state;
    make(60);
    turns_once(l, 1, orders_it, NULL);
    assert_false(turns_to_the_end(l));
    assert_int_equal(n_begun, 1);
}

static void is_replaced(void *unused) {
    (void)unused;
    draining_replaced(under_test);
}

static void who_is_replaced_has_all_time(void **state) {
    (void)state;
    make(0);                                    /* that is for signals and operators */
    turns_once(l, 1, is_replaced, NULL);
    turns_once(l, 100, becomes_idle, NULL);
    assert_false(turns_to_the_end(l));
    assert_int_equal(n_begun, 1);
    assert_true(n_asked > 1);
}

static void until_a_signal_bounds_it(void **state) {
    (void)state;
    make(0.1);
    turns_once(l, 1, is_replaced, NULL);
    turns_once(l, 60, raise_signal, (void *)&terminate);
    assert_false(turns_to_the_end(l));          /* the signal is its first one: it drains on, within its patience */
    assert_int_equal(n_begun, 1);
}

static void to_be_replaced_ends_no_patience(void **state) {
    (void)state;
    make(0.1);
    turns_once(l, 1, raise_signal, (void *)&terminate);
    turns_once(l, 30, is_replaced, NULL);
    assert_false(turns_to_the_end(l));
    assert_int_equal(n_begun, 1);
}

static void what_came_before_the_loop_ran_counts(void **state) {
    (void)state;
    signals_rule before = signals_set(SIGNALS_HOLD);
    make(60);
    is_idle_now = true;
    raise(SIGTERM);
    assert_false(turns_to_the_end(l));
    assert_int_equal(n_begun, 1);
    signals_set(before);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(it_ends_as_soon_as_nothing_is_under_way),
        TEST(it_ends_when_its_patience_is_over),
        TEST(without_patience_it_ends_at_once),
        TEST(a_second_signal_ends_it),
        TEST(a_second_signal_right_after_the_first_ends_it),
        TEST(an_interrupt_ends_it_at_any_time),
        TEST(an_order_is_the_same_and_counts_once),
        TEST(who_is_replaced_has_all_time),
        TEST(until_a_signal_bounds_it),
        TEST(to_be_replaced_ends_no_patience),
        TEST(what_came_before_the_loop_ran_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
