/* Peers: whoever drains says so once to each, and all else goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "logits.pb-c.h"
#include "proto/base/limits.h"
#include "tests/support/link/sides.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static bool up_hears_of_it(void) { return up.n_draining > 0; }
static bool up_hears_of_it_twice(void) { return up.n_draining == 2; }
static bool down_hears_of_it(void) { return down.n_draining > 0; }
static bool down_joined_twice(void) { return down.n_joined == 2 && down.last; }

/* ---- heard ---- */

static void either_side_may_say_it(void **state) {
    (void)state;
    sides_open_joined(LIVENESS_BOTH);
    assert_int_equal(up.n_draining, 0);
    peers_drain(down.ps);
    assert_true(becomes(up_hears_of_it));
    assert_int_equal(down.n_draining, 0);
    peers_drain(up.ps);
    assert_true(becomes(down_hears_of_it));
    assert_int_equal(up.n_draining, 1);
}

static void all_else_goes_on(void **state) {
    (void)state;
    sides_open_joined(LIVENESS_BOTH);
    peers_drain(up.ps);
    peers_drain(down.ps);
    for (uint64_t ticket = 1; ticket <= 10; ticket++) {
        assert_int_equal(side_send(&up, up.last, ticket, 100), STATUS_OK);
        assert_int_equal(side_send(&down, down.last, ticket, 100), STATUS_OK);
    }
    assert_true(all_arrive(10, &up) && all_arrive(10, &down));
    assert_true(up.in_order && down.in_order);
    run_ms(2 * LIVENESS * BEAT_MS);
    assert_int_equal(up.n_left + down.n_left, 0);
}

static void what_is_said_twice_is_told_once(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    fake_joined();
    fake_peer_say_draining(&fake);
    fake_peer_say_draining(&fake);
    Trivium__SampleRequest sample = TRIVIUM__SAMPLE_REQUEST__INIT;
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    sample.ticket = 1;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &sample;
    fake_peer_send(&fake, &m.base, NULL, 0);
    assert_true(all_arrive(1, &up));
    assert_int_equal(up.n_draining, 1);
}

/* As with any other word: whoever is not joined is asked to, and nothing is kept of it. */
static void before_a_hello_it_says_nothing(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    fake_peer_say_draining(&fake);
    HEARS(SAY_HELLO);
    fake_joined();
    assert_int_equal(up.n_draining, 0);
}

static void a_word_to_another_incarnation_is_dropped(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    fake_joined();
    fake.to++;
    fake_peer_say_draining(&fake);
    fake.to--;
    fake_peer_say_heartbeat(&fake);
    run_ms(BEAT_MS);
    assert_int_equal(up.n_draining, 0);
}

static void whoever_joins_again_begins_anew(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    fake_joined();
    fake_peer_say_draining(&fake);
    assert_true(becomes(up_hears_of_it));
    fake_peer_say_leave(&fake);
    assert_true(becomes(up_left));
    fake_joined();
    fake_peer_say_draining(&fake);
    assert_true(becomes(up_hears_of_it_twice));
}

static void it_may_come_between_pieces(void **state) {
    (void)state;
    static const uint8_t block[100];
    up_with_fake(LIVENESS_BOTH);
    fake_joined();
    Trivium__SampleRequest sample = TRIVIUM__SAMPLE_REQUEST__INIT;
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    sample.ticket = 1;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &sample;
    fake_peer_begin(&fake, &m.base, &(uint64_t){sizeof block}, 1);
    fake_peer_say_draining(&fake);
    fake_peer_say_piece(&fake, 0, block, sizeof block);
    assert_true(all_arrive(1, &up));
    assert_int_equal(up.n_draining, 1);
}

/* ---- said ---- */

static void whoever_joins_later_hears_it_after_the_hello(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    peers_drain(up.ps);
    peers_drain(up.ps);         /* nothing new */
    up.greet = true;
    fake_peer_say_hello(&fake, hello_beating(HEARTBEAT_MS_MAX));
    HEARS(HELLO);
    HEARS(DRAINING);
    assert_int_equal(fake.n_passed_over, 1);    /* the greeting of our owner, which goes with the Hello */
    run_ms(2 * BEAT_MS);
    while (fake_peer_take(&fake)) assert_int_equal(fake.word, TRIVIUM__CONTROL__WORD_HEARTBEAT);
}

static void a_joining_side_says_it_after_each_hello(void **state) {
    (void)state;
    sides_prepare(LIVENESS_BOTH);
    side_open(&down, false);
    peers_drain(down.ps);       /* nobody is there yet */
    side_open(&up, true);
    assert_true(becomes(up_hears_of_it));
    peers_free(&up.ps);
    assert_true(becomes(down_left));
    up.n_draining = 0;
    up.last = NULL;
    side_open(&up, true);
    assert_true(becomes(down_joined_twice));
    assert_true(becomes(up_hears_of_it));
}

static void it_waits_its_turn(void **state) {
    (void)state;
    sides_open_joined(LIVENESS_BOTH);
    enum { N = TINY_LIMITS ? 24 : 100 };        /* more than ZeroMQ's queue holds, and no more than the outbox beside it */
    for (uint64_t ticket = 1; ticket <= N; ticket++) assert_int_equal(side_send(&up, up.last, ticket, 1 << 10), STATUS_OK);
    peers_drain(up.ps);
    assert_true(becomes(down_hears_of_it));
    assert_int_equal(down.n_messages, N);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(either_side_may_say_it),
        TEST(all_else_goes_on),
        TEST(what_is_said_twice_is_told_once),
        TEST(before_a_hello_it_says_nothing),
        TEST(a_word_to_another_incarnation_is_dropped),
        TEST(whoever_joins_again_begins_anew),
        TEST(it_may_come_between_pieces),
        TEST(whoever_joins_later_hears_it_after_the_hello),
        TEST(a_joining_side_says_it_after_each_hello),
        TEST(it_waits_its_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
