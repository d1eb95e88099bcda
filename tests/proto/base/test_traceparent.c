/* A traceparent, as the W3C's Trace Context has it: what is one, what is not, and what is carried of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/carried/traceparent.h"
#include "tests/support/traceparents.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static failure f;

static void assert_carried(const char *text, const char *expected) {
    char out[TRACEPARENT_BYTES + 1];
    assert_int_equal(traceparent_check(text, &f), STATUS_OK);
    traceparent_copy(out, text);
    assert_string_equal(out, expected);
}

static void one_of_our_version_is_carried_as_it_is(void **state) {
    (void)state;
    static const char *const whole[] = {
        "00-" SOME_TRACE_IDS "-00", "00-" SOME_TRACE_IDS "-01", "00-" SOME_TRACE_IDS "-ff", "00-" SOME_TRACE_IDS "-a2",
        "00-00000000000000000000000000000001-0000000000000001-00",
        "00-10000000000000000000000000000000-f000000000000000-01",
    };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        assert_int_equal(strlen(whole[i]), TRACEPARENT_BYTES);
        assert_carried(whole[i], whole[i]);
    }
}

static void none_is_fine(void **state) {
    (void)state;
    char word[TRACE_WORD_BYTES];
    static const char *const none[] = {"", NULL};
    for (size_t i = 0; i < 2; i++) {
        assert_carried(none[i], "");
        assert_string_equal(traceparent_word(none[i], word), "");
    }
}

/* Its ids and whether it is sampled: nothing else of it is known. */
static void one_of_a_later_version_is_carried_as_ours(void **state) {
    (void)state;
    assert_carried("01-" SOME_TRACE_IDS "-01", "00-" SOME_TRACE_IDS "-01");
    assert_carried("cc-" SOME_TRACE_IDS "-00", "00-" SOME_TRACE_IDS "-00");
    assert_carried("fe-" SOME_TRACE_IDS "-01-what-the-future-will-be-like", "00-" SOME_TRACE_IDS "-01");
    assert_carried("0a-" SOME_TRACE_IDS "-fe-", "00-" SOME_TRACE_IDS "-00");
    assert_carried("01-" SOME_TRACE_IDS "-0f-\xff", "00-" SOME_TRACE_IDS "-01");
    for (const char *digit = "0123456789abcdef"; *digit; digit++) {
        char text[TRACEPARENT_BYTES + 1] = "10-" SOME_TRACE_IDS "-80";
        text[TRACEPARENT_BYTES - 1] = *digit;
        bool odd = strchr("13579bdf", *digit);
        assert_carried(text, odd ? "00-" SOME_TRACE_IDS "-01" : "00-" SOME_TRACE_IDS "-00");
    }
}

static const struct {
    const char *text, *sentence;
} malformed[] = {
    {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" SOME_PARENT_ID "-01", "lower case"},
    {"00-" SOME_TRACE_ID "-00F067AA0BA902B7-01", "lower case"},
    {"00-" SOME_TRACE_IDS "-0A", "lower case"},
    {"0A-" SOME_TRACE_IDS "-01", "lower case"},
    {"FF-" SOME_TRACE_IDS "-01", "lower case"},
    {"0", "digits"},
    {"00", "digits"},
    {"00-", "digits"},
    {"-" SOME_TRACE_IDS "-01", "digits"},
    {"0-" SOME_TRACE_IDS "-01", "digits"},
    {"000-" SOME_TRACE_IDS "-01", "digits"},
    {"00-" SOME_TRACE_ID, "digits"},
    {"00-" SOME_TRACE_ID "-", "digits"},
    {"00-" SOME_TRACE_IDS, "digits"},
    {"00-" SOME_TRACE_IDS "-", "digits"},
    {"00-" SOME_TRACE_IDS "-1", "digits"},
    {"00-4bf92f3577b34da6a3ce929d0e0e473-" SOME_PARENT_ID "-01", "digits"},
    {"00-4bf92f3577b34da6a3ce929d0e0e47360-" SOME_PARENT_ID "-01", "digits"},
    {"00-" SOME_TRACE_ID "-00f067aa0ba902b-01", "digits"},
    {"00-" SOME_TRACE_ID "-00f067aa0ba902b70-01", "digits"},
    {"00_" SOME_TRACE_IDS "-01", "digits"},
    {"00-" SOME_TRACE_ID "." SOME_PARENT_ID "-01", "digits"},
    {"00-" SOME_TRACE_IDS ".01", "digits"},
    {"00-.bf92f3577b34da6a3ce929d0e0e4736-" SOME_PARENT_ID "-01", "digits"},
    {"00-" SOME_TRACE_ID "-.0f067aa0ba902b7-01", "digits"},
    {"00-" SOME_TRACE_IDS "-.1", "digits"},
    {".0-" SOME_TRACE_IDS "-01", "digits"},
    {" 00-" SOME_TRACE_IDS "-01", "digits"},
    {"0x-" SOME_TRACE_IDS "-01", "digits"},
    {"00-" SOME_TRACE_IDS "-010", "ends after its flags"},
    {"00-" SOME_TRACE_IDS "-01-", "ends after its flags"},
    {"00-" SOME_TRACE_IDS "-01-more", "ends after its flags"},
    {"00-" SOME_TRACE_IDS "-01 ", "ends after its flags"},
    {"00-" SOME_TRACE_IDS "-01\n", "ends after its flags"},
    {"cc-" SOME_TRACE_IDS "-01.what-the-future-will-not-be-like", "hyphen"},
    {"01-" SOME_TRACE_IDS "-010", "hyphen"},
    {"cc-" SOME_TRACE_IDS, "digits"},
    {"ff-" SOME_TRACE_IDS "-01", "no version ff"},
    {"ff-" SOME_TRACE_IDS "-01-more", "no version ff"},
    {"00-00000000000000000000000000000000-" SOME_PARENT_ID "-01", "trace id"},
    {"00-" SOME_TRACE_ID "-0000000000000000-01", "parent id"},
    {"01-00000000000000000000000000000000-" SOME_PARENT_ID "-01-more", "trace id"},
    {"01-" SOME_TRACE_ID "-0000000000000000-01-more", "parent id"},
    {"traceparent", "digits"},
};

static void each_that_is_none_gets_its_sentence(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        char word[TRACE_WORD_BYTES];
        if (traceparent_check(malformed[i].text, &f) != STATUS_BAD_REQUEST) fail_msg("%s was taken", malformed[i].text);
        if (!strstr(f.message, malformed[i].sentence)) fail_msg("%s: %s", malformed[i].text, f.message);
        assert_string_equal(traceparent_word(malformed[i].text, word), "");
    }
}

static void a_later_version_has_a_bound_too(void **state) {
    (void)state;
    char text[TRACEPARENT_BYTES_MAX + 2];
    memset(text, 'x', sizeof text);
    memcpy(text, "01-" SOME_TRACE_IDS "-01-", TRACEPARENT_BYTES + 1);
    text[TRACEPARENT_BYTES_MAX + 1] = '\0';
    assert_int_equal(traceparent_check(text, &f), STATUS_BAD_REQUEST);
    assert_non_null(strstr(f.message, "512"));
    text[TRACEPARENT_BYTES_MAX] = '\0';
    assert_carried(text, "00-" SOME_TRACE_IDS "-01");
}

static void a_log_has_the_trace_id(void **state) {
    (void)state;
    char word[TRACE_WORD_BYTES];
    assert_string_equal(traceparent_word("00-" SOME_TRACE_IDS "-01", word), " trace=" SOME_TRACE_ID);
    assert_string_equal(traceparent_word("cc-" SOME_TRACE_IDS "-00-more", word), " trace=" SOME_TRACE_ID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_our_version_is_carried_as_it_is),
        cmocka_unit_test(none_is_fine),
        cmocka_unit_test(one_of_a_later_version_is_carried_as_ours),
        cmocka_unit_test(each_that_is_none_gets_its_sentence),
        cmocka_unit_test(a_later_version_has_a_bound_too),
        cmocka_unit_test(a_log_has_the_trace_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
