/* What text_link.h promises whoever waits: who is joined when, a word about the wait, and at its end a sentence that tells a name
 * without an address, a refused connection and silence from each other. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/lib/link/text_link.h"
#include "proto/base/limits.h"
#include "tests/support/link/place.h"
#include "tests/support/link/text_peer.h"
#include "tests/support/link/turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { WAIT_FOR_NOTICE_MS = 1500, SHORT_MS = 500, LONG_MS = 60000 };

static place where;
static loop *l;
static text_link *under_test;
static text_peer tokenizerd;

typedef struct heard {
    size_t n_waiting, n_joined, n_over, n_done;
    char waiting[ENDPOINT_BYTES_MAX * 2];
    failure why;
} heard;

static heard got;

static void on_waiting(void *context, const char *sentence) {
    heard *h = context;
    h->n_waiting++;
    snprintf(h->waiting, sizeof h->waiting, "%s", sentence);
}

static void on_joined(void *context) {
    ((heard *)context)->n_joined++;
}

static void on_lost(void *context) {
    (void)context;
}

static void on_done(void *context, const Trivium__Done *done) {
    (void)done;
    ((heard *)context)->n_done++;
}

static void on_over(void *context, const failure *why) {
    heard *h = context;
    h->n_over++;
    h->why = *why;
}

static void on_beat(void *context, Trivium__Heartbeat *beat) {
    (void)context;
    (void)beat;
}

static bool nothing_is(void *context) {
    (void)context;
    return false;
}

static const text_link_events events = {
    .waiting = on_waiting, .joined = on_joined, .under_way = nothing_is, .waits = nothing_is, .lost = on_lost, .over = on_over,
    .done = on_done, .beat = on_beat,
};

static int begin(void **state) {
    (void)state;
    place_make(&where);
    got = (heard){0};
    text_peer_init(&tokenizerd);
    l = loop_new();
    return l ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    text_link_free(&under_test);
    text_peer_clear(&tokenizerd);
    loop_free(&l);
    return place_remove(&where) ? 0 : -1;
}

static void wait_at(const char *const *endpoints, size_t n_endpoints, uint32_t wait_ms) {
    failure f;
    const text_link_options how = {.endpoints = endpoints, .n_endpoints = n_endpoints, .wait_ms = wait_ms, .has_own_wait = true,
                                   .insecure = true};
    under_test = text_link_new(l, &how, &events, &got, &f);
    assert_non_null(under_test);
}

static void wait_in_vain(const char *address) {
    wait_at(&address, 1, SHORT_MS);
    assert_true(turns_until_count(l, &got.n_over, 1));
    assert_int_equal(got.why.code, STATUS_NO_TOKENIZERD);
    assert_non_null(strstr(got.why.message, address));
}

/* A socket that listens on loopback and is never read, and its address. */
static int listen_silently(char address[ENDPOINT_BYTES_MAX]) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n_bytes = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n_bytes), 0);
    snprintf(address, ENDPOINT_BYTES_MAX, "tcp://127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
    return fd;
}

static void daemons_of_this_host_can_be_started(void **state) {
    (void)state;
    wait_in_vain(where.address);
    assert_non_null(strstr(got.why.message, "trivium up"));
    assert_non_null(strstr(got.why.message, "--endpoint or TRIVIUM_ENDPOINT"));
    assert_int_equal(got.n_waiting, 0);     /* the wait was over before */
}

static void a_refused_connection_is_told(void **state) {
    (void)state;
    char address[ENDPOINT_BYTES_MAX];
    close(listen_silently(address));
    wait_in_vain(address);
    assert_non_null(strstr(got.why.message, "refused"));
    assert_null(strstr(got.why.message, "trivium up"));
}

static void silence_is_told(void **state) {
    (void)state;
    char address[ENDPOINT_BYTES_MAX];
    int fd = listen_silently(address);
    wait_in_vain(address);
    close(fd);
    assert_non_null(strstr(got.why.message, "silence"));
    assert_null(strstr(got.why.message, "trivium up"));
}

static void each_endpoint_has_its_reason(void **state) {
    (void)state;
    char refusing[ENDPOINT_BYTES_MAX];
    close(listen_silently(refusing));
    const char *const endpoints[] = {refusing, where.address};
    wait_at(endpoints, 2, WAIT_FOR_NOTICE_MS);
    assert_true(turns_until_count(l, &got.n_over, 1));
    const char *first = strstr(got.why.message, "refused"), *second = strstr(got.why.message, where.address);
    assert_true(first && second && first < second);
    assert_non_null(strstr(second, "trivium up"));
}

static void a_wait_is_told_once(void **state) {
    (void)state;
    const char *address = where.address;
    wait_at(&address, 1, LONG_MS);
    assert_true(turns_until_count(l, &got.n_waiting, 1));
    assert_non_null(strstr(got.waiting, address));
    assert_non_null(strstr(got.waiting, "60 s"));
    text_peer_open(&tokenizerd, l, address);
    assert_true(turns_until_count(l, &got.n_joined, 1));
    assert_int_equal(got.n_waiting, 1);
    text_peer_close(&tokenizerd);
    assert_true(turns_until_count(l, &got.n_waiting, 2));       /* another wait */
    assert_non_null(strstr(got.waiting, address));
}

static void a_wait_that_nobody_asked_for_is_not_said(void **state) {
    (void)state;
    failure f;
    const char *address = where.address;
    under_test = text_link_new(l, &(text_link_options){.endpoints = &address, .n_endpoints = 1, .wait_ms = LONG_MS}, &events, &got, &f);
    assert_non_null(under_test);
    assert_int_equal(text_link_wait_ms(under_test), LONG_MS);
    assert_int_equal(text_link_wire_wait_ms(under_test), 0);
}

/* So slow that whatever timer is set meanwhile is due when it comes back. */
static bool is_joined_as_told(void *context) {
    usleep(2000);
    if (!tokenizerd.peers) text_peer_open(&tokenizerd, l, context);
    assert_int_equal(text_link_is_joined(under_test), got.n_joined > 0);
    return got.n_joined > 0;
}

static void it_is_joined_once_that_was_told(void **state) {
    (void)state;
    const char *address = where.address;
    wait_at(&address, 1, LONG_MS);
    assert_true(turns_until(l, is_joined_as_told, where.address));
}

static void says_waiting(const char *sentence) {
    Trivium__Waiting waiting = TRIVIUM__WAITING__INIT;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    waiting.message = (char *)sentence;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_WAITING;
    m.waiting = &waiting;
    text_peer_say(&tokenizerd, &m, NULL, 0);
}

static void says_done(void) {
    Trivium__Done done = TRIVIUM__DONE__INIT;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_DONE;
    m.done = &done;
    text_peer_say(&tokenizerd, &m, NULL, 0);
}

/* Several texts may wait for one daemon. */
static void what_tokenizerd_waits_for_is_told_once(void **state) {
    (void)state;
    const char *address = where.address;
    text_peer_open(&tokenizerd, l, address);
    wait_at(&address, 1, LONG_MS);
    assert_true(turns_until_count(l, &got.n_joined, 1));
    got.n_waiting = 0;          /* a slow machine may have told of the wait for the peer */
    says_waiting("waiting for\tit");
    says_waiting("waiting for\tit");
    says_waiting("");
    says_done();
    assert_true(turns_until_count(l, &got.n_done, 1));
    assert_int_equal(got.n_waiting, 1);
    assert_string_equal(got.waiting, "waiting for it");
    says_waiting("waiting for\tit");    /* again, after something went on */
    assert_true(turns_until_count(l, &got.n_waiting, 2));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(daemons_of_this_host_can_be_started),
        TEST(a_refused_connection_is_told),
        TEST(silence_is_told),
        TEST(each_endpoint_has_its_reason),
        TEST(a_wait_is_told_once),
        TEST(a_wait_that_nobody_asked_for_is_not_said),
        TEST(it_is_joined_once_that_was_told),
        TEST(what_tokenizerd_waits_for_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
