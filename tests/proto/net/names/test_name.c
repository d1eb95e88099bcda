/* Names of hosts: their addresses as they come and go, name servers that are slow, mute or say that there is nothing. The
 * C library's getaddrinfo is ours here. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <pthread.h>
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
#include "proto/net/names/name.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { SOON_MS = 60000 };

/* ---- the name server ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changes = PTHREAD_COND_INITIALIZER;
static const char *known[NAME_ADDRESSES_MAX + 44];  /* addresses of whatever is asked for */
static size_t n_known, n_questions;
static int code;
static bool is_mute;            /* but for "quick" */

static void serve(int what, size_t n, const char *const *addresses) {
    pthread_mutex_lock(&mutex);
    code = what;
    n_known = n;
    for (size_t i = 0; i < n; i++) known[i] = addresses[i];
    pthread_mutex_unlock(&mutex);
}

static void mute(bool whether) {
    pthread_mutex_lock(&mutex);
    is_mute = whether;
    pthread_cond_broadcast(&changes);
    pthread_mutex_unlock(&mutex);
}

static size_t questions(void) {
    pthread_mutex_lock(&mutex);
    size_t n = n_questions;
    pthread_mutex_unlock(&mutex);
    return n;
}

static struct addrinfo *make(const char *address) {
    struct addrinfo *a = calloc(1, sizeof *a + sizeof(struct sockaddr_in6));
    struct sockaddr_in *v4 = (struct sockaddr_in *)(a + 1);
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(a + 1);
    char host[64];
    strcpy(host, address);
    char *scope = strchr(host, '%');
    if (scope) *scope++ = 0;
    a->ai_addr = (struct sockaddr *)(a + 1);
    a->ai_family = strchr(host, ':') ? AF_INET6 : AF_INET;
    a->ai_addrlen = a->ai_family == AF_INET6 ? sizeof *v6 : sizeof *v4;
    a->ai_addr->sa_family = (sa_family_t)a->ai_family;
    int rc = a->ai_family == AF_INET6 ? inet_pton(AF_INET6, host, &v6->sin6_addr) : inet_pton(AF_INET, host, &v4->sin_addr);
    assert_int_equal(rc, 1);
    if (scope) v6->sin6_scope_id = if_nametoindex(scope);
    return a;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out) {
    assert_null(service);
    assert_int_equal(hints->ai_family, AF_UNSPEC);
    pthread_mutex_lock(&mutex);
    n_questions++;
    while (is_mute && strcmp(host, "quick") != 0) pthread_cond_wait(&changes, &mutex);
    struct addrinfo **end = out;
    *out = NULL;
    for (size_t i = 0; code == 0 && i < n_known; i++, end = &(*end)->ai_next) *end = make(known[i]);
    int rc = code;
    pthread_mutex_unlock(&mutex);
    return rc;
}

void freeaddrinfo(struct addrinfo *all) {
    while (all) {
        struct addrinfo *next = all->ai_next;
        free(all);
        all = next;
    }
}

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
    n_questions = n_changes = 0;
    mute(false);
    l = loop_new();
    return l ? 0 : -1;
}

static int finish(void **state) {
    (void)state;
    mute(false);
    loop_free(&l);
    return 0;
}

static name *follow(const char *endpoint) {
    name *n;
    assert_int_equal(name_new(&n, l, endpoint, on_changed, NULL, &f), STATUS_OK);
    return n;
}

static void stop(void *unused) {
    (void)unused;
    loop_stop(l);
}

/* Until the next change, at most so long. True: it came. */
static bool changes_within(uint32_t ms) {
    size_t before = n_changes;
    int timer = loop_once(l, ms, stop, NULL);
    loop_run(l);
    loop_cancel(l, timer);
    return n_changes > before;
}

static void assert_addresses(const name *n, size_t n_wanted, const char *const *wanted) {
    assert_int_equal(name_now(n), NAME_FOUND);
    assert_int_equal(name_n_addresses(n), n_wanted);
    for (size_t i = 0; i < n_wanted; i++) assert_string_equal(name_address(n, i), wanted[i]);
}

#define LIST(...) sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *), (const char *[]){__VA_ARGS__}

/* ---- tests ---- */

static void numbers_and_files_are_not_looked_up(void **state) {
    (void)state;
    static const char *const endpoints[] = {"ipc:///run/trivium/models", "tcp://10.0.0.1:7001", "tcp://[::1]:7001",
                                            "tcp://[fe80::2%lo]:7001"};
    mute(true);
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        assert_false(name_needed(endpoints[i]));
        name *n = follow(endpoints[i]);
        assert_addresses(n, LIST(endpoints[i]));
        name_ask(n);
        name_free(&n);
        assert_null(n);
    }
    assert_false(changes_within(10));
    assert_int_equal(questions(), 0);
    assert_true(name_needed("tcp://localhost:7001"));
    assert_true(name_needed("tcp://10-0-0-1.modelds:7001"));
}

static void a_name_is_all_of_its_addresses(void **state) {
    (void)state;
    serve(0, LIST("10.0.0.2", "fd00::2", "10.0.0.1", "fe80::2%lo", "10.0.0.2"));
    name *n = follow("tcp://modelds:7001");
    assert_int_equal(name_now(n), NAME_ASKED);
    assert_int_equal(name_n_addresses(n), 0);
    assert_true(changes_within(SOON_MS));
    assert_addresses(n, LIST("tcp://10.0.0.2:7001", "tcp://[fd00::2]:7001", "tcp://10.0.0.1:7001", "tcp://[fe80::2%lo]:7001"));
    assert_true(name_has(n, "tcp://10.0.0.1:7001"));
    assert_false(name_has(n, "tcp://10.0.0.1:7002"));
    name_free(&n);
}

/* In another order they are the same; at once when asked for, and by itself. */
static void addresses_come_and_go(void **state) {
    (void)state;
    serve(0, LIST("10.0.0.1", "10.0.0.2"));
    name *n = follow("tcp://modelds:7001");
    assert_true(changes_within(SOON_MS));
    serve(0, LIST("10.0.0.2", "10.0.0.1"));
    name_ask(n);
    name_ask(n);
    assert_false(changes_within(2 * NAME_ASK_MS_MIN));
    assert_int_equal(questions(), 2);
    serve(0, LIST("10.0.0.2", "10.0.0.3"));
    name_ask(n);
    assert_true(changes_within(SOON_MS));
    assert_addresses(n, LIST("tcp://10.0.0.2:7001", "tcp://10.0.0.3:7001"));
    serve(0, LIST("10.0.0.4"));
    assert_true(changes_within(SOON_MS));
    assert_addresses(n, LIST("tcp://10.0.0.4:7001"));
    name_free(&n);
}

static void a_name_that_is_gone_has_no_address(void **state) {
    (void)state;
    static const int none[] = {EAI_NONAME, EAI_NODATA};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        serve(0, LIST("10.0.0.1"));
        name *n = follow("tcp://modelds:7001");
        assert_true(changes_within(SOON_MS));
        serve(none[i], 0, NULL);
        name_ask(n);
        assert_true(changes_within(SOON_MS));
        assert_int_equal(name_now(n), NAME_NONE);
        assert_int_equal(name_n_addresses(n), 0);
        serve(0, LIST("10.0.0.2"));
        assert_true(changes_within(SOON_MS));
        assert_addresses(n, LIST("tcp://10.0.0.2:7001"));
        name_free(&n);
    }
}

/* What nobody answers is not gone. */
static void without_an_answer_the_addresses_stay(void **state) {
    (void)state;
    static const int failures[] = {EAI_AGAIN, EAI_FAIL, EAI_SYSTEM, EAI_MEMORY};
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        serve(failures[i], 0, NULL);
        name *n = follow("tcp://modelds:7001");
        assert_true(changes_within(SOON_MS));
        assert_int_equal(name_now(n), NAME_UNANSWERED);
        assert_int_equal(name_n_addresses(n), 0);
        serve(0, LIST("10.0.0.1"));
        assert_true(changes_within(SOON_MS));
        serve(failures[i], 0, NULL);
        name_ask(n);
        assert_true(changes_within(SOON_MS));
        assert_int_equal(name_now(n), NAME_UNANSWERED);
        assert_int_equal(name_n_addresses(n), 1);
        name_free(&n);
    }
}

static void more_addresses_than_fit_are_left_out(void **state) {
    (void)state;
    enum { N = sizeof known / sizeof *known };
    static char text[N][16];
    const char *all[N];
    for (size_t i = 0; i < N; i++) {
        snprintf(text[i], sizeof text[i], "10.0.%zu.%zu", i / 100, i % 100);
        all[i] = text[i];
    }
    serve(0, N, all);
    name *n = follow("tcp://modelds:7001");
    assert_true(changes_within(SOON_MS));
    assert_int_equal(name_n_addresses(n), NAME_ADDRESSES_MAX);
    assert_string_equal(name_address(n, 0), "tcp://10.0.0.0:7001");
    name_free(&n);
}

/* The loop goes on, and so do other names; whoever asked for the mute one may forget it. */
static void a_mute_server_holds_up_nobody(void **state) {
    (void)state;
    serve(0, LIST("10.0.0.1"));
    mute(true);
    name *mute_one = follow("tcp://slow:7001"), *forgotten = follow("tcp://forgotten:7001");
    assert_false(changes_within(10));
    name *quick = follow("tcp://quick:7001");
    assert_true(changes_within(SOON_MS));
    assert_addresses(quick, LIST("tcp://10.0.0.1:7001"));
    assert_int_equal(name_now(mute_one), NAME_ASKED);
    name_free(&forgotten);
    mute(false);
    assert_true(changes_within(SOON_MS));
    assert_addresses(mute_one, LIST("tcp://10.0.0.1:7001"));
    name_free(&mute_one);
    name_free(&quick);
}

static void a_process_ends_while_a_server_is_mute(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        mute(true);
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
    mute(true);
    for (size_t i = 0; i < LOOKUPS_MAX; i++) assert_non_null(all[i] = host_lookup_begin("slow", "7001"));
    assert_null(host_lookup_begin("slow", "7001"));
    for (size_t i = 0; i < LOOKUPS_MAX; i++) host_lookup_free(&all[i]);
    assert_null(host_lookup_begin("slow", "7001"));
    mute(false);
    uint64_t end_ms = clock_ms() + SOON_MS;
    while (!(more = host_lookup_begin("slow", "7001")) && clock_ms() < end_ms) usleep(1000);
    assert_non_null(more);
    host_lookup_free(&more);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_and_files_are_not_looked_up, prepare, finish),
        cmocka_unit_test_setup_teardown(a_name_is_all_of_its_addresses, prepare, finish),
        cmocka_unit_test_setup_teardown(addresses_come_and_go, prepare, finish),
        cmocka_unit_test_setup_teardown(a_name_that_is_gone_has_no_address, prepare, finish),
        cmocka_unit_test_setup_teardown(without_an_answer_the_addresses_stay, prepare, finish),
        cmocka_unit_test_setup_teardown(more_addresses_than_fit_are_left_out, prepare, finish),
        cmocka_unit_test_setup_teardown(a_mute_server_holds_up_nobody, prepare, finish),
        cmocka_unit_test_setup_teardown(a_process_ends_while_a_server_is_mute, prepare, finish),
        cmocka_unit_test_setup_teardown(lookups_are_bounded, prepare, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
