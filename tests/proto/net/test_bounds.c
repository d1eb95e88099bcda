/* Bounds of fields: every field that could ask for much has one, what lies past one is refused before anything is
 * allocated, and what is measured is enough to unpack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logits.pb-c.h"
#include "proto/base/limits.h"
#include "proto/net/bounds/bounds.h"
#include "text.pb-c.h"
#include "tokens.pb-c.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static const ProtobufCMessageDescriptor *const all[] = {
    &trivium__text_request__descriptor,   &trivium__text_reply__descriptor, &trivium__tokens_request__descriptor,
    &trivium__tokens_reply__descriptor,   &trivium__logits_request__descriptor,
    &trivium__logits_reply__descriptor,   &trivium__envelope__descriptor,
};

/* ---- The table ---- */

static size_t check_message(const ProtobufCMessageDescriptor *type, size_t depth) {
    size_t n_sized = 0;
    assert_in_range(depth, 1, BOUNDS_DEPTH_MAX);
    assert_in_range(type->n_fields, 0, BOUNDS_FIELDS_MAX);
    for (size_t i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (field->type == PROTOBUF_C_TYPE_MESSAGE) n_sized += check_message(field->descriptor, depth + 1);
        const field_bound *bound = field_bound_of(field);
        if (!field_is_sized(field)) {
            assert_null(bound);
            continue;
        }
        if (!bound) fail_msg("%s.%s has no bound: give it a row in field_bounds.c", type->short_name, field->name);
        bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
        bool has_bytes = field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES;
        assert_ptr_equal(bound->message, type);
        assert_string_equal(bound->field, field->name);
        assert_true(repeated ? bound->items_max > 1 : bound->items_max == 1);
        assert_true(has_bytes == (bound->bytes_max > 0));
        n_sized++;
    }
    return n_sized;
}

static void every_field_has_a_bound(void **state) {
    (void)state;
    size_t n_sized = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) n_sized += check_message(all[i], 1);
    assert_in_range(n_sized, 100, 9999);
}

/* ---- What is refused ---- */

enum { MUCH = 1 << 20 };
static uint8_t wire[MUCH];
static size_t n_wire;

static void put_varint(uint64_t value) {
    for (; value > 0x7f; value >>= 7) wire[n_wire++] = (uint8_t)(value | 0x80);
    wire[n_wire++] = (uint8_t)value;
}

static void put(unsigned field, unsigned coding, uint64_t value) {
    put_varint(field << 3 | coding);
    put_varint(value);
}

enum { VARINT = 0, PREFIXED = 2, GROUP = 3 };

static bool fits(const ProtobufCMessageDescriptor *type) {
    size_t memory_bytes;
    return bounds_measure(type, wire, n_wire, &memory_bytes) == STATUS_OK;
}

/* ModelReport: n samplers of no bytes. */
static bool samplers_fit(size_t n) {
    n_wire = 0;
    for (size_t i = 0; i < n; i++) put(1, PREFIXED, 0);
    return fits(&trivium__model_report__descriptor);
}

static void items_are_counted(void **state) {
    (void)state;
    size_t most = field_bound_of(protobuf_c_message_descriptor_get_field(&trivium__model_report__descriptor, 1))->items_max;
    assert_in_range(most, PEERS_MAX, 100000);
    assert_true(samplers_fit(most));
    assert_false(samplers_fit(most + 1));
    assert_false(samplers_fit(250000));
}

/* Numbers in one piece, and each in its own, which takes far more memory. */
static void numbers_are_counted(void **state) {
    (void)state;
    size_t most = field_bound_of(protobuf_c_message_descriptor_get_field(&trivium__id_list__descriptor, 1))->items_max;
    for (size_t n = most; n <= most + 1; n++) {
        n_wire = 0;
        put(1, PREFIXED, n);
        memset(wire + n_wire, 1, n);
        n_wire += n;
        assert_int_equal(fits(&trivium__id_list__descriptor), n == most);
    }
    for (size_t n = BOUNDS_PIECES_MAX; n <= BOUNDS_PIECES_MAX + 1; n++) {
        n_wire = 0;
        for (size_t i = 0; i < n; i++) put(1, VARINT, 7);
        assert_int_equal(fits(&trivium__id_list__descriptor), n == BOUNDS_PIECES_MAX);
    }
}

static void bytes_are_counted(void **state) {
    (void)state;
    size_t most = field_bound_of(protobuf_c_message_descriptor_get_field(&trivium__close__descriptor, 1))->bytes_max;
    for (size_t n = most; n <= most + 1; n++) {
        n_wire = 0;
        put(1, PREFIXED, n);
        n_wire += n;
        assert_int_equal(fits(&trivium__close__descriptor), n == most);
    }
}

/* TextRequest: an owner. */
static bool owner_fits(const char *name, size_t n_bytes) {
    n_wire = 0;
    put(16, PREFIXED, n_bytes);
    memcpy(wire + n_wire, name, n_bytes);
    n_wire += n_bytes;
    return fits(&trivium__text_request__descriptor);
}

/* It would be read as another one. */
static void a_string_with_a_zero_byte_is_refused(void **state) {
    (void)state;
    assert_true(owner_fits("ann", 3));
    assert_true(owner_fits("", 0));
    assert_false(owner_fits("ann\0bob", 7));
    assert_false(owner_fits("ann", 4));
    assert_false(owner_fits("", 1));
    n_wire = 0;
    put(1, PREFIXED, 2);        /* bytes may be any: the id of a Close */
    wire[n_wire++] = 0;
    wire[n_wire++] = 0;
    assert_true(fits(&trivium__close__descriptor));
}

static void what_is_not_repeated_comes_once(void **state) {
    (void)state;
    n_wire = 0;
    put(2, VARINT, 1);
    assert_true(fits(&trivium__close__descriptor));
    put(2, VARINT, 1);
    assert_false(fits(&trivium__close__descriptor));
    n_wire = 0;
    put(2, PREFIXED, 0); /* a body, */
    put(3, PREFIXED, 0); /* another one instead: odd, but bounded, */
    assert_true(fits(&trivium__text_request__descriptor));
    put(2, PREFIXED, 0); /* and the first again */
    assert_false(fits(&trivium__text_request__descriptor));
}

static void unknown_fields_are_counted(void **state) {
    (void)state;
    for (size_t n = BOUNDS_UNKNOWN_MAX; n <= BOUNDS_UNKNOWN_MAX + 1; n++) {
        n_wire = 0;
        for (size_t i = 0; i < n; i++) put(99, VARINT, 1);
        assert_int_equal(fits(&trivium__close__descriptor), n == BOUNDS_UNKNOWN_MAX);
    }
}

static void what_is_no_message_is_refused(void **state) {
    (void)state;
    static const struct { const char *bytes; size_t n_bytes; } cases[] = {
        {"\x0a\x05" "abcd", 6}, {"\x0a", 1}, {"\x10\x80", 2}, {"\x09\1\2\3\4\5\6\7", 8}, {"\x0d\1\2\3", 4},
        {"\x0b", 1}, {"\x0c", 1}, {"\x00\x00", 2}, {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11},
        {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10}, {"\x08\x01", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(wire, cases[i].bytes, n_wire = cases[i].n_bytes);
        assert_false(fits(&trivium__close__descriptor));
    }
}

/* ---- What is measured ---- */

static size_t n_used;

static void *count_alloc(void *unused, size_t n_bytes) {
    (void)unused;
    n_used += (n_bytes + 7) & ~(size_t)7;
    return malloc(n_bytes);
}

static void count_free(void *unused, void *memory) {
    (void)unused;
    free(memory);
}

static ProtobufCAllocator counted = {count_alloc, count_free, NULL};

/* Unpack what lies in `wire`; false: it does not unpack. What is measured is enough, and exact where no message has so
 * many fields that protobuf-c notes them in memory that it gives back. */
static bool unpacks(const ProtobufCMessageDescriptor *type, bool exact) {
    size_t measured;
    if (bounds_measure(type, wire, n_wire, &measured) != STATUS_OK) return false;
    n_used = 0;
    ProtobufCMessage *m = protobuf_c_message_unpack(type, &counted, n_wire, wire);
    assert_in_range(n_used, 0, measured);
    if (!m) return false;
    if (exact) assert_int_equal(n_used, measured);
    protobuf_c_message_free_unpacked(m, &counted);
    return true;
}

static size_t pack_request(void) {
    Trivium__Step step = TRIVIUM__STEP__INIT, *steps[] = {&step, &step};
    double numbers[] = {0.5, 1e300};
    int32_t some[] = {1, 300, -1};
    Trivium__IdList list = TRIVIUM__ID_LIST__INIT, *lists[] = {&list};
    list.n_ids = 3, list.ids = some;
    step.name = "top_p", step.n_numbers = 2, step.numbers = numbers, step.n_lists = 1, step.lists = lists;
    Trivium__Strategy strategy = TRIVIUM__STRATEGY__INIT;
    strategy.n_steps = 2, strategy.steps = steps;
    Trivium__SampleRequest sample = TRIVIUM__SAMPLE_REQUEST__INIT;
    sample.strategy = &strategy, sample.n_given = 3, sample.given = some, sample.ticket = 9, sample.n_vocab = 300;
    sample.state = (ProtobufCBinaryData){5, (uint8_t *)"state"};
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE, m.sample = &sample;
    return n_wire = protobuf_c_message_pack(&m.base, wire);
}

static void a_message_takes_what_was_measured(void **state) {
    (void)state;
    pack_request();
    assert_true(unpacks(&trivium__logits_request__descriptor, false));
    n_wire = 0;
    put(1, PREFIXED, 0), put(1, PREFIXED, 0), put(99, VARINT, 1000), put(2, VARINT, 3);
    assert_true(unpacks(&trivium__model_report__descriptor, false));
    n_wire = 0;
    for (int i = 0; i < 16; i++) put(1, PREFIXED, 0);
    assert_true(unpacks(&trivium__model_report__descriptor, true));
    for (size_t n = 16; n < 1000; n += 7) {
        n_wire = 0;
        for (size_t i = 0; i < n; i++) put(1, PREFIXED, 0);
        unpacks(&trivium__model_report__descriptor, false);
    }
}

static void a_damaged_message_takes_no_more(void **state) {
    (void)state;
    static uint8_t whole[MUCH];
    size_t n_whole = pack_request(), n_read = 0;
    memcpy(whole, wire, n_whole);
    srand(1);
    for (int i = 0; i < 200000; i++) {
        memcpy(wire, whole, n_whole);
        for (int hits = 1 + rand() % 4; hits > 0; hits--) wire[(size_t)rand() % n_whole] = (uint8_t)rand();
        n_wire = rand() % 2 ? n_whole : 1 + (size_t)rand() % n_whole;
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) n_read += unpacks(all[k], false);
    }
    assert_in_range(n_read, 1000, 1399999);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_has_a_bound),
        cmocka_unit_test(items_are_counted),
        cmocka_unit_test(numbers_are_counted),
        cmocka_unit_test(bytes_are_counted),
        cmocka_unit_test(a_string_with_a_zero_byte_is_refused),
        cmocka_unit_test(what_is_not_repeated_comes_once),
        cmocka_unit_test(unknown_fields_are_counted),
        cmocka_unit_test(what_is_no_message_is_refused),
        cmocka_unit_test(a_message_takes_what_was_measured),
        cmocka_unit_test(a_damaged_message_takes_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
