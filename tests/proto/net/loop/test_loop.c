/* The loop: sockets, descriptors, removal from within handlers, signals. */
#include <czmq.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/process/signals.h"
#include "tests/support/link/noted_loop.h"
#include "tests/support/link/turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void again(void *letter) {
    note(letter);
    if (strlen(events) < 5) turns_once(noted_loop, 0, again, letter);
    else loop_stop(noted_loop);
}

/* A slice of work that asks for the next turn again and again. */
static void the_next_turn_comes_after_the_sockets(void **state) {
    (void)state;
    zsock_t *out = zsock_new(ZMQ_PAIR), *in = zsock_new(ZMQ_PAIR);
    assert_int_equal(zsock_bind(out, "inproc://turns"), 0);
    assert_int_equal(zsock_connect(in, "inproc://turns"), 0);
    zstr_send(out, "never read, so always ready");
    assert_int_equal(loop_add_socket(noted_loop, zsock_resolve(in), note, "s"), 0);
    turns_once(noted_loop, 0, again, "t");
    loop_run(noted_loop);
    assert_int_equal(events[0], 's');
    assert_null(strstr(events, "tt"));
    loop_remove_socket(noted_loop, zsock_resolve(in));
    zsock_destroy(&in);
    zsock_destroy(&out);
}

static void read_and_remove(void *context) {
    note("r");
    char *text = zstr_recv(context);
    assert_string_equal(text, "one");
    freen(text);
    loop_remove_socket(noted_loop, zsock_resolve(context));
}

static void a_socket_may_be_removed_by_its_handler(void **state) {
    (void)state;
    zsock_t *out = zsock_new(ZMQ_PAIR), *in = zsock_new(ZMQ_PAIR);
    assert_int_equal(zsock_bind(out, "inproc://removal"), 0);
    assert_int_equal(zsock_connect(in, "inproc://removal"), 0);
    zstr_send(out, "one");
    zstr_send(out, "two");
    assert_int_equal(loop_add_socket(noted_loop, zsock_resolve(in), read_and_remove, in), 0);
    turns_once(noted_loop, 20, stop, NULL);
    loop_run(noted_loop);
    assert_string_equal(events, "r");
    zsock_destroy(&in);
    zsock_destroy(&out);
}

static zsock_t *neighbour;

static void remove_both(void *zsock) {
    note("r");
    loop_remove_socket(noted_loop, zsock_resolve(zsock));
    loop_remove_socket(noted_loop, zsock_resolve(neighbour));
    zsock_destroy(&neighbour);
    turns_once(noted_loop, 5, stop, NULL);
}

static void a_ready_socket_that_another_handler_removes_is_not_called(void **state) {
    (void)state;
    zsock_t *out = zsock_new(ZMQ_PAIR), *in = zsock_new(ZMQ_PAIR), *other = zsock_new(ZMQ_PAIR);
    neighbour = zsock_new(ZMQ_PAIR);
    zsock_bind(out, "inproc://first"), zsock_connect(in, "inproc://first");
    zsock_bind(other, "inproc://second"), zsock_connect(neighbour, "inproc://second");
    zstr_send(out, "ready");
    zstr_send(other, "ready");
    assert_int_equal(loop_add_socket(noted_loop, zsock_resolve(in), remove_both, in), 0);
    assert_int_equal(loop_add_socket(noted_loop, zsock_resolve(neighbour), note, "x"), 0);
    loop_run(noted_loop);
    assert_string_equal(events, "r");
    zsock_destroy(&in);
    zsock_destroy(&out);
    zsock_destroy(&other);
}

static void watch_many(void *letter) {
    note(letter);
    for (int i = 0; i < 20; i++) assert_int_equal(loop_add_reader(noted_loop, 0, note, "x"), 0);
    loop_remove_fd(noted_loop, 0);
    turns_once(noted_loop, 5, stop, NULL);
}

/* More than there is room for at once, from within a handler. */
static void a_handler_may_add_and_remove_many(void **state) {
    (void)state;
    turns_once(noted_loop, 0, watch_many, "m");
    loop_run(noted_loop);
    assert_string_equal(events, "m");
}

static void note_writer(void *zsock) {
    note("w");
    loop_remove_socket_writer(noted_loop, zsock_resolve(zsock));
    turns_once(noted_loop, 50, stop, NULL);
}

/* What a Hello waits for: a DEALER with IMMEDIATE takes a message once somebody has bound. */
static void a_dealer_can_be_written_when_it_is_connected(void **state) {
    (void)state;
    zsock_t *dealer = zsock_new(ZMQ_DEALER), *router = zsock_new(ZMQ_ROUTER);
    zsock_set_immediate(dealer, 1);
    char address[64];
    snprintf(address, sizeof address, "ipc:///tmp/test_loop.%d", (int)getpid());
    assert_int_equal(zsock_connect(dealer, "%s", address), 0);
    assert_int_equal(loop_add_socket(noted_loop, zsock_resolve(dealer), note, "r"), 0);
    assert_int_equal(loop_add_socket_writer(noted_loop, zsock_resolve(dealer), note_writer, dealer), 0);
    turns_once(noted_loop, 50, stop, NULL);
    loop_run(noted_loop);
    assert_string_equal(events, "");
    assert_int_equal(zsock_bind(router, "%s", address), 0);
    turns_once(noted_loop, 60000, stop, NULL);
    loop_run(noted_loop);
    assert_string_equal(events, "w");
    loop_remove_socket(noted_loop, zsock_resolve(dealer));
    zsock_destroy(&dealer);
    zsock_destroy(&router);
    unlink(address + strlen("ipc://"));
}

static int ends[2];

static void read_byte(void *letter) {
    char byte;
    if (read(ends[0], &byte, 1) == 1) return note(letter);
    note("e");
    loop_remove_fd(noted_loop, ends[0]);
    loop_stop(noted_loop);
}

static void write_byte(void *unused) {
    (void)unused;
    assert_int_equal(write(ends[1], "x", 1), 1);
    loop_remove_fd(noted_loop, ends[1]);
    close(ends[1]);
}

static void descriptors_are_read_written_and_end(void **state) {
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(loop_add_reader(noted_loop, ends[0], read_byte, "r"), 0);
    assert_int_equal(loop_add_writer(noted_loop, ends[1], write_byte, NULL), 0);
    assert_false(loop_run(noted_loop));
    assert_string_equal(events, "re");
    close(ends[0]);
}

static void raise_signal(void *number) {
    kill(getpid(), *(int *)number);
}

static void signals_end_it(void **state) {
    (void)state;
    static int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < 3; i++) {
        turns_once(noted_loop, 5, raise_signal, &numbers[i]);
        timer *guard = turns_once(noted_loop, 60000, stop, NULL);
        assert_true(loop_run(noted_loop));
        loop_cancel(noted_loop, guard);
    }
}

static void ignore_signal(int number) {
    (void)number;
}

static void it_says_which_signal_that_was(void **state) {
    (void)state;
    static int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < 3; i++) {
        turns_once(noted_loop, 1, raise_signal, &numbers[i]);
        loop_run(noted_loop);
        assert_int_equal(loop_was_terminated(noted_loop), numbers[i] != SIGINT);
    }
    turns_once(noted_loop, 1, stop, NULL);
    loop_run(noted_loop);
    assert_false(loop_was_terminated(noted_loop));
}

static void one_before_a_run_ends_it_where_it_is_held(void **state) {
    (void)state;
    static int numbers[] = {SIGINT, SIGTERM, SIGINT};
    turns_once(noted_loop, 0, note, "x");
    signals_rule before = signals_set(SIGNALS_HOLD);
    for (size_t i = 0; i < 3; i++) {
        raise_signal(&numbers[i]);
        assert_true(loop_run(noted_loop));
        assert_int_equal(loop_was_terminated(noted_loop), numbers[i] == SIGTERM);
    }
    signals_set(before);
    assert_string_equal(events, "");    /* nothing else was begun */
}

/* Making one opens no gap through which a signal is lost. */
static void a_new_loop_leaves_signals_alone(void **state) {
    (void)state;
    struct sigaction before, after;
    for (int number = SIGINT; number != 0; number = number == SIGINT ? SIGTERM : 0) {
        loop_free(&noted_loop);
        sigaction(number, NULL, &before);
        noted_loop = loop_new();
        assert_non_null(noted_loop);
        sigaction(number, NULL, &after);
        assert_true(before.sa_handler != SIG_DFL && before.sa_handler == after.sa_handler);
    }
}

static void other_signals_do_not(void **state) {
    (void)state;
    static int number = SIGUSR1;
    signal(SIGUSR1, ignore_signal);
    turns_once(noted_loop, 5, raise_signal, &number);
    turns_every(noted_loop, 10, note, "t");
    turns_once(noted_loop, 100, stop, NULL);
    uint64_t start_ms = clock_ms();
    assert_false(loop_run(noted_loop));
    assert_true(clock_ms() - start_ms >= 99); /* nor do they make timers start anew */
    assert_in_range(strlen(events), 1, 10);
    signal(SIGUSR1, SIG_DFL);
}

static void never_called(void *unused) {
    (void)unused;
    fail();
}

/* Wherever in a turn they come: one that others interrupt all the time goes on. */
static void however_many_there_are(void **state) {
    (void)state;
    const struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    zsock_t *socket = zsock_new_dealer("@inproc://signals");
    assert_non_null(socket);
    assert_int_equal(loop_add_socket(noted_loop, zsock_resolve(socket), never_called, NULL), 0);
    signal(SIGALRM, ignore_signal);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    turns_once(noted_loop, 200, note_and_stop, "a");
    bool ended = loop_run(noted_loop);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    signal(SIGALRM, SIG_DFL);
    loop_remove_socket(noted_loop, zsock_resolve(socket));
    zsock_destroy(&socket);
    assert_false(ended);
    assert_string_equal(events, "a");
}

static void it_runs_again_after_a_stop(void **state) {
    (void)state;
    turns_once(noted_loop, 1, note_and_stop, "a");
    loop_run(noted_loop);
    turns_once(noted_loop, 1, note_and_stop, "b");
    loop_run(noted_loop);
    assert_string_equal(events, "ab");
}

int main(void) {
    signal(SIGINT, SIG_DFL);    /* whatever the runner of the tests ignores */
    signal(SIGHUP, SIG_DFL);
    signals_begin(1);
    const struct CMUnitTest tests[] = {
        ON_LOOP(the_next_turn_comes_after_the_sockets),
        ON_LOOP(a_socket_may_be_removed_by_its_handler),
        ON_LOOP(a_ready_socket_that_another_handler_removes_is_not_called),
        ON_LOOP(a_handler_may_add_and_remove_many),
        ON_LOOP(a_dealer_can_be_written_when_it_is_connected),
        ON_LOOP(descriptors_are_read_written_and_end),
        ON_LOOP(signals_end_it),
        ON_LOOP(it_says_which_signal_that_was),
        ON_LOOP(one_before_a_run_ends_it_where_it_is_held),
        ON_LOOP(a_new_loop_leaves_signals_alone),
        ON_LOOP(other_signals_do_not),
        ON_LOOP(however_many_there_are),
        ON_LOOP(it_runs_again_after_a_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
