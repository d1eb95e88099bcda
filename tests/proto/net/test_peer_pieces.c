/* Peers: what is larger than a message goes in pieces, and comes whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "logits.pb-c.h"
#include "proto/base/limits.h"
#include "proto/net/pieces/pieces.h"
#include "tests/support/link/sides.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* What any frame holds at a place. */
static uint8_t byte_at(size_t frame, size_t i) {
    return (uint8_t)(i * 31 + i / 257 + frame * 7);
}

static uint8_t *frame_of(size_t frame, size_t n_bytes) {
    uint8_t *bytes = malloc(n_bytes + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < n_bytes; i++) bytes[i] = byte_at(frame, i);
    return bytes;
}

static size_t n_raw_seen, n_bytes_seen[RAW_FRAMES_MAX];

static void look(const wire_message *m) {
    n_raw_seen = m->n_raw;
    for (size_t frame = 0; frame < m->n_raw; frame++) {
        const uint8_t *bytes = m->raw[frame].bytes;
        n_bytes_seen[frame] = m->raw[frame].n_bytes;
        assert_int_equal((uintptr_t)bytes % 8, 0);
        for (size_t i = 0; i < m->raw[frame].n_bytes; i++)
            if (bytes[i] != byte_at(frame, i)) fail_msg("byte %zu of frame %zu is another one", i, frame);
    }
}

static Trivium__LogitsRequest message(uint64_t ticket) {
    static Trivium__SampleRequest sample;
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    sample = (Trivium__SampleRequest)TRIVIUM__SAMPLE_REQUEST__INIT;
    sample.ticket = ticket;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &sample;
    return m;
}

static void send_frames(uint64_t ticket, size_t n_raw, const size_t n_bytes[]) {
    wire_raw raw[RAW_FRAMES_MAX] = {{0}};
    Trivium__LogitsRequest m = message(ticket);
    for (size_t i = 0; i < n_raw; i++) raw[i] = (wire_raw){frame_of(i, n_bytes[i]), n_bytes[i]};
    assert_int_equal(peers_send(down.ps, down.last, &m.base, raw, n_raw), STATUS_OK);
    for (size_t i = 0; i < n_raw; i++) free((void *)raw[i].bytes);
}

/* Neither is lost for a machine that is slow. */
static void both_join(void) {
    sides_prepare(LIVENESS_BOTH);
    up.options.heartbeat_ms = down.options.heartbeat_ms = 20 * BEAT_MS;
    sides_open();
    assert_true(becomes(both_joined));
}

/* Each message that comes is a sign of life: none takes long on a narrow road. */
static void no_message_is_much_larger_than_a_piece(void **state) {
    (void)state;
    static const uint8_t bytes[RAWS_BYTES_MAX + 1];
    const wire_raw most = {bytes, SENT_PIECE_BYTES < RAWS_BYTES_MAX ? SENT_PIECE_BYTES : RAWS_BYTES_MAX};
    const wire_raw frames[] = {{bytes, most.n_bytes + 1}, {bytes, 1}};
    assert_false(pieces_needed(&most, 1));
    assert_true(pieces_needed(frames, 1));
    pieces_cut cut = {.raw = frames, .n_raw = 2};
    wire_raw piece;
    size_t n_bytes = 0;
    for (; pieces_next(&cut, &piece); n_bytes += piece.n_bytes) assert_in_range(piece.n_bytes, 1, SENT_PIECE_BYTES);
    assert_int_equal(n_bytes, most.n_bytes + 2);
}

static void frames_of_any_size_come_as_they_were(void **state) {
    (void)state;
    static const size_t cases[][2] = {
        {SENT_PIECE_BYTES, 0}, {SENT_PIECE_BYTES + 1, 0}, {RAWS_BYTES_MAX + 1, 0}, {0, RAWS_BYTES_MAX + 1}, {RAWS_BYTES_MAX, 1},
        {PIECE_BYTES_MAX, 0}, {PIECE_BYTES_MAX, PIECE_BYTES_MAX}, {PIECE_BYTES_MAX + 1, PIECE_BYTES_MAX - 1},
        {3 * PIECE_BYTES_MAX + 5, 7}, {7, 2 * PIECE_BYTES_MAX}, {OUTBOX_BYTES_MAX / 5, OUTBOX_BYTES_MAX / 9},
    };
    enum { N = sizeof cases / sizeof *cases };
    both_join();
    up.look = look;
    for (uint64_t i = 0; i < N; i++) {
        send_frames(i + 1, 2, cases[i]);
        assert_true(all_arrive(i + 1, &up));
        assert_int_equal(n_raw_seen, 2);
        assert_int_equal(n_bytes_seen[0], cases[i][0]);
        assert_int_equal(n_bytes_seen[1], cases[i][1]);
    }
    const size_t n_largest = OUTBOX_BYTES_MAX < RAW_BYTES_MAX ? OUTBOX_BYTES_MAX / 2 : RAW_BYTES_MAX;
    send_frames(N + 1, 1, (size_t[]){n_largest});
    assert_true(all_arrive(N + 1, &up));
    assert_int_equal(n_bytes_seen[0], n_largest);
    assert_true(up.in_order);
}

static void messages_keep_their_order(void **state) {
    (void)state;
    enum { N = 12 };
    both_join();
    up.look = look;
    for (uint64_t ticket = 1; ticket <= N; ticket++)
        send_frames(ticket, 1, (size_t[]){ticket % 3 == 0 ? 1 << 20 : ticket});
    assert_true(all_arrive(N, &up));
    assert_true(up.in_order);
    assert_int_equal(up.n_left + down.n_left, 0);
}

static void a_frame_that_is_too_large_is_not_sent(void **state) {
    (void)state;
    both_join();
    Trivium__LogitsRequest m = message(1);
    const wire_raw raw = {"", (size_t)RAW_BYTES_MAX + 1};
    assert_int_equal(peers_send(down.ps, down.last, &m.base, &raw, 1), STATUS_TOO_LONG);
    send_frames(1, 0, NULL);
    assert_true(all_arrive(1, &up));
}

/* ---- a peer that does it wrong ---- */

/* Hello, also said again, is answered after all that was said before it. Whoever says it may be silent. */
static void says_hello(void) {
    fake_peer_say_hello(&fake, hello_beating(HEARTBEAT_MS_MAX));
    HEARS(HELLO);
}

static const void *block(void) {
    static uint8_t bytes[PIECE_BYTES_MAX + 1];
    return bytes;
}

static void fake_begins(uint64_t ticket, uint64_t n_bytes) {
    Trivium__LogitsRequest m = message(ticket);
    fake_peer_begin(&fake, &m.base, &n_bytes, 1);
}

/* The frame has come, and is to come. */
static void fake_begins_with_a_frame(uint64_t ticket) {
    uint8_t packed[256];
    uint64_t n_bytes = 1;
    Trivium__LogitsRequest m = message(ticket);
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    control.from = fake.from;
    control.to = fake.to;
    control.more = &n_bytes;
    control.n_more = 1;
    m.control = &control;
    const wire_raw frames[] = {{packed, trivium__logits_request__pack(&m, packed)}, {"x", 1}};
    fake_peer_send_frames(&fake, frames, 2);
}

/* More than there may be. */
static void fake_begins_with_three_frames(uint64_t ticket) {
    Trivium__LogitsRequest m = message(ticket);
    fake_peer_begin(&fake, &m.base, (uint64_t[]){1, 2, 3}, 3);
}

static size_t n_wanted;
static bool told_so_often(void) { return up.n_never_whole == n_wanted; }

static void is_never_whole(uint64_t ticket, status why) {
    n_wanted++;
    assert_true(becomes(told_so_often));
    assert_int_equal(up.never_whole, ticket);
    assert_int_equal(up.never_whole_why, why);
}

/* Whatever went wrong, the next message is taken. */
static void is_taken_afterwards(void) {
    static const uint8_t ones[3] = {0};
    Trivium__LogitsRequest m = message(++up.ticket);
    size_t n = up.n_messages;
    up.ticket--;
    fake_peer_send(&fake, &m.base, &(wire_raw){ones, sizeof ones}, 1);
    assert_true(all_arrive(n + 1, &up));
}

static void what_is_out_of_order_is_told_once(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    says_hello();
    n_wanted = 0;
    fake_peer_say_piece(&fake, 0, block(), 10);         /* of nothing: passed over */
    fake_begins(5, PIECE_BYTES_MAX + 10);
    fake_peer_say_piece(&fake, 1, block(), 10);         /* the first is missing */
    fake_peer_say_piece(&fake, 0, block(), 10);         /* it is too late for that */
    is_never_whole(5, STATUS_BAD_MESSAGE);
    is_taken_afterwards();
    fake_begins(6, PIECE_BYTES_MAX + 10);
    fake_peer_say_piece(&fake, 0, block(), PIECE_BYTES_MAX);
    fake_peer_say_piece(&fake, 0, block(), 10);         /* twice */
    is_never_whole(6, STATUS_BAD_MESSAGE);
    fake_begins(7, PIECE_BYTES_MAX + 10);
    fake_peer_say_piece(&fake, 0, block(), PIECE_BYTES_MAX);
    fake_peer_say_piece(&fake, 1, block(), 11);         /* more than was said */
    is_never_whole(7, STATUS_BAD_MESSAGE);
    fake_begins(8, PIECE_BYTES_MAX + 10);
    fake_peer_say_piece(&fake, 0, block(), PIECE_BYTES_MAX + 1);        /* a piece that is too large */
    is_never_whole(8, STATUS_BAD_MESSAGE);
    fake_begins(9, PIECE_BYTES_MAX + 10);
    fake_peer_say_piece(&fake, 0, block(), 0);          /* an empty one */
    is_never_whole(9, STATUS_BAD_MESSAGE);
    is_taken_afterwards();
    assert_int_equal(up.n_left, 0);
}

static void what_never_ends_is_told_when_another_message_comes(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    says_hello();
    n_wanted = 0;
    fake_begins(5, PIECE_BYTES_MAX + 10);
    fake_peer_say_piece(&fake, 0, block(), PIECE_BYTES_MAX);
    fake_peer_say_heartbeat(&fake);                     /* this may come between */
    is_taken_afterwards();
    is_never_whole(5, STATUS_BAD_MESSAGE);
    fake_begins(6, PIECE_BYTES_MAX + 10);
    fake_begins(7, 10);
    is_never_whole(6, STATUS_BAD_MESSAGE);
    size_t n = up.n_messages;
    fake_peer_say_piece(&fake, 0, block(), 10);
    assert_true(all_arrive(n + 1, &up));
}

static void headers_that_say_nonsense_are_refused(void **state) {
    (void)state;
    up_with_fake(LIVENESS_BOTH);
    says_hello();
    n_wanted = 0;
    fake_begins(5, (uint64_t)RAW_BYTES_MAX + 1);
    is_never_whole(5, STATUS_TOO_LONG);
    fake_begins(6, UINT64_MAX);
    is_never_whole(6, STATUS_TOO_LONG);
    fake_begins_with_a_frame(7);
    is_never_whole(7, STATUS_BAD_MESSAGE);
    fake_begins_with_three_frames(8);
    is_never_whole(8, STATUS_BAD_MESSAGE);
    fake_peer_say_piece(&fake, 0, block(), 10);         /* of what was refused: passed over */
    is_taken_afterwards();
    assert_int_equal(up.n_never_whole, 4);
    size_t n = up.n_messages;
    fake_begins(up.ticket + 1, 0);                      /* an empty frame needs no piece */
    assert_true(all_arrive(n + 1, &up));
}

/* ---- memory is there for all peers of the process together ---- */

enum {
    N_PIECES = RAW_BYTES_MAX / PIECE_BYTES_MAX,                     /* of the largest message */
    N_OTHERS = PIECES_BYTES_MAX / RAW_BYTES_MAX + 1,                /* none of them sends all of it */
    N_ALL = PIECES_BYTES_MAX / PIECE_BYTES_MAX - 1,                 /* headers take less than one piece */
};
static fake_peer others[N_OTHERS];

static void another_joins(size_t i) {
    fake = (fake_peer){0};
    fake_connects(HIGH_WATER_MESSAGES);
    fake.from = FAKE_INCARNATION + 1 + i;
    says_hello();
}

static void others_are_heard(void) {
    fake_peer first = fake;
    for (size_t i = 0; i < N_OTHERS; i++) {
        fake = others[i];
        says_hello();
        others[i] = fake;
    }
    fake = first;
}

/* Others begin messages that are never whole, of n pieces in all, which come faster than they must. */
static void others_send(size_t n) {
    enum { AT_ONCE = HIGH_WATER_MESSAGES / 2 };
    fake_peer first = fake;
    for (size_t i = 0; i < N_OTHERS; i++) {
        another_joins(i);
        others[i] = fake;
    }
    for (size_t i = 0; i < N_OTHERS; i++) {
        Trivium__LogitsRequest m = message(10 + i);
        fake_peer_begin(&others[i], &m.base, (uint64_t[]){RAW_BYTES_MAX, 1}, 2);
    }
    for (uint32_t k = 0; k < N_PIECES; k++) {
        for (size_t i = 0; i < N_OTHERS && n > 0; i++, n--) fake_peer_say_piece(&others[i], k, block(), PIECE_BYTES_MAX);
        if (k % AT_ONCE == 0) others_are_heard();
    }
    fake = first;
    others_are_heard();
    assert_int_equal(up.n_never_whole, 0);
}

static void others_leave(void) {
    for (size_t i = 0; i < N_OTHERS; i++) fake_peer_close(&others[i]);
    assert_true(becomes(up_left));
    run_ms(2 * BEAT_MS);
}

static void one_piece_is_taken(void) {
    size_t n = up.n_messages;
    fake_begins(up.ticket + 1, PIECE_BYTES_MAX);
    fake_peer_say_piece(&fake, 0, block(), PIECE_BYTES_MAX);
    assert_true(all_arrive(n + 1, &up));
}

/* Headers included: but for them, one piece more would fit. There is room again when the others have gone. */
static void past_the_budget_they_are_busy(void **state) {
    (void)state;
    if (PIECES_STILL_MS < 1000) skip();     /* `make tiny`: they would be told before */
    up_with_fake(LIVENESS_BOTH);
    says_hello();
    n_wanted = 0;
    others_send(N_ALL);
    fake_begins(5, PIECE_BYTES_MAX);
    fake_peer_say_piece(&fake, 0, block(), PIECE_BYTES_MAX);
    is_never_whole(5, STATUS_BUSY);
    others_leave();
    one_piece_is_taken();
}

/* They may be slow, as long as nobody needs their room. */
static void the_slow_make_room_for_others(void **state) {
    (void)state;
    if (PIECES_STILL_MS < 1000) skip();     /* as above */
    up_with_fake(LIVENESS_BOTH);
    says_hello();
    n_wanted = 0;
    others_send(N_ALL - 1);
    fake_begins(5, 2 * PIECE_BYTES_MAX);
    fake_peer_say_piece(&fake, 0, block(), PIECE_BYTES_MAX);
    says_hello();
    run_ms(PIECES_SLACK_MS + PIECE_BYTES_MAX / PIECES_BYTES_A_MS);
    fake_peer slow = fake;
    another_joins(N_OTHERS);
    one_piece_is_taken();
    is_never_whole(5, STATUS_BUSY);
    fake_peer_close(&fake);
    fake = slow;
    fake_peer_say_piece(&fake, 1, block(), PIECE_BYTES_MAX);        /* of what gave way: passed over */
    is_taken_afterwards();
    assert_int_equal(up.n_never_whole, 1);
    others_leave();
}

static void whoever_stands_still_is_told(void **state) {
    (void)state;
    if (PIECES_STILL_MS > 1000) skip();     /* `make tiny` waits for less */
    up_with_fake(LIVENESS_BOTH);
    says_hello();
    n_wanted = 0;
    fake_begins(5, 20);
    fake_peer_say_piece(&fake, 0, block(), 10);
    is_never_whole(5, STATUS_TIMEOUT);
    is_taken_afterwards();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_message_is_much_larger_than_a_piece),
        TEST(frames_of_any_size_come_as_they_were),
        TEST(messages_keep_their_order),
        TEST(a_frame_that_is_too_large_is_not_sent),
        TEST(what_is_out_of_order_is_told_once),
        TEST(what_never_ends_is_told_when_another_message_comes),
        TEST(headers_that_say_nonsense_are_refused),
        TEST(past_the_budget_they_are_busy),
        TEST(the_slow_make_room_for_others),
        TEST(whoever_stands_still_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
