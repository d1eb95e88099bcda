/* Peers: what they read of one socket before all else has its turn, and that nobody is lost whose word lies unread.
 * All sides run on one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "logits.pb-c.h"
#include "proto/base/limits.h"
#include "tests/support/link/sides.h"
#include "tests/support/link/turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* ---- A turn ---- */

static size_t n_messages_before, most_in_a_turn;

/* The descriptor is always readable: called once in each turn. */
static void on_turn(void *unused) {
    (void)unused;
    size_t n = up.n_messages - n_messages_before;
    if (n > most_in_a_turn) most_in_a_turn = n;
    n_messages_before = up.n_messages;
}

/* Run until n messages came. Returns how many came in one turn, at most. */
static size_t most_of(size_t n) {
    int fd = eventfd(1, EFD_CLOEXEC);
    assert_true(fd >= 0);
    n_messages_before = up.n_messages, most_in_a_turn = 0;
    assert_int_equal(loop_add_reader(test_loop, fd, on_turn, NULL), 0);
    assert_true(all_arrive(n, &up));
    loop_remove_fd(test_loop, fd);
    close(fd);
    return most_in_a_turn;
}

enum { N = 12, LARGE_BYTES = 60 * 1024 };

static void send_up(size_t n_bytes) {
    for (uint64_t ticket = 1; ticket <= N; ticket++)
        assert_int_equal(side_send(&down, down.last, ticket, n_bytes), STATUS_OK);
    usleep(100 * 1000);         /* they lie in the socket */
}

static void a_turn_is_bounded_in_bytes(void **state) {
    (void)state;
    sides_open_joined(LIVENESS_PING);
    send_up(LARGE_BYTES);
    assert_in_range(most_of(N), 1, TURN_BYTES_MAX / LARGE_BYTES + 1);
    assert_true(up.in_order);   /* and what was left has woken the loop again */
}

static void a_turn_is_bounded_in_time(void **state) {
    (void)state;
    sides_open_joined(LIVENESS_PING);
    up.work_ms = TURN_MS_MAX + 1;
    send_up(0);
    assert_int_equal(most_of(N), 1);
    assert_true(up.in_order);
}

static void small_messages_share_a_turn(void **state) {
    (void)state;
    sides_open_joined(LIVENESS_PING);
    send_up(0);
    assert_in_range(most_of(N), 2, N);
}

/* ---- Silence, and what lies unread ---- */

enum { N_BUSY = 30 };

/* What others sent takes longer than anybody may be silent, and its word comes last. */
static void whose_word_lies_unread_is_not_silent(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    fake_peer busy[N_BUSY];
    size_t n_busy = PEERS_MAX - 1 < N_BUSY ? PEERS_MAX - 1 : N_BUSY;
    fake_peer quiet = fake;
    for (size_t i = 0; i < n_busy; i++) {
        fake_connects(HIGH_WATER_MESSAGES);
        fake.from = i + 1;
        fake_peer_say_hello(&fake, hello_beating(HEARTBEAT_MS_MAX));
        HEARS(HELLO);
        busy[i] = fake;
    }
    fake = quiet;
    fake_joined();
    up.work_ms = LIVENESS * BEAT_MS * 4 / (uint32_t)n_busy;
    Trivium__SampleRequest sample = TRIVIUM__SAMPLE_REQUEST__INIT;
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &sample;
    for (size_t i = 0; i < n_busy; i++) fake_peer_send(&busy[i], &m.base, NULL, 0);
    usleep(20 * 1000);
    fake_peer_say_heartbeat(&fake);
    assert_true(turns_until_count(test_loop, &up.n_messages, n_busy));
    assert_int_equal(up.n_left, 0);
    assert_true(becomes(up_left)); /* but now it is */
    assert_non_null(strstr(up.why, "silent"));
    assert_int_equal(up.n_left, 1);
    for (size_t i = 0; i < n_busy; i++) fake_peer_close(&busy[i]);
}

/* One that never lets the socket become empty, as long as it is in the loop. */
static fake_peer loud;
static bool is_loud;

static void be_loud(void *unused) {
    (void)unused;
    for (int i = 0; is_loud && i < 40; i++) fake_peer_say_heartbeat(&loud);
}

static void nobody_hides_after_one_who_never_stops(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    fake_peer_say_hello(&fake, hello_beating(HEARTBEAT_MS_MAX));
    HEARS(HELLO);
    loud = fake;
    fake_connects(HIGH_WATER_MESSAGES);
    fake.from = FAKE_INCARNATION + 1;
    fake_joined();
    is_loud = true;
    timer *louder = turns_every(test_loop, 1, be_loud, NULL);
    assert_true(becomes(up_left));
    assert_non_null(strstr(up.why, "silent"));
    fake_joined();
    peer_set_busy(up.last, true);
    fake_peer_close(&fake);
    assert_true(becomes(up_left));
    is_loud = false;
    loop_cancel(test_loop, louder);
    fake_peer_close(&loud);
}

/* ---- Losses beside those who send much ---- */

enum { N_SENDERS = 3, MUCH = 700, MUCH_WORK_MS = TURN_MS_MAX + 1 };

static fake_peer senders[N_SENDERS];

/* The fake joins beside some of which each has sent MUCH: in no turn of a long while is the socket empty. */
static void joined_beside_much(liveness_rule liveness) {
    up_with_fake(liveness);
    fake_peer_close(&fake);
    for (size_t i = 0; i < N_SENDERS; i++) {
        fake_connects(MUCH + 1);
        fake.from = FAKE_INCARNATION + 1 + i;
        fake_peer_say_hello(&fake, hello_beating(HEARTBEAT_MS_MAX));
        HEARS(HELLO);
        senders[i] = fake;
    }
    fake_connects(HIGH_WATER_MESSAGES);
    fake.from = FAKE_INCARNATION;
    fake_joined();
    Trivium__SampleRequest sample = TRIVIUM__SAMPLE_REQUEST__INIT;
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &sample;
    for (size_t i = 0; i < N_SENDERS * MUCH; i++) fake_peer_send(&senders[i % N_SENDERS], &m.base, NULL, 0);
    up.work_ms = MUCH_WORK_MS;
    assert_true(turns_until_count(test_loop, &up.n_messages, 1));
}

static void is_lost_before_half_is_read(const char *why) {
    assert_true(becomes(up_left));
    assert_non_null(strstr(up.why, why));
    assert_in_range(up.n_messages, 1, N_SENDERS * MUCH / 2);
    for (size_t i = 0; i < N_SENDERS; i++) fake_peer_close(&senders[i]);
}

/* Nothing is sent to it meanwhile, which would fail. */
static void a_broken_connection_is_seen_beside_much(void **state) {
    (void)state;
    joined_beside_much(LIVENESS_PING);
    peer_set_busy(up.last, true);
    fake_peer_close(&fake);
    is_lost_before_half_is_read("broke");
}

static void silence_is_heard_beside_much(void **state) {
    (void)state;
    joined_beside_much(LIVENESS_BOTH);
    is_lost_before_half_is_read("silent");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_turn_is_bounded_in_bytes),
        TEST(a_turn_is_bounded_in_time),
        TEST(small_messages_share_a_turn),
        TEST(whose_word_lies_unread_is_not_silent),
        TEST(nobody_hides_after_one_who_never_stops),
        TEST(a_broken_connection_is_seen_beside_much),
        TEST(silence_is_heard_beside_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
