/* Outboxes: what one holds at most, waiting and on its way, and which one is overrun where all of them together hold too
 * much. A way is a pair of sockets within the process: what is sent stays on it until it is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

#include "common.pb-c.h"
#include "proto/base/limits.h"
#include "proto/net/outbox/outbox.h"
#include "tests/support/link/turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { BLOCK_BYTES = OUTBOXES_BYTES_MAX / 8 };

static outbox *a, *b, *c;
static void *zmq, *near, *far;

/* At most so many messages are on the way. */
static void way_open(int high_water) {
    zmq = zmq_ctx_new();
    near = zmq_socket(zmq, ZMQ_PAIR), far = zmq_socket(zmq, ZMQ_PAIR);
    int linger = 0, half = high_water / 2, rest = high_water - half;
    zmq_setsockopt(near, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(near, ZMQ_SNDHWM, &half, sizeof half);
    zmq_setsockopt(far, ZMQ_RCVHWM, &rest, sizeof rest);
    assert_int_equal(zmq_bind(far, "inproc://way"), 0);
    assert_int_equal(zmq_connect(near, "inproc://way"), 0);
}

static void way_close(void) {
    zmq_close(near), zmq_close(far);
    zmq_ctx_term(zmq);
}

static int begin(void **state) {
    (void)state;
    way_open(100);
    a = outbox_new(true), b = outbox_new(true), c = outbox_new(true);
    return a && b && c ? 0 : -1;
}

/* What is on its way comes back after its outbox. */
static int end(void **state) {
    (void)state;
    outbox_free(&a), outbox_free(&b), outbox_free(&c);
    way_close();
    return outboxes_quiet() && transits_bytes() == 0 ? 0 : -1;
}

static bool read_one_frame(void) {
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    bool there = zmq_msg_recv(&frame, far, ZMQ_DONTWAIT) >= 0;
    zmq_msg_close(&frame);
    return there;
}

static void read_all(void) {
    while (read_one_frame()) {}
}

static wire_parcel *pack(size_t n_bytes) {
    static uint8_t block[BLOCK_BYTES];
    Trivium__Envelope envelope = TRIVIUM__ENVELOPE__INIT;
    wire_raw raw = {block, n_bytes};
    wire_parcel *parcel;
    assert_int_equal(wire_pack(&parcel, &envelope.base, &raw, 1), STATUS_OK);
    return parcel;
}

/* One that takes so much memory. */
static wire_parcel *pack_weighing(size_t n_bytes) {
    wire_parcel *empty = pack(0);
    size_t n_extra = wire_parcel_bytes(empty);
    wire_parcel_free(&empty);
    wire_parcel *parcel = pack(n_bytes - n_extra);
    assert_int_equal(wire_parcel_bytes(parcel), n_bytes);
    return parcel;
}

static status put(outbox *o, wire_parcel *parcel) {
    status st = outbox_push(o, &parcel);
    assert_true((st == STATUS_OK) == !parcel);
    wire_parcel_free(&parcel);
    return st;
}

static status push(outbox *o, size_t n_bytes) {
    return put(o, pack(n_bytes));
}

static void push_blocks(outbox *o, int n) {
    for (int i = 0; i < n; i++) assert_int_equal(put(o, pack_weighing(BLOCK_BYTES)), STATUS_OK);
}

static status send_away(outbox *o, wire_parcel *parcel) {
    status st = outbox_send(o, near, NULL, &parcel);
    assert_true((st == STATUS_OK) == !parcel);
    wire_parcel_free(&parcel);
    return st;
}

static void send_blocks(outbox *o, int n) {
    for (int i = 0; i < n; i++) assert_int_equal(send_away(o, pack_weighing(BLOCK_BYTES)), STATUS_OK);
}

static void one_has_its_own_bound(void **state) {
    (void)state;
    push_blocks(a, OUTBOX_BYTES_MAX / BLOCK_BYTES);
    const size_t n_rest = OUTBOX_BYTES_MAX % BLOCK_BYTES;   /* `make tiny`: none */
    if (n_rest > 0) assert_int_equal(put(a, pack_weighing(n_rest)), STATUS_OK);
    assert_int_equal(push(a, 1), STATUS_BUSY);
    assert_false(outbox_overrun(a));
    assert_int_equal(push(b, 1), STATUS_OK);
}

/* Many empty messages are no less memory. */
static void what_a_message_takes_beside_its_bytes_counts(void **state) {
    (void)state;
    wire_parcel *empty = pack(0);
    assert_in_range(wire_parcel_bytes(empty), sizeof(zmq_msg_t) * FRAMES_MAX, 1024);
    wire_parcel_free(&empty);
}

static void whoever_holds_most_is_overrun(void **state) {
    (void)state;
    push_blocks(b, 2);
    push_blocks(a, 4);
    push_blocks(c, 2);
    assert_int_equal(push(c, 1), STATUS_OK);    /* one who holds less is not hurt */
    assert_true(outbox_overrun(a));
    assert_false(outbox_empty(a));
    assert_int_equal(push(a, 1), STATUS_BUSY);
    assert_false(outbox_overrun(b) || outbox_overrun(c));
    push_blocks(b, 2);                          /* its room is there for others at once */
    assert_false(outbox_overrun(b) || outbox_overrun(c));
}

static void whoever_holds_most_and_sends_is_busy(void **state) {
    (void)state;
    push_blocks(a, 3);
    push_blocks(b, 3);
    push_blocks(c, 2);
    assert_int_equal(push(a, 1), STATUS_BUSY);
    assert_false(outbox_overrun(a) || outbox_overrun(b) || outbox_overrun(c));
}

static void what_ends_gives_its_room_back(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        push_blocks(a, 4);
        push_blocks(b, 4);
        outbox_free(&a), outbox_free(&b);
        assert_true(outboxes_quiet());
        a = outbox_new(true), b = outbox_new(true);
        assert_true(a && b);
    }
}

/* ---- on its way ---- */

static void what_is_on_its_way_counts_until_it_is_read(void **state) {
    (void)state;
    send_blocks(a, 3);
    assert_true(outbox_on_its_way(a));
    assert_true(outbox_empty(a));
    assert_in_range(transits_bytes(), 3 * BLOCK_BYTES - 4096, 3 * BLOCK_BYTES + 4096);
    push_blocks(a, 1);
    assert_int_equal(put(a, pack_weighing(BLOCK_BYTES)), STATUS_BUSY);
    read_all();
    assert_int_equal(transits_bytes(), 0);
    assert_false(outbox_on_its_way(a));
    push_blocks(a, 3);
}

/* `b` has more waiting, `a` more in all. */
static void whoever_holds_most_of_both_is_overrun(void **state) {
    (void)state;
    send_blocks(a, 3);
    push_blocks(a, 1);
    push_blocks(b, 3);
    push_blocks(c, 1);
    assert_int_equal(push(c, 4096), STATUS_OK);
    assert_true(outbox_overrun(a));
    assert_false(outbox_overrun(b) || outbox_overrun(c));
    push_blocks(c, 1);          /* what is on its way to `a` comes back soon */
    assert_false(outbox_overrun(b) || outbox_overrun(c));
}

/* It waits, or its peer is cut for pushing: outbox_send itself hurts nobody. */
static void what_has_no_room_is_not_sent(void **state) {
    (void)state;
    send_blocks(a, OUTBOX_BYTES_MAX / BLOCK_BYTES);
    assert_int_equal(send_away(a, pack_weighing(BLOCK_BYTES)), STATUS_BUSY);
    send_blocks(b, 8 - OUTBOX_BYTES_MAX / BLOCK_BYTES);
    assert_int_equal(send_away(c, pack_weighing(BLOCK_BYTES)), STATUS_BUSY);
    assert_false(outbox_overrun(a) || outbox_overrun(b) || outbox_overrun(c));
    assert_int_equal(send_away(c, pack(1)), STATUS_OK); /* a small one has its room */
}

static void what_was_not_taken_does_not_count(void **state) {
    (void)state;
    way_close();
    way_open(2);
    size_t n_taken = 0;
    while (n_taken < 100 && send_away(a, pack(1000)) == STATUS_OK) n_taken++;
    assert_in_range(n_taken, 1, 99);
    size_t n_bytes = transits_bytes();
    push_blocks(a, 1);
    for (int i = 0; i < 10; i++) assert_int_equal(outbox_flush(a, near, NULL), STATUS_BUSY);
    assert_int_equal(transits_bytes(), n_bytes);
    read_all();
    assert_int_equal(transits_bytes(), 0);
    for (int i = 0; i < SOON_MS && outbox_flush(a, near, NULL) != STATUS_OK; i++) usleep(1000);
    assert_true(outbox_empty(a));
    read_all();
    assert_int_equal(transits_bytes(), 0);
}

static void small_ones_are_not_counted(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++) assert_int_equal(send_away(a, pack(SMALL_MESSAGE_BYTES_MAX / 4)), STATUS_OK);
    assert_int_equal(transits_bytes(), 0);
}

static void whose_sender_counts_is_not_counted_here(void **state) {
    (void)state;
    outbox_free(&a);
    a = outbox_new(false);
    send_blocks(a, 12);
    assert_int_equal(transits_bytes(), 0);
}

static bool offer(outbox *o) {
    wire_parcel *parcel = pack_weighing(BLOCK_BYTES);
    bool left = outbox_offer(o, near, NULL, &parcel) == STATUS_OK;
    wire_parcel_free(&parcel);
    return left;
}

/* It counts, whoever counts the rest, and most of the room is left to what must be sent. */
static void what_is_offered_takes_a_quarter(void **state) {
    (void)state;
    outbox_free(&a);
    a = outbox_new(false);
    assert_true(offer(a) && offer(b));
    assert_in_range(transits_bytes(), 2 * BLOCK_BYTES - 1024, 2 * BLOCK_BYTES);
    assert_false(offer(a) || offer(b) || offer(c));
    push_blocks(c, 4);
    assert_false(outbox_overrun(a) || outbox_overrun(b) || outbox_overrun(c));
    read_all();
    assert_int_equal(transits_bytes(), 0);
    assert_false(offer(a));             /* what waits counts as well */
}

/* Its frames come back later, and nobody else has to pay for them meanwhile. */
static void one_may_end_before_what_is_on_its_way(void **state) {
    (void)state;
    send_blocks(a, 4);
    send_blocks(b, 4);
    outbox_free(&a), outbox_free(&b);
    assert_true(transits_bytes() > 7 * BLOCK_BYTES);
    a = outbox_new(true), b = outbox_new(true);
    push_blocks(c, 4);
    push_blocks(b, 4);
    assert_true(read_one_frame());
}

#define ON_THREE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_THREE(one_has_its_own_bound),
        ON_THREE(whoever_holds_most_is_overrun),
        ON_THREE(whoever_holds_most_and_sends_is_busy),
        ON_THREE(what_ends_gives_its_room_back),
        ON_THREE(what_a_message_takes_beside_its_bytes_counts),
        ON_THREE(what_is_on_its_way_counts_until_it_is_read),
        ON_THREE(whoever_holds_most_of_both_is_overrun),
        ON_THREE(what_has_no_room_is_not_sent),
        ON_THREE(what_was_not_taken_does_not_count),
        ON_THREE(small_ones_are_not_counted),
        ON_THREE(whose_sender_counts_is_not_counted_here),
        ON_THREE(what_is_offered_takes_a_quarter),
        ON_THREE(one_may_end_before_what_is_on_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
