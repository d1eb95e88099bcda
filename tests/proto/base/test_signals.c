/* Signals that end a program: from the first moment on, while they are held, ignored or blocked by whoever
 * started it. Each test is a child of its own. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/process/signals.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { CODE = 77, WENT_ON = 5, WRONG = 6 };

static const int all[] = {SIGINT, SIGTERM, SIGHUP};
static int number; /* the signal that a child is about */

/* What waitpid says of a child that does `run` with the usual dispositions. */
static int outcome_of(void (*run)(void)) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        for (size_t i = 0; i < 3; i++) signal(all[i], SIG_DFL);
        run();
        _exit(WENT_ON);
    }
    int outcome;
    assert_int_equal(waitpid(pid, &outcome, 0), pid);
    return outcome;
}

static void assert_exit(void (*run)(void), int code) {
    int outcome = outcome_of(run);
    assert_true(WIFEXITED(outcome));
    assert_int_equal(WEXITSTATUS(outcome), code);
}

static void block(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void get_it(void) {
    signals_begin(CODE);
    raise(number);
}

static void get_it_before_the_beginning(void) {
    block();
    raise(number);
    signals_begin(CODE);
}

static void hold_get_and_let_go(void) {
    signals_begin(CODE);
    if (signals_set(SIGNALS_HOLD) != SIGNALS_END) _exit(WRONG);
    raise(number);
    if (signals_waiting() != number) _exit(WRONG);
    signals_set(SIGNALS_END);
}

static void hold_get_take_and_let_go(void) {
    signals_begin(CODE);
    signals_set(SIGNALS_HOLD);
    raise(number);
    if (signals_take(NULL) != number || signals_take(NULL) != 0) _exit(WRONG);
    signals_set(SIGNALS_END);
}

static void each_ends_it_with_its_code(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        number = all[i];
        assert_exit(get_it, CODE);
        assert_exit(get_it_before_the_beginning, CODE);
        assert_exit(hold_get_and_let_go, CODE);
        assert_exit(hold_get_take_and_let_go, WENT_ON);
    }
}

static void hold_interrupts_only(void) {
    signals_begin(CODE);
    signals_set(SIGNALS_HOLD_INTERRUPT);
    raise(number);
}

static void an_interrupt_alone_may_be_held(void **state) {
    (void)state;
    number = SIGINT;
    assert_exit(hold_interrupts_only, WENT_ON);
    number = SIGTERM;
    assert_exit(hold_interrupts_only, CODE);
}

static void get_two(void) {
    signals_begin(CODE);
    signals_set(SIGNALS_HOLD);
    raise(number);
    raise(number == SIGINT ? SIGTERM : SIGINT);
    int second;
    if (signals_take(&second) != SIGTERM || second != SIGINT || signals_waiting() != 0) _exit(WRONG);
}

static void neither_of_two_that_wait_is_lost(void **state) {
    (void)state;
    number = SIGINT;
    assert_exit(get_two, WENT_ON);
    number = SIGTERM;
    assert_exit(get_two, WENT_ON);
}

static void get_it_often(void) {
    int second;
    signals_begin(CODE);
    signals_set(SIGNALS_HOLD);
    for (int i = 0; i < 3; i++) raise(number);
    if (signals_take(&second) != number || second != number || signals_waiting() != 0) _exit(WRONG);
    raise(number);
    if (signals_take(&second) != number || second != 0) _exit(WRONG);
}

static void the_same_counts_twice_and_no_third_does(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        number = all[i];
        assert_exit(get_it_often, WENT_ON);
    }
}

static void get_it_ignored(void) {
    signal(number, SIG_IGN);
    signals_begin(CODE);
    if (signals_ignored(number) != (number != SIGTERM)) _exit(WRONG);
    raise(number);
}

/* nohup, and a job in the background of a shell without jobs; nobody asks for a daemon that only SIGKILL ends. */
static void what_was_ignored_stays_so_except_sigterm(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        number = all[i];
        assert_exit(get_it_ignored, number == SIGTERM ? CODE : WENT_ON);
    }
}

static void be_woken(void) {
    uint64_t n = 0;
    int fd = eventfd(0, EFD_NONBLOCK);
    signals_begin(CODE);
    signals_set(SIGNALS_HOLD);
    if (signals_wake(fd) != -1) _exit(WRONG);
    raise(number);
    if (read(fd, &n, sizeof n) != sizeof n || n != 1 || signals_wake(-1) != fd) _exit(WRONG);
}

static void who_waits_is_woken(void **state) {
    (void)state;
    number = SIGTERM;
    assert_exit(be_woken, WENT_ON);
}

static void write_to_nobody(void) {
    int ends[2];
    signals_begin(CODE);
    if (pipe(ends) != 0 || close(ends[0]) != 0 || write(ends[1], "x", 1) != -1) _exit(WRONG);
}

static void a_reader_that_is_gone_ends_nothing(void **state) {
    (void)state;
    assert_exit(write_to_nobody, WENT_ON);
}

static void hand_on(void) {
    signal(number, SIG_IGN);
    signals_begin(CODE);
    signals_hand_on();          /* what an exec keeps is what counts from here on */
    raise(number);              /* before the next program's beginning … */
    signals_begin(CODE);        /* … and this is it */
}

static void a_child_gets_it_at_its_beginning(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        number = all[i];
        assert_exit(hand_on, CODE);
    }
}

/* A daemon with a settings file: it is to be read again, before the loop runs, too, and with nohup. */
static void hang_up(void) {
    uint64_t n = 0;
    int fd = eventfd(0, EFD_NONBLOCK);
    signal(SIGHUP, SIG_IGN);
    signals_begin(CODE);
    signals_hangup_wakes(fd);
    raise(SIGHUP);
    if (signals_waiting() != 0 || read(fd, &n, sizeof n) != sizeof n || n != 1) _exit(WRONG);
    signals_hangup_wakes(-1);
    raise(SIGHUP);
}

static void a_hangup_may_end_nothing_but_wake(void **state) {
    (void)state;
    assert_exit(hang_up, CODE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_ends_it_with_its_code),
        cmocka_unit_test(an_interrupt_alone_may_be_held),
        cmocka_unit_test(neither_of_two_that_wait_is_lost),
        cmocka_unit_test(the_same_counts_twice_and_no_third_does),
        cmocka_unit_test(what_was_ignored_stays_so_except_sigterm),
        cmocka_unit_test(who_waits_is_woken),
        cmocka_unit_test(a_reader_that_is_gone_ends_nothing),
        cmocka_unit_test(a_child_gets_it_at_its_beginning),
        cmocka_unit_test(a_hangup_may_end_nothing_but_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
