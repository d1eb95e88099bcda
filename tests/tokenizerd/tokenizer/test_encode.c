/* What encode.h promises: special tokens, seams, slices, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tests/support/tokenizer/encode_text.h"
#include "tests/support/tokenizer/small_tokenizer.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static const uint8_t *bytes_of(const char *text) {
    return (const uint8_t *)text;
}

/* The tokens' texts, each followed by |. */
static void check_tokens(const vocab *v, const encoding *e, const char *expected) {
    char joined[256] = "";
    size_t n, used = 0;
    const int32_t *ids = encoding_ids(e, &n);
    for (size_t i = 0; i < n; i++) {
        vocab_bytes token = vocab_token(v, ids[i]);
        used += (size_t)snprintf(joined + used, sizeof joined - used, "%.*s|", (int)token.n_bytes,
                                 (const char *)token.bytes);
    }
    assert_string_equal(joined, expected);
}

typedef struct token_case {
    const char *text;
    bool special;
    const char *tokens;
} token_case;

static void test_special_tokens(void **state) {
    (void)state;
    static const token_case cases[] = {
        {"the<|end|>the", true, "the|<|end|>|the|"},
        {"the<|end|>", false, "the|<|||e|n|d|||>|"},          /* control tokens are text */
        {"<|endless|><|end|>", true, "<|endless|>|<|end|>|"}, /* the longest one wins */
        {"<|endles|><|<|end|>", true, "<|||e|n|d|l|e|s|||>|<|||<|end|>|"},
        {"in<tool>ing", false, "in|<|t|o|o|l|>|ing|"}, /* user-defined markers are text */
        {"in<tool>ing", true, "in|<tool>|ing|"},
        {"<?>", true, "<?>|"},
        {"<?>", false, "<|?|>|"},
        {"<pad>", true, "<|p|a|d|>|"}, /* unused ones never */
        {"<|end|><|end|>", true, "<|end|>|<|end|>|"},
        {"<|end|", true, "<|||e|n|d|||"},
        {"", true, ""},
    };
    tokenizer *t = small_tokenizer_default();
    const vocab *v = tokenizer_vocab(t);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        encoding *e = encode_text(t, cases[i].text, strlen(cases[i].text), cases[i].special, SIZE_MAX);
        check_tokens(v, e, cases[i].tokens);
        encoding_free(&e);
    }
    tokenizer_free(&t);
}

/* A text of pieces: those that are special hold special tokens, in the others they are text. */
static void test_segments_are_one_text(void **state) {
    (void)state;
    tokenizer *t = small_tokenizer_default();
    const vocab *v = tokenizer_vocab(t);
    for (size_t slice_bytes = 1; slice_bytes < 32; slice_bytes++) {
        failure f;
        encoding *e = encoding_new(t, bytes_of("th<|end|>in<|end|><|end|>"));
        assert_int_equal(encoding_add_id(e, small_token(v, "<|end|>")), STATUS_OK);
        assert_int_equal(encoding_add(e, 1, true), STATUS_OK);      /* t */
        assert_int_equal(encoding_add(e, 1, false), STATUS_OK);     /* h: merges */
        assert_int_equal(encoding_add(e, 8, false), STATUS_OK);     /* <|end|>i */
        assert_int_equal(encoding_add(e, 8, true), STATUS_OK);      /* n<|end|> */
        assert_int_equal(encoding_add(e, 4, true), STATUS_OK);      /* <|en */
        assert_int_equal(encoding_add(e, 3, true), STATUS_OK);      /* d|>: lies in two */
        assert_int_equal(encoding_add_id(e, small_token(v, "th")), STATUS_OK);
        assert_int_equal(encode_rest(e, slice_bytes, &f), STATUS_OK);
        check_tokens(v, e, "<|end|>|th|<|||e|n|d|||>|in|<|end|>|<|||e|n|d|||>|th|");
        encoding_free(&e);
    }
    tokenizer_free(&t);
}

/* A special token is found wherever the slices of the search for it begin. */
static void test_special_tokens_far_away(void **state) {
    (void)state;
    tokenizer *t = small_tokenizer_default();
    const vocab *v = tokenizer_vocab(t);
    for (size_t n_before = ENCODE_SLICE_BYTES - 8; n_before <= ENCODE_SLICE_BYTES + 1; n_before++) {
        size_t n, n_bytes = n_before + 7;
        char *text = malloc(n_bytes + 1);
        memset(text, 'x', n_before);
        strcpy(text + n_before, "<|end|>");
        encoding *e = encode_text(t, text, n_bytes, true, ENCODE_SLICE_BYTES);
        const int32_t *ids = encoding_ids(e, &n);
        assert_int_equal(n, n_before + 1);
        assert_int_equal(ids[n - 1], small_token(v, "<|end|>"));
        encoding_free(&e);
        free(text);
    }
    tokenizer_free(&t);
}

static void test_as_many_ids_as_allowed(void **state) {
    (void)state;
    tokenizer *t = small_tokenizer_default();
    failure f;
    for (int too_many = 0; too_many < 2; too_many++) {
        size_t n_bytes = (size_t)TOKENIZE_IDS_MAX + (size_t)too_many;
        char *text = malloc(n_bytes);
        for (size_t i = 0; i < n_bytes; i++) text[i] = "x1"[i % 2];
        encoding *e = encoding_new(t, bytes_of(text));
        assert_int_equal(encoding_add(e, n_bytes, true), STATUS_OK);
        assert_int_equal(encode_rest(e, 1 << 20, &f), too_many ? STATUS_TOO_LONG : STATUS_OK);
        encoding_free(&e);
        free(text);
    }
    tokenizer_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_special_tokens),
        cmocka_unit_test(test_segments_are_one_text),
        cmocka_unit_test(test_special_tokens_far_away),
        cmocka_unit_test(test_as_many_ids_as_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
