/* Codes: their names, their numbers on the wire, and failures with a sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "common.pb-c.h"
#include "proto/base/status.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* The name in JSON is the wire's name in small letters: one list, written down twice. */
static void names_and_numbers_are_the_schema_s(void **state) {
    (void)state;
    assert_int_equal(STATUS_KINDS, trivium__code__descriptor.n_values);
    for (int number = 0; number < STATUS_KINDS; number++) {
        const ProtobufCEnumValue *value =
            protobuf_c_enum_descriptor_get_value(&trivium__code__descriptor, number);
        assert_non_null(value);
        assert_int_equal(strcasecmp(status_name((status)number), value->name), 0);
    }
}

static void a_stranger_s_number_is_unknown(void **state) {
    (void)state;
    assert_string_equal(status_name(STATUS_KINDS), "unknown");
    assert_string_equal(status_name((status)-1), "unknown");
    assert_string_equal(status_name((status)1000000), "unknown");
}

static void fail_fills_and_returns(void **state) {
    (void)state;
    failure f;
    assert_int_equal((fail)(&f, STATUS_BAD_ID, "id %d of %d", 7, 5), STATUS_BAD_ID);
    assert_int_equal(f.code, STATUS_BAD_ID);
    assert_string_equal(f.message, "id 7 of 5");
}

static void a_long_sentence_is_cut(void **state) {
    (void)state;
    char text[2000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    failure f;
    (fail)(&f, STATUS_IO, "%s", text);
    assert_int_equal(strlen(f.message), sizeof f.message - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_numbers_are_the_schema_s),
        cmocka_unit_test(a_stranger_s_number_is_unknown),
        cmocka_unit_test(fail_fills_and_returns),
        cmocka_unit_test(a_long_sentence_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
