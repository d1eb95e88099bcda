/* Names of hosts: their addresses as they come and go, name servers that are slow, mute or say that there is nothing. */
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/net/names/host_lookup.h"
#include "proto/net/names/host_name.h"
#include "tests/support/link/name_server.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { SOON_MS = 60000 };

/* ---- whoever asks ---- */

static loop *l;
static size_t n_changes;
static failure f;

static void on_changed(void *unused) {
    (void)unused;
    n_changes++;
    loop_stop(l);
}

static int prepare(void **state) {
    (void)state;
    n_changes = 0;
    name_server_begin();
    l = loop_new();
    return l ? 0 : -1;
}

static int finish(void **state) {
    (void)state;
    name_server_mute(false);
    loop_free(&l);
    return 0;
}

static host_name *follow(const char *endpoint) {
    host_name *n;
    assert_int_equal(host_name_new(&n, l, endpoint, on_changed, NULL, &f), STATUS_OK);
    return n;
}

static void stop(void *unused) {
    (void)unused;
    loop_stop(l);
}

/* Until the next change, at most so long. True: it came. */
static bool changes_within(uint32_t ms) {
    size_t before = n_changes;
    timer end = {0};
    loop_once(l, &end, ms, stop, NULL);
    loop_run(l);
    loop_cancel(l, &end);
    return n_changes > before;
}

static void assert_addresses(const host_name *n, size_t n_wanted, const char *const *wanted) {
    assert_int_equal(host_name_now(n), NAME_FOUND);
    assert_int_equal(host_name_n_addresses(n), n_wanted);
    for (size_t i = 0; i < n_wanted; i++) assert_string_equal(host_name_address(n, i), wanted[i]);
}

/* ---- tests ---- */

static void numbers_and_files_are_not_looked_up(void **state) {
    (void)state;
    static const char *const endpoints[] = {"ipc:///run/trivium/models", "tcp://10.0.0.1:7001", "tcp://[::1]:7001",
                                            "tcp://[fe80::2%lo]:7001"};
    name_server_mute(true);
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        assert_false(host_name_needed(endpoints[i]));
        host_name *n = follow(endpoints[i]);
        assert_addresses(n, LIST(endpoints[i]));
        host_name_ask(n);
        host_name_free(&n);
        assert_null(n);
    }
    assert_false(changes_within(10));
    assert_int_equal(name_server_questions(), 0);
    assert_true(host_name_needed("tcp://localhost:7001"));
    assert_true(host_name_needed("tcp://10-0-0-1.modelds:7001"));
}

static void a_name_is_all_of_its_addresses(void **state) {
    (void)state;
    name_server_says(0, LIST("10.0.0.2", "fd00::2", "10.0.0.1", "fe80::2%lo", "10.0.0.2"));
    host_name *n = follow("tcp://modelds:7001");
    assert_int_equal(host_name_now(n), NAME_ASKED);
    assert_int_equal(host_name_n_addresses(n), 0);
    assert_true(changes_within(SOON_MS));
    assert_addresses(n, LIST("tcp://10.0.0.2:7001", "tcp://[fd00::2]:7001", "tcp://10.0.0.1:7001", "tcp://[fe80::2%lo]:7001"));
    assert_true(host_name_has(n, "tcp://10.0.0.1:7001"));
    assert_false(host_name_has(n, "tcp://10.0.0.1:7002"));
    host_name_free(&n);
}

/* In another order they are the same; at once when asked for, and by itself. */
static void addresses_come_and_go(void **state) {
    (void)state;
    name_server_says(0, LIST("10.0.0.1", "10.0.0.2"));
    host_name *n = follow("tcp://modelds:7001");
    assert_true(changes_within(SOON_MS));
    name_server_says(0, LIST("10.0.0.2", "10.0.0.1"));
    host_name_ask(n);
    host_name_ask(n);
    assert_false(changes_within(2 * NAME_ASK_MS_MIN));
    assert_int_equal(name_server_questions(), 2);
    name_server_says(0, LIST("10.0.0.2", "10.0.0.3"));
    host_name_ask(n);
    assert_true(changes_within(SOON_MS));
    assert_addresses(n, LIST("tcp://10.0.0.2:7001", "tcp://10.0.0.3:7001"));
    name_server_says(0, LIST("10.0.0.4"));
    assert_true(changes_within(SOON_MS));
    assert_addresses(n, LIST("tcp://10.0.0.4:7001"));
    host_name_free(&n);
}

static void a_name_that_is_gone_has_no_address(void **state) {
    (void)state;
    static const int none[] = {EAI_NONAME, EAI_NODATA};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        name_server_says(0, LIST("10.0.0.1"));
        host_name *n = follow("tcp://modelds:7001");
        assert_true(changes_within(SOON_MS));
        name_server_says(none[i], 0, NULL);
        host_name_ask(n);
        assert_true(changes_within(SOON_MS));
        assert_int_equal(host_name_now(n), NAME_NONE);
        assert_int_equal(host_name_n_addresses(n), 0);
        name_server_says(0, LIST("10.0.0.2"));
        assert_true(changes_within(SOON_MS));
        assert_addresses(n, LIST("tcp://10.0.0.2:7001"));
        host_name_free(&n);
    }
}

/* What nobody answers is not gone. */
static void without_an_answer_the_addresses_stay(void **state) {
    (void)state;
    static const int failures[] = {EAI_AGAIN, EAI_FAIL, EAI_SYSTEM, EAI_MEMORY};
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        name_server_says(failures[i], 0, NULL);
        host_name *n = follow("tcp://modelds:7001");
        assert_true(changes_within(SOON_MS));
        assert_int_equal(host_name_now(n), NAME_UNANSWERED);
        assert_int_equal(host_name_n_addresses(n), 0);
        name_server_says(0, LIST("10.0.0.1"));
        assert_true(changes_within(SOON_MS));
        name_server_says(failures[i], 0, NULL);
        host_name_ask(n);
        assert_true(changes_within(SOON_MS));
        assert_int_equal(host_name_now(n), NAME_UNANSWERED);
        assert_int_equal(host_name_n_addresses(n), 1);
        host_name_free(&n);
    }
}

static void more_addresses_than_fit_are_left_out(void **state) {
    (void)state;
    enum { N = NAME_ADDRESSES_MAX + 44 };
    static char text[N][16];
    const char *all[N];
    for (size_t i = 0; i < N; i++) {
        snprintf(text[i], sizeof text[i], "10.0.%zu.%zu", i / 100, i % 100);
        all[i] = text[i];
    }
    name_server_says(0, N, all);
    host_name *n = follow("tcp://modelds:7001");
    assert_true(changes_within(SOON_MS));
    assert_int_equal(host_name_n_addresses(n), NAME_ADDRESSES_MAX);
    assert_string_equal(host_name_address(n, 0), "tcp://10.0.0.0:7001");
    host_name_free(&n);
}

/* The loop goes on, and so do other names; whoever asked for the mute one may forget it. */
static void a_mute_server_holds_up_nobody(void **state) {
    (void)state;
    name_server_says(0, LIST("10.0.0.1"));
    name_server_mute(true);
    host_name *mute_one = follow("tcp://slow:7001"), *forgotten = follow("tcp://forgotten:7001");
    assert_false(changes_within(10));
    host_name *quick = follow("tcp://quick:7001");
    assert_true(changes_within(SOON_MS));
    assert_addresses(quick, LIST("tcp://10.0.0.1:7001"));
    assert_int_equal(host_name_now(mute_one), NAME_ASKED);
    host_name_free(&forgotten);
    name_server_mute(false);
    assert_true(changes_within(SOON_MS));
    assert_addresses(mute_one, LIST("tcp://10.0.0.1:7001"));
    host_name_free(&mute_one);
    host_name_free(&quick);
}

static void a_process_ends_while_a_server_is_mute(void **state) {
    (void)state;
    name_server_begin();
    pid_t child = fork();
    if (child == 0) {
        name_server_mute(true);
        host_lookup *under_way = host_lookup_begin("slow", "7001");
        exit(under_way && !host_lookup_answered(under_way) ? 0 : 1);
    }
    int how = -1;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
}

/* Whoever asks and forgets, over and over, gets no more threads than there may be. */
static void lookups_are_bounded(void **state) {
    (void)state;
    host_lookup *all[LOOKUPS_MAX], *more;
    name_server_mute(true);
    for (size_t i = 0; i < LOOKUPS_MAX; i++) assert_non_null(all[i] = host_lookup_begin("slow", "7001"));
    assert_null(host_lookup_begin("slow", "7001"));
    for (size_t i = 0; i < LOOKUPS_MAX; i++) host_lookup_free(&all[i]);
    assert_null(host_lookup_begin("slow", "7001"));
    name_server_mute(false);
    uint64_t end_ms = clock_ms() + SOON_MS;
    while (!(more = host_lookup_begin("slow", "7001")) && clock_ms() < end_ms) usleep(1000);
    assert_non_null(more);
    host_lookup_free(&more);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_ends_while_a_server_is_mute),    /* first: its child has no sockets of ours */
        cmocka_unit_test_setup_teardown(numbers_and_files_are_not_looked_up, prepare, finish),
        cmocka_unit_test_setup_teardown(a_name_is_all_of_its_addresses, prepare, finish),
        cmocka_unit_test_setup_teardown(addresses_come_and_go, prepare, finish),
        cmocka_unit_test_setup_teardown(a_name_that_is_gone_has_no_address, prepare, finish),
        cmocka_unit_test_setup_teardown(without_an_answer_the_addresses_stay, prepare, finish),
        cmocka_unit_test_setup_teardown(more_addresses_than_fit_are_left_out, prepare, finish),
        cmocka_unit_test_setup_teardown(a_mute_server_holds_up_nobody, prepare, finish),
        cmocka_unit_test_setup_teardown(lookups_are_bounded, prepare, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
