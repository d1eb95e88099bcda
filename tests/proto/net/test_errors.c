/* What a peer says went wrong: kept with its code, made fit to be passed on, never without a sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/net/errors.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static failure f;

static status heard(int code, const char *sentence) {
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    error.code = (Trivium__Code)code;
    error.message = (char *)sentence;
    return error_from_wire(&error, "the modeld", &f);
}

static void a_failure_comes_back_as_it_went(void **state) {
    (void)state;
    const failure said = {.code = STATUS_TOO_LONG, .message = "7 bytes are too many"};
    const Trivium__Error error = error_to_wire(&said);
    assert_int_equal(error_from_wire(&error, "the modeld", &f), STATUS_TOO_LONG);
    assert_string_equal(f.message, "7 bytes are too many");
}

static void a_sentence_is_made_fit_to_be_told_on(void **state) {
    (void)state;
    assert_int_equal(heard(STATUS_NO_CANDIDATE, "nothing\nis left\xc3"), STATUS_NO_CANDIDATE);
    assert_string_equal(f.message, "nothing is left");
}

static void without_a_sentence_it_keeps_its_code(void **state) {
    (void)state;
    assert_int_equal(heard(STATUS_NO_CANDIDATE, ""), STATUS_NO_CANDIDATE);
    assert_string_equal(f.message, "the modeld failed and did not say why");
}

static void without_a_code_that_is_known_it_is_a_bad_message(void **state) {
    (void)state;
    static const int codes[] = {STATUS_OK, -1, STATUS_KINDS, 999};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        assert_int_equal(heard(codes[i], "so it is"), STATUS_BAD_MESSAGE);
        assert_string_equal(f.message, "so it is");
        assert_int_equal(heard(codes[i], ""), STATUS_BAD_MESSAGE);
        assert_string_equal(f.message, "the modeld failed and did not say how");
    }
    assert_int_equal(error_from_wire(NULL, "tokenizerd", &f), STATUS_BAD_MESSAGE);
    assert_string_equal(f.message, "tokenizerd failed and did not say how");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_comes_back_as_it_went),
        cmocka_unit_test(a_sentence_is_made_fit_to_be_told_on),
        cmocka_unit_test(without_a_sentence_it_keeps_its_code),
        cmocka_unit_test(without_a_code_that_is_known_it_is_a_bad_message),
    };
    return cmocka_run_group_tests_name("errors", tests, NULL, NULL);
}
