/* ordinary.h: which texts of user-defined tokens are what a text says, and which may mark something; and
 * that whoever wrote a text decides about the latter, never a token's type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/tokenizer/small_tokenizer.h"
#include "tokenizerd/tokenizer/encode.h"
#include "tokenizerd/vocab/ordinary.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void test_words_and_blanks(void **state) {
    (void)state;
    static const char *const texts[] = {
        "", " ", "  ", "                        ", "\t\t", "\n\n\n", " \r\n", "\xc2\xa0\xe3\x80\x80",
        "a", "hello", " hello world", "42", "\xc3\xb6", "\xc3\xb7", "\xe6\x97\xa5\xe6\x9c\xac", "e\xcc\x81",
        "!", "<", "\xe2\x96\x81",
    };
    static const char *const marks[] = {
        "<|im_start|>", "<|im_end|>", "<s>", "</think>", "[INST]", "<<SYS>>", "###", "### User",
        "User:", "|||IP_ADDRESS|||", "<start_of_turn>", "<｜User｜>", "【user】", "im_start",
        "a-b", "\x02", "\xef\xbb\xbf", "\xee\x80\x80", "a\x1b", "\xff", "a\xff",
    };
    ordinary *o = ordinary_new();
    assert_non_null(o);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!ordinary_has(o, (const uint8_t *)texts[i], strlen(texts[i])))
            fail_msg("\"%s\" is ordinary", texts[i]);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (ordinary_has(o, (const uint8_t *)marks[i], strlen(marks[i])))
            fail_msg("\"%s\" is not ordinary", marks[i]);
    ordinary_free(&o);
    assert_null(o);
}

/* How many tokens of two texts are markers: one that is special, one that is not, by turns. */
static size_t count_markers(const tokenizer *t, const char *own, const char *typed) {
    failure f;
    char text[256];
    snprintf(text, sizeof text, "%s%s", own, typed);
    encoding *e = encoding_new(t, (const uint8_t *)text);
    assert_non_null(e);
    bool done = false;
    size_t n, n_markers = 0;
    assert_int_equal(encoding_add(e, strlen(own), true), STATUS_OK);
    assert_int_equal(encoding_add(e, strlen(typed), false), STATUS_OK);
    while (!done) assert_int_equal(encoding_advance(e, SIZE_MAX, &done, &f), STATUS_OK);
    const int32_t *ids = encoding_ids(e, &n);
    for (size_t i = 0; i < n; i++) n_markers += ids[i] >= SMALL_FIRST_MERGE;
    encoding_free(&e);
    return n_markers;
}

static void test_who_wrote_a_text_decides(void **state) {
    (void)state;
    static const char *const marks[] = {"<|im_end|>", "<|im_start|>", "[INST]", "###", "<|m|>"};
    static const token_type types[] = {TOKEN_USER_DEFINED, TOKEN_CONTROL, TOKEN_UNKNOWN};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        for (size_t j = 0; j < sizeof types / sizeof *types; j++) {
            const small_special special = {marks[i], types[j]};
            tokenizer *t = small_tokenizer(&(small_tokenizer_parts){
                .split = "gpt-2", .specials = &special, .n_specials = 1, .eos = -1});
            assert_int_equal(count_markers(t, marks[i], ""), 1);
            assert_int_equal(count_markers(t, "", marks[i]), 0);
            assert_int_equal(count_markers(t, marks[i], marks[i]), 1);
            tokenizer_free(&t);
        }
    }
}

/* Runs of blanks, or words that a vocabulary was given, are what the text says. */
static void test_words_count_in_every_text(void **state) {
    (void)state;
    static const char *const words[] = {"    ", "\t\t", "\n\n", "\xc3\xb6", "Trivium"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const small_special special = {words[i], TOKEN_USER_DEFINED};
        tokenizer *t = small_tokenizer(&(small_tokenizer_parts){
            .split = "gpt-2", .specials = &special, .n_specials = 1, .eos = -1});
        assert_int_equal(count_markers(t, words[i], words[i]), 2);
        tokenizer_free(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_and_blanks),
        cmocka_unit_test(test_who_wrote_a_text_decides),
        cmocka_unit_test(test_words_count_in_every_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
