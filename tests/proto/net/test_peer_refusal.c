/* Peers: which of them are not let in, and what they are told. Both sides run on one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "logits.pb-c.h"
#include "proto/base/limits.h"
#include "tests/support/link/sides.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static bool up_said_no_thrice(void) { return up.n_joined > 2; }

static void an_owner_refuses_and_later_accepts(void **state) {
    (void)state;
    sides_prepare(LIVENESS_BOTH);
    sides_open();
    up.answer = STATUS_NAME_TAKEN;
    assert_true(becomes(down_refused));
    assert_int_equal(down.refused_code, TRIVIUM__CODE__NAME_TAKEN);
    assert_string_equal(down.said, "not you, joiner");
    assert_true(becomes(up_said_no_thrice)); /* Hello is said again … */
    assert_int_equal(down.n_refused, 1);  /* … and the same refusal is told once */
    assert_int_equal(up.n_left, 0);
    assert_null(peers_first(up.ps));
    up.answer = STATUS_OK;
    assert_true(becomes(both_joined));
}

static void a_joiner_may_refuse_too(void **state) {
    (void)state;
    sides_prepare(LIVENESS_BOTH);
    sides_open();
    down.answer = STATUS_UNSUPPORTED;
    assert_true(becomes(up_left));
    assert_string_equal(up.why, "not you, bound");
    assert_null(peers_first(down.ps));
    down.answer = STATUS_OK;
    up.n_left = 0;
    assert_true(becomes(both_joined));
}

/* Each side tells the other one its own version and the other's. */
static void says_both_versions(const char *sentence) {
    char ours[16];
    snprintf(ours, sizeof ours, "%d", PROTOCOL_VERSION_MAX);
    assert_non_null(strstr(sentence, "99"));
    assert_non_null(strstr(sentence, ours));
}

static void another_version_is_refused(void **state) {
    (void)state;
    Trivium__Hello hello = hello_beating(BEAT_MS);
    hello.version = 99;
    up_with_fake(LIVENESS_BOTH);
    fake_peer_say_hello(&fake, hello);
    HEARS(REFUSED);
    assert_int_equal(fake.control->refused->code, TRIVIUM__CODE__BAD_VERSION);
    says_both_versions(fake.control->refused->message);
    assert_int_equal(up.n_joined, 0);
}

static void a_joiner_refuses_another_version(void **state) {
    (void)state;
    Trivium__Hello hello = hello_beating(BEAT_MS);
    hello.version = 99;
    down_with_fake(LIVENESS_BOTH);
    fake_peer_say_hello(&fake, hello);
    assert_true(becomes(down_refused));
    assert_int_equal(down.refused_code, TRIVIUM__CODE__BAD_VERSION);
    says_both_versions(down.said);
    HEARS(REFUSED);
    assert_int_equal(down.n_joined, 0);
}

/* A build of the next version beside one of this: both speak this one. */
static void a_newer_peer_is_spoken_with_in_our_version(void **state) {
    (void)state;
    Trivium__Hello hello = hello_beating(BEAT_MS);
    hello.version = PROTOCOL_VERSION_MAX + 1;
    hello.version_oldest = PROTOCOL_VERSION_MAX;
    up_with_fake(LIVENESS_BOTH);
    fake_peer_say_hello(&fake, hello);
    HEARS(HELLO);
    assert_int_equal(peer_version(peers_first(up.ps)), PROTOCOL_VERSION_MAX);
}

/* A Hello that no peer would take is not said at all. */
static void our_own_hello_is_checked(void **state) {
    (void)state;
    failure f;
    peers *ps = (peers *)&f;
    side s = side_of("two\nlines", LIVENESS_BOTH);
    s.options.hello = &s.hello;
    s.options.incarnation = 1;
    assert_int_equal(peers_bind(&ps, test_loop, &s.where, &s.options, &f), STATUS_BAD_REQUEST);
    assert_null(ps);
    ps = (peers *)&f;
    assert_int_equal(peers_join(&ps, test_loop, &s.where, &s.options, &f), STATUS_BAD_REQUEST);
    assert_null(ps);
    s.hello.name = (char *)"fine";
    s.where.address = "nowhere";
    assert_int_equal(peers_join(&ps, test_loop, &s.where, &s.options, &f), STATUS_BAD_REQUEST);
    assert_null(ps);
}

static void hello_is_refused(Trivium__Hello hello) {
    fake_peer_say_hello(&fake, hello);
    HEARS(REFUSED);
}

static void names_are_checked(void **state) {
    (void)state;
    char long_name[NAME_BYTES_MAX + 2];
    memset(long_name, 'a', sizeof long_name);
    long_name[sizeof long_name - 1] = 0;
    char *const bad[] = {"\x1b[31mred", "two\nlines", "\xff", long_name};
    up_with_fake(LIVENESS_BOTH);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Trivium__Hello hello = hello_beating(BEAT_MS);
        hello.name = bad[i];
        hello_is_refused(hello);
        hello = hello_beating(BEAT_MS);
        Trivium__SamplerOffer offer = TRIVIUM__SAMPLER_OFFER__INIT;
        offer.pool = bad[i];
        hello.sampler = &offer;
        hello_is_refused(hello);
        hello = hello_beating(BEAT_MS);
        Trivium__DefaultModel word = TRIVIUM__DEFAULT_MODEL__INIT;
        word.name = bad[i];
        hello.default_model = &word;
        hello_is_refused(hello);
    }
    assert_int_equal(up.n_joined, 0);
    long_name[NAME_BYTES_MAX] = 0;
    Trivium__Hello hello = hello_beating(BEAT_MS);
    hello.name = long_name;
    fake_peer_say_hello(&fake, hello);
    HEARS(HELLO);
}

/* With the tables of `make tiny`; the real table would need a thousand sockets. */
static void a_full_table_refuses(void **state) {
    (void)state;
    if (PEERS_MAX > 64) skip();
    side joiners[PEERS_MAX];
    up = side_of("bound", LIVENESS_BOTH);
    side_open(&up, true);
    for (size_t i = 0; i < PEERS_MAX; i++) {
        up.last = NULL;
        joiners[i] = side_of("one of many", LIVENESS_BOTH);
        side_open(&joiners[i], false);
        assert_true(becomes(up_joined));
    }
    down = side_of("joiner", LIVENESS_BOTH);
    side_open(&down, false);
    assert_true(becomes(down_refused));
    assert_int_equal(down.refused_code, TRIVIUM__CODE__BUSY);
    peers_free(&joiners[0].ps);
    up.last = NULL;
    assert_true(becomes(both_joined));
    for (size_t i = 1; i < PEERS_MAX; i++) peers_free(&joiners[i].ps);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_owner_refuses_and_later_accepts),
        TEST(a_joiner_may_refuse_too),
        TEST(another_version_is_refused),
        TEST(a_joiner_refuses_another_version),
        TEST(a_newer_peer_is_spoken_with_in_our_version),
        TEST(our_own_hello_is_checked),
        TEST(names_are_checked),
        TEST(a_full_table_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
