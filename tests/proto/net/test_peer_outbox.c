/* Peers: what waits for room, up to which bound, and which peer is cut when it is full. Both sides run on one loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "logits.pb-c.h"
#include "proto/base/limits.h"
#include "proto/net/outbox/transit.h"
#include "tests/support/link/sides.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* A queue of one message: what is more is not lost, only later; nor is its reader, who has no cause
 * to speak and cannot be asked. */
static void what_does_not_fit_the_queue_waits(void **state) {
    (void)state;
    sides_prepare(LIVENESS_PING);
    up.where.high_water = down.where.high_water = 1;
    sides_open();
    assert_true(becomes(both_joined));
    enum { N = OUTBOX_MESSAGES_MAX < 200 ? OUTBOX_MESSAGES_MAX : 200 };
    for (uint64_t ticket = 1; ticket <= N; ticket++)
        assert_int_equal(side_send(&up, up.last, ticket, 60000), STATUS_OK);
    assert_true(all_arrive(N, &down));
    assert_int_equal(down.n_messages, N);
    assert_true(down.in_order);
    assert_int_equal(up.n_left + down.n_left, 0);
}

/* After messages that wait for room an offer is dropped, however many there are; it neither passes
 * them, nor takes their room, nor costs the peer its place. */
static void what_is_offered_leaves_at_once_or_not_at_all(void **state) {
    (void)state;
    sides_prepare(LIVENESS_PING);
    up.where.high_water = down.where.high_water = 1;
    sides_open();
    assert_true(becomes(both_joined));
    assert_true(side_offer(&up, up.last, 1));
    assert_true(becomes(down_got_message));
    enum { N = OUTBOX_MESSAGES_MAX < 200 ? OUTBOX_MESSAGES_MAX : 200 };
    for (uint64_t ticket = 2; ticket <= N; ticket++)
        assert_int_equal(side_send(&up, up.last, ticket, 60000), STATUS_OK);
    for (int i = 0; i < 2 * OUTBOX_MESSAGES_MAX; i++) assert_false(side_offer(&up, up.last, 999));
    assert_true(all_arrive(N, &down));
    assert_int_equal(down.n_messages, N);
    assert_true(down.in_order);
    assert_int_equal(up.n_left + down.n_left, 0);
}

static void whoever_never_reads_is_cut(void **state) {
    (void)state;
    up_with_fake(LIVENESS_PING);
    Trivium__Hello hello = hello_beating(HEARTBEAT_MS_MAX);
    fake_peer_say_hello(&fake, hello);
    assert_true(becomes(up_joined));
    peer *p = up.last;
    uint64_t n_sent = 0;
    status st = STATUS_OK;
    while (st == STATUS_OK && n_sent < 1000000) st = side_send(&up, p, ++n_sent, 100);
    assert_int_equal(st, STATUS_BUSY);
    assert_in_range(n_sent, OUTBOX_MESSAGES_MAX, 999999);
    assert_int_equal(up.n_left, 0); /* not from within peers_send */
    assert_string_equal(peer_name(p), "fake");
    assert_null(peers_first(up.ps));
    assert_int_equal(side_send(&up, p, 1, 0), STATUS_BUSY);
    assert_true(becomes(up_left));
    assert_non_null(strstr(up.why, "read"));
}

/* Blocks of any size. */
static void sides_prepare_whole(void) {
    sides_prepare(LIVENESS_PING);
    up.options.sends_whole = down.options.sends_whole = true;
}

static void an_outbox_is_bounded_in_bytes(void **state) {
    (void)state;
    if (OUTBOX_BYTES_MAX > 8 << 20) skip(); /* `make tiny` has a small one */
    sides_prepare_whole();
    up.where.high_water = 1;
    side_open(&up, true);
    fake_connects(1);
    fake_peer_say_hello(&fake, hello_beating(BEAT_MS));
    assert_true(becomes(up_joined));
    static uint8_t block[OUTBOX_BYTES_MAX / 3];
    wire_raw raw = {block, sizeof block};
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    size_t n_sent = 0;
    while (n_sent < OUTBOX_MESSAGES_MAX &&
           peers_send(up.ps, up.last, &m.base, &raw, 1) == STATUS_OK)
        n_sent++;
    assert_in_range(n_sent, 1, OUTBOX_MESSAGES_MAX - 1); /* it was not their number */
}

static bool nothing_on_its_way(void) {
    return transits_bytes() == 0;
}

/* More than the system takes of a side that does not read. How many were sent. */
static size_t send_blocks(side *s, size_t n_max) {
    static uint8_t block[OUTBOX_BYTES_MAX / 6];
    wire_raw raw = {block, sizeof block};
    Trivium__SampleRequest sample = TRIVIUM__SAMPLE_REQUEST__INIT;
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &sample;
    size_t n_sent = 0;
    while (n_sent < n_max && peers_send(s->ps, s->last, &m.base, &raw, 1) == STATUS_OK) n_sent++;
    return n_sent;
}

/* The queue has room for them all, and its bytes count. */
static void what_is_on_its_way_is_bounded_in_bytes(void **state) {
    (void)state;
    sides_prepare_whole();
    side_open(&up, true);
    fake_connects(1);
    fake_peer_say_hello(&fake, hello_beating(BEAT_MS));
    assert_true(becomes(up_joined));
    assert_in_range(send_blocks(&up, HIGH_WATER_MESSAGES), 3, HIGH_WATER_MESSAGES - 1);  /* some may have left */
    assert_true(becomes(up_left));
    assert_non_null(strstr(up.why, "read"));
    assert_true(becomes(nothing_on_its_way));   /* though the other one neither reads nor goes */
}

static void a_joining_side_gives_back_what_is_not_read(void **state) {
    (void)state;
    sides_prepare_whole();
    up.where.high_water = 1;
    sides_open();
    assert_true(becomes(both_joined));
    assert_in_range(send_blocks(&down, HIGH_WATER_MESSAGES), 3, HIGH_WATER_MESSAGES - 1);
    assert_true(becomes(down_left));
    assert_non_null(strstr(down.why, "read"));
    assert_true(becomes(nothing_on_its_way));
    assert_true(becomes(both_joined));
}

/* True: something was on its way when it ended. */
static bool ends_before_what_it_sent(side *s) {
    sides_prepare_whole();
    up.where.high_water = down.where.high_water = 1;
    sides_open();
    assert_true(becomes(both_joined));
    assert_int_equal(send_blocks(s, 3), 3);
    bool some = transits_bytes() > 0;
    peers_free(&s->ps);
    assert_true(becomes(nothing_on_its_way));
    peers_free(&up.ps), peers_free(&down.ps);
    return some;
}

static void a_side_may_end_before_what_it_sent(void **state) {
    (void)state;
    enum { TRIES = 100 };       /* ZeroMQ's thread may be quicker than we are */
    int n = 0;
    while (n < TRIES && !ends_before_what_it_sent(&up)) n++;
    while (n < TRIES && !ends_before_what_it_sent(&down)) n++;
    assert_in_range(n, 0, TRIES - 1);
}

static void too_long_is_told_and_nothing_is_cut(void **state) {
    (void)state;
    sides_open_joined(LIVENESS_BOTH);
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    wire_raw raw = {&m, (size_t)RAW_BYTES_MAX + 1};
    assert_int_equal(peers_send(up.ps, up.last, &m.base, &raw, 1), STATUS_TOO_LONG);
    assert_null(m.control);
    run_ms(BEAT_MS);
    assert_int_equal(up.n_left + down.n_left, 0);
}

static void an_owner_may_cut_within_a_message(void **state) {
    (void)state;
    sides_open_joined(LIVENESS_BOTH);
    up.cut = true;
    for (uint64_t ticket = 1; ticket <= 3; ticket++) side_send(&down, down.last, ticket, 0);
    assert_true(becomes(down_left)); /* it is told, and joins again */
    assert_int_equal(up.n_left, 1);
    assert_string_equal(up.why, "enough");
    assert_int_equal(up.n_messages, 1); /* what came after the cut is not heard */
    assert_true(becomes(both_joined));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_does_not_fit_the_queue_waits),
        TEST(what_is_offered_leaves_at_once_or_not_at_all),
        TEST(whoever_never_reads_is_cut),
        TEST(an_outbox_is_bounded_in_bytes),
        TEST(what_is_on_its_way_is_bounded_in_bytes),
        TEST(a_joining_side_gives_back_what_is_not_read),
        TEST(a_side_may_end_before_what_it_sent),
        TEST(too_long_is_told_and_nothing_is_cut),
        TEST(an_owner_may_cut_within_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
