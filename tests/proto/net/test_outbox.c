/* Outboxes: what one holds at most, and which one is overrun where all of them together hold too much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common.pb-c.h"
#include "proto/base/limits.h"
#include "proto/net/outbox/outbox.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { BLOCK_BYTES = OUTBOXES_BYTES_MAX / 8 };

static outbox *a, *b, *c;

static int begin(void **state) {
    (void)state;
    a = outbox_new(), b = outbox_new(), c = outbox_new();
    return a && b && c ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    outbox_free(&a), outbox_free(&b), outbox_free(&c);
    return outboxes_quiet() ? 0 : -1;
}

static status push(outbox *o, size_t n_bytes) {
    static uint8_t block[BLOCK_BYTES];
    Trivium__Envelope envelope = TRIVIUM__ENVELOPE__INIT;
    wire_raw raw = {block, n_bytes};
    wire_parcel *parcel;
    assert_int_equal(wire_pack(&parcel, &envelope.base, &raw, 1), STATUS_OK);
    status st = outbox_push(o, &parcel);
    assert_true((st == STATUS_OK) == !parcel);
    wire_parcel_free(&parcel);
    return st;
}

static void push_blocks(outbox *o, int n) {
    for (int i = 0; i < n; i++) assert_int_equal(push(o, BLOCK_BYTES), STATUS_OK);
}

static void one_has_its_own_bound(void **state) {
    (void)state;
    push_blocks(a, OUTBOX_BYTES_MAX / BLOCK_BYTES);
    assert_int_equal(push(a, 1), STATUS_BUSY);
    assert_false(outbox_overrun(a));
    assert_int_equal(push(b, 1), STATUS_OK);
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
        a = outbox_new(), b = outbox_new();
        assert_true(a && b);
    }
}

#define ON_THREE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_THREE(one_has_its_own_bound),
        ON_THREE(whoever_holds_most_is_overrun),
        ON_THREE(whoever_holds_most_and_sends_is_busy),
        ON_THREE(what_ends_gives_its_room_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
