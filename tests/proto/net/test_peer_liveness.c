/* Peers: one that has fallen silent is lost, one that may be silent is not, and a connection that breaks is
 * noticed. Both sides run on one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "tests/support/link/sides.h"
#include "tests/support/link/turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* ---- Both sides speak all the time ---- */

static void a_silent_joiner_is_lost(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    fake_joined();
    uint64_t start_ms = clock_ms();
    assert_true(becomes(up_left));
    assert_in_range(clock_ms() - start_ms, (LIVENESS - 1) * BEAT_MS, SOON_MS);
    assert_non_null(strstr(up.why, "silent"));
    HEARS(LEAVE);
    fake_peer_say_heartbeat(&fake); /* it was only slow */
    HEARS(SAY_HELLO);
}

static void a_silent_daemon_is_lost(void **state) {
    (void)state;
    down_with_fake(LIVENESS_BOTH);
    fake_peer_say_hello(&fake, hello_beating(BEAT_MS));
    assert_true(becomes(down_left));
    assert_non_null(strstr(down.why, "silent"));
    HEARS(LEAVE); /* first: so that it can tell the next Hello from a repeated one */
    HEARS(HELLO);
}

static void each_side_is_measured_by_its_own_interval(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    fake_peer_say_hello(&fake, hello_beating(10 * BEAT_MS));
    HEARS(HELLO);
    run_ms(2 * LIVENESS * BEAT_MS);
    assert_int_equal(up.n_left, 0);
}

static void sleep_long(void *unused) {
    (void)unused;
    usleep(12 * BEAT_MS * 1000);
}

/* A process that was stopped, or computed, for long has heard nobody: its own fault. */
static void a_late_loop_loses_nobody(void **state) {
    (void)state;
    sides_open_joined(LIVENESS_BOTH);
    for (int i = 0; i < 3; i++) {
        turns_once(test_loop, 5, sleep_long, NULL);
        run_ms(BEAT_MS);
    }
    assert_int_equal(up.n_left + down.n_left, 0);
}

/* ---- The logits link: a sampler that is idle is asked ---- */

static void an_idle_sampler_is_pinged(void **state) {
    (void)state;
    up_with_fake(LIVENESS_PING);
    fake_joined();
    for (int i = 0; i < 6; i++) {
        HEARS(HEARTBEAT);
        fake_peer_say_heartbeat(&fake);
    }
    assert_int_equal(up.n_left, 0);
    assert_true(becomes(up_left)); /* no answer any more */
    assert_non_null(strstr(up.why, "silent"));
}

static void a_busy_sampler_may_be_silent(void **state) {
    (void)state;
    up_with_fake(LIVENESS_PING);
    fake_joined();
    peer_set_busy(up.last, true);
    run_ms(4 * LIVENESS * BEAT_MS);
    assert_int_equal(up.n_left, 0);
    assert_false(fake_peer_take(&fake));    /* nor was it asked */
    peer_set_busy(up.last, false); /* from now on its silence counts */
    uint64_t start_ms = clock_ms();
    assert_true(becomes(up_left));
    assert_in_range(clock_ms() - start_ms, (LIVENESS - 1) * BEAT_MS, SOON_MS);
}

/* Pings that may go unanswered as long as a busy machine needs, and enough of them to outlast that. */
enum { PATIENT_BEAT_MS = 5 * BEAT_MS, PINGS = LIVENESS * PATIENT_BEAT_MS / BEAT_MS + 5 };

static bool down_beat_often(void) { return down.n_beats >= PINGS; }

static void a_joiner_answers_pings_and_lives(void **state) {
    (void)state;
    sides_prepare(LIVENESS_PING);
    side_reports(&up);
    side_reports(&down);
    down.options.heartbeat_ms = PATIENT_BEAT_MS;
    sides_open();
    assert_true(becomes(both_joined));
    assert_true(becomes(down_beat_often));
    assert_int_equal(up.n_left, 0);
    assert_in_range(down.n_beats, PINGS, up.n_beats);   /* one for each ping, none of its own accord */
}

/* ---- Connections that break ---- */

static bool up_has_one(void) { return up.n_left + 1 == up.n_joined; }

static void a_killed_daemon_is_found_out_by_its_connection(void **state) {
    (void)state;
    down_with_fake(LIVENESS_PING);
    Trivium__Hello hello = hello_beating(HEARTBEAT_MS_MAX); /* its silence would not be noticed for minutes */
    fake_peer_say_hello(&fake, hello);
    assert_true(becomes(down_joined));
    run_ms(4 * BEAT_MS);
    assert_int_equal(down.n_joined, 1);
    assert_int_equal(down.n_left, 0);
    fake_peer_close(&fake);
    assert_true(becomes(down_left));
    assert_string_equal(down.why, "the connection broke");
}

/* Nothing is sent to one that is busy, and it need not speak: only its connection tells. */
static void a_killed_peer_is_found_out_by_its_connection(void **state) {
    (void)state;
    up_with_fake(LIVENESS_PING);
    fake_joined();
    peer_set_busy(up.last, true);
    fake_peer_close(&fake);
    assert_true(becomes(up_left));
    assert_string_equal(up.why, "the connection broke");
}

/* Others keep theirs, also one that comes at once and may get the descriptor of the one that broke. */
static void one_that_comes_after_a_killed_one_stays(void **state) {
    (void)state;
    up_with_fake(LIVENESS_PING);
    for (uint64_t from = 1; from <= 20; from++) {
        fake_peer_close(&fake);
        fake_connects(HIGH_WATER_MESSAGES);
        fake.from = from;
        fake_joined();
        peer_set_busy(up.last, true);
        assert_true(becomes(up_has_one));
        assert_int_equal(peer_incarnation(up.last), from);
    }
}

/* Nothing is read until all of it has come: a Leave, the end of that connection, and a Hello over one that may have
 * its descriptor. */
static void one_that_comes_after_one_that_left_stays(void **state) {
    (void)state;
    enum { COMES_US = 5000 };
    up_with_fake(LIVENESS_PING);
    fake_joined();
    for (uint64_t from = 1; from <= 20; from++) {
        fake_peer_say_leave(&fake);
        usleep(COMES_US);
        fake_peer_close(&fake);
        usleep(COMES_US);
        fake_connects(HIGH_WATER_MESSAGES);
        fake.from = from;
        fake_peer_say_hello(&fake, hello_beating(BEAT_MS));
        usleep(COMES_US);
        HEARS(HELLO);
        peer_set_busy(up.last, true);
        run_ms(BEAT_MS);
        assert_true(becomes(up_has_one));
        assert_int_equal(peer_incarnation(up.last), from);
    }
}

/* ---- What is said of one that left ---- */

/* What it is sent after that cannot reach it any more. */
static void one_that_left_has_not_broken_its_connection(void **state) {
    (void)state;
    enum { GOES_US = 100 * 1000 };
    up_with_fake(LIVENESS_PING);
    fake_joined();
    fake_peer_say_leave(&fake);
    usleep(GOES_US);
    fake_peer_close(&fake);
    usleep(GOES_US);
    side_send(&up, up.last, 1, 0);
    assert_true(becomes(up_left));
    assert_string_equal(up.why, "it left");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_silent_joiner_is_lost),
        TEST(a_silent_daemon_is_lost),
        TEST(each_side_is_measured_by_its_own_interval),
        TEST(a_late_loop_loses_nobody),
        TEST(an_idle_sampler_is_pinged),
        TEST(a_busy_sampler_may_be_silent),
        TEST(a_joiner_answers_pings_and_lives),
        TEST(a_killed_daemon_is_found_out_by_its_connection),
        TEST(a_killed_peer_is_found_out_by_its_connection),
        TEST(one_that_comes_after_a_killed_one_stays),
        TEST(one_that_comes_after_one_that_left_stays),
        TEST(one_that_left_has_not_broken_its_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
