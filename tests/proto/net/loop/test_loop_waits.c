/* Waiting within a handler of the loop. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/process/signals.h"
#include "proto/net/loop.h"
#include "tests/support/link/turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static loop *l;
static char events[16]; /* one letter a call */

static void note(void *letter) {
    strncat(events, letter, sizeof events - 1 - strlen(events));
}

static void note_and_stop(void *letter) {
    note(letter);
    loop_stop(l);
}

static void interrupt(void *unused) {
    (void)unused;
    kill(getpid(), SIGINT);
}

static int waited[2]; /* a pipe */
static bool came;

static void wait_for_byte(void *unused) {
    (void)unused;
    note("(");
    came = loop_wait_readable(l, waited[0]);
    note(came ? ")" : "!");
}

static void wait_and_stop(void *unused) {
    wait_for_byte(unused);
    turns_once(l, 0, note_and_stop, "s");
}

static void write_byte(void *unused) {
    (void)unused;
    note("w");
    assert_int_equal(write(waited[1], "x", 1), 1);
}

static void the_others_are_served_while_a_handler_waits(void **state) {
    (void)state;
    turns_once(l, 1, wait_and_stop, NULL);
    turns_once(l, 10, note, "t");
    turns_once(l, 20, write_byte, NULL);
    turns_once(l, 60000, note_and_stop, "x");    /* instead of waiting for ever */
    loop_run(l);
    assert_string_equal(events, "(tw)s");
    assert_true(came);
}

static void what_ends_the_loop_ends_the_waiting(void **state) {
    (void)state;
    turns_once(l, 1, wait_for_byte, NULL);
    turns_once(l, 10, note_and_stop, "s");
    assert_false(loop_run(l));
    turns_once(l, 1, wait_for_byte, NULL);
    turns_once(l, 10, interrupt, NULL);
    assert_true(loop_run(l));
    assert_string_equal(events, "(s!(!");
    assert_false(came);
}

/* Two pipes are ready; the handler of the first waits, and the other's must be called once only. */
static void on_first(void *end) {
    char byte;
    assert_int_equal(read(*(int *)end, &byte, 1), 1);
    wait_for_byte(NULL);
}

static void on_second(void *end) {
    char byte;
    assert_int_equal(read(*(int *)end, &byte, 1), 1);
    note("2");
}

static void what_was_served_in_between_is_not_served_again(void **state) {
    (void)state;
    int first[2], second[2];
    assert_true(pipe(first) == 0 && pipe(second) == 0);
    assert_int_equal(loop_add_reader(l, first[0], on_first, &first[0]), 0);
    assert_int_equal(loop_add_reader(l, second[0], on_second, &second[0]), 0);
    assert_int_equal(write(first[1], "x", 1) + write(second[1], "x", 1), 2);
    turns_once(l, 40, note_and_stop, "s");
    loop_run(l);
    assert_string_equal(events, "(2s!");
    close(first[0]), close(first[1]), close(second[0]), close(second[1]);
}

static int begin(void **state) {
    (void)state;
    events[0] = 0;
    l = loop_new();
    return l && pipe(waited) == 0 ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    loop_free(&l);
    close(waited[0]), close(waited[1]);
    return 0;
}

int main(void) {
    signal(SIGINT, SIG_DFL);    /* whatever the runner of the tests ignores */
    signals_begin(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_others_are_served_while_a_handler_waits, begin, end),
        cmocka_unit_test_setup_teardown(what_ends_the_loop_ends_the_waiting, begin, end),
        cmocka_unit_test_setup_teardown(what_was_served_in_between_is_not_served_again, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
