/* What ids_text.h promises: the text of ids, however many of them at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tests/support/tokenizer/encode_text.h"
#include "tests/support/tokenizer/small_tokenizer.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

#define REPLACEMENT "\xef\xbf\xbd"

static const char *const TOKENS[] = {"the", "<|end|>", "\xe2", "\x82", "\xac", "\xff", "<tool>", "<pad>", "\xf0", "\x9f"};
static const char TEXT[] = "the<|end|>\xe2\x82\xac" REPLACEMENT "<tool><pad>" REPLACEMENT;
enum { N_TOKENS = sizeof TOKENS / sizeof *TOKENS };

static void what_is_no_character_is_replaced(void **state) {
    (void)state;
    tokenizer *t = small_tokenizer_default();
    const vocab *v = tokenizer_vocab(t);
    int32_t ids[N_TOKENS];
    for (size_t i = 0; i < N_TOKENS; i++) {
        ids[i] = vocab_find(v, (const uint8_t *)TOKENS[i], strlen(TOKENS[i]));
        assert_true(ids[i] >= 0);
    }
    for (size_t n_at_once = 1; n_at_once <= N_TOKENS + 1; n_at_once++) {
        size_t n_bytes;
        uint8_t *text = text_of_ids(v, ids, N_TOKENS, n_at_once, &n_bytes);
        assert_int_equal(n_bytes, strlen(TEXT));
        assert_memory_equal(text, TEXT, n_bytes);
        free(text);
    }
    tokenizer_free(&t);
}

static void no_ids_are_an_empty_text(void **state) {
    (void)state;
    tokenizer *t = small_tokenizer_default();
    size_t n_bytes;
    uint8_t *text = text_of_ids(tokenizer_vocab(t), NULL, 0, 1, &n_bytes);
    assert_int_equal(n_bytes, 0);
    free(text);
    tokenizer_free(&t);
}

/* A character of three bytes, many times, so that pieces that are decoded together end within it. */
static void a_long_text_is_the_same_in_slices(void **state) {
    (void)state;
    enum { N_CHARACTERS = TINY_LIMITS ? 1000 : 100000, N_IDS = 3 * N_CHARACTERS };
    tokenizer *t = small_tokenizer_default();
    const vocab *v = tokenizer_vocab(t);
    int32_t *ids = malloc(N_IDS * sizeof *ids);
    assert_non_null(ids);
    for (size_t i = 0; i < N_IDS; i++) ids[i] = vocab_find(v, (const uint8_t *)&"\xe2\x82\xac"[i % 3], 1);
    size_t n_bytes;
    uint8_t *text = text_of_ids(v, ids, N_IDS, 1001, &n_bytes);
    assert_int_equal(n_bytes, N_IDS);
    for (size_t i = 0; i < n_bytes; i++) assert_int_equal(text[i], (uint8_t)"\xe2\x82\xac"[i % 3]);
    free(text);
    free(ids);
    tokenizer_free(&t);
}

static void a_text_that_is_too_long_is_told(void **state) {
    (void)state;
    failure f;
    tokenizer *t = small_tokenizer_default();
    const vocab *v = tokenizer_vocab(t);
    size_t n_ids = TEXT_BYTES_MAX / strlen("the") + 1;
    int32_t *ids = malloc(n_ids * sizeof *ids);
    assert_non_null(ids);
    for (size_t i = 0; i < n_ids; i++) ids[i] = vocab_find(v, (const uint8_t *)"the", 3);
    ids_text text = {.whole = false};
    status st = STATUS_OK;
    while (st == STATUS_OK && !text.whole) st = ids_text_advance(&text, v, ids, n_ids, 100000, &f);
    assert_int_equal(st, STATUS_TOO_LONG);
    ids_text_clear(&text);
    ids_text_clear(&text); /* fine */
    free(ids);
    tokenizer_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_character_is_replaced),
        cmocka_unit_test(no_ids_are_an_empty_text),
        cmocka_unit_test(a_long_text_is_the_same_in_slices),
        cmocka_unit_test(a_text_that_is_too_long_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
