/* vocab_arrival.h: pieces in their places become a vocabulary, others are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tokenizerd/vocab/vocab_arrival.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { N_TOKENS = 6, N_MERGES = 2 };

static const vocab_meta meta = {.kind = "gpt2", .split = "gpt-2", .bos = -1, .eos = -1, .eot = -1, .eom = -1};

static const vocab_bytes tokens[N_TOKENS] = {
    {(const uint8_t *)"a", 1},  {(const uint8_t *)"b", 1},   {(const uint8_t *)"c", 1},
    {(const uint8_t *)"ab", 2}, {(const uint8_t *)"abc", 3}, {(const uint8_t *)"<x>", 3}};
static const uint8_t types[N_TOKENS] = {TOKEN_NORMAL, TOKEN_NORMAL, TOKEN_NORMAL,
                                        TOKEN_NORMAL, TOKEN_NORMAL, TOKEN_CONTROL};
static const vocab_bytes merges[N_MERGES] = {{(const uint8_t *)"a b", 3}, {(const uint8_t *)"ab c", 4}};

/* n items of each kind from `first` on, as far as there are so many. */
static vocab_piece piece_at(uint32_t first, uint32_t n) {
    uint32_t first_merge = first < N_MERGES ? first : N_MERGES;
    return (vocab_piece){
        .hash = "v",
        .n_tokens_all = N_TOKENS,
        .n_merges_all = N_MERGES,
        .first_token = first,
        .first_merge = first_merge,
        .tokens = tokens + first,
        .types = types + first,
        .n_tokens = first + n < N_TOKENS ? n : N_TOKENS - first,
        .merges = merges + first_merge,
        .n_merges = first_merge + n < N_MERGES ? n : N_MERGES - first_merge,
        .meta = first == 0 ? &meta : NULL,
    };
}

static void test_pieces_of_any_size(void **state) {
    (void)state;
    for (uint32_t n = 1; n <= N_TOKENS; n++) {
        failure f;
        vocab_arrival *a = NULL;
        bool complete = false;
        for (uint32_t first = 0; first < N_TOKENS; first += n) {
            vocab_piece piece = piece_at(first, n);
            assert_false(complete);
            if (!a) assert_int_equal(vocab_arrival_new(&a, &piece, N_TOKENS, &f), STATUS_OK);
            assert_int_equal(vocab_arrival_add(a, &piece, &complete, &f), STATUS_OK);
        }
        assert_true(complete);
        vocab *v;
        assert_int_equal(vocab_arrival_finish(&a, &v, &f), STATUS_OK);
        assert_null(a);
        assert_int_equal(vocab_size(v), N_TOKENS);
        assert_int_equal(vocab_find(v, (const uint8_t *)"abc", 3), 4);
        assert_int_equal(vocab_type(v, 5), TOKEN_CONTROL);
        byte_strings *taken = vocab_take_merges(v);
        assert_int_equal(byte_strings_count(taken), 2 * N_MERGES);
        byte_strings_free(&taken);
        vocab_free(&v);
    }
}

static void test_first_pieces_that_are_refused(void **state) {
    (void)state;
    enum { NO_META, OTHER_SIZE, MERGES_MAX, BAD_ID, N_CASES };
    for (int i = 0; i < N_CASES; i++) {
        failure f;
        vocab_arrival *a = (vocab_arrival *)&a;
        vocab_piece piece = piece_at(0, 2);
        vocab_meta other = meta;
        other.eos = N_TOKENS;
        if (i == NO_META) piece.meta = NULL;
        if (i == OTHER_SIZE) piece.n_tokens_all++;
        if (i == MERGES_MAX) piece.n_merges_all = N_MERGES_MAX + 1;
        if (i == BAD_ID) piece.meta = &other;
        status expected = i == BAD_ID ? STATUS_BAD_REQUEST : STATUS_BAD_MESSAGE;
        assert_int_equal(vocab_arrival_new(&a, &piece, N_TOKENS, &f), expected);
        assert_null(a);
    }
}

/* Each case breaks one thing of the second piece. */
static void test_pieces_that_do_not_fit(void **state) {
    (void)state;
    enum { GAP, REPEATED, TOO_MANY, MERGE_GAP, OTHER_TOKENS, OTHER_MERGES, TOO_LARGE, BAD_TYPE, N_CASES };
    static uint8_t large[1];
    for (int i = 0; i < N_CASES; i++) {
        failure f;
        vocab_arrival *a = NULL;
        bool complete = true;
        vocab_piece piece = piece_at(0, 1);
        assert_int_equal(vocab_arrival_new(&a, &piece, N_TOKENS, &f), STATUS_OK);
        assert_int_equal(vocab_arrival_add(a, &piece, &complete, &f), STATUS_OK);
        assert_false(complete);
        piece = piece_at(1, 1);
        const vocab_bytes too_large = {large, VOCABULARY_BYTES_MAX};
        if (i == GAP) piece.first_token++;
        if (i == REPEATED) piece.first_token--;
        if (i == TOO_MANY) piece.n_tokens = N_TOKENS;
        if (i == MERGE_GAP) piece.first_merge++;
        if (i == OTHER_TOKENS) piece.n_tokens_all++;
        if (i == OTHER_MERGES) piece.n_merges_all++;
        if (i == TOO_LARGE) piece.tokens = &too_large;
        if (i == BAD_TYPE) piece.types = large;
        assert_int_equal(vocab_arrival_add(a, &piece, &complete, &f), STATUS_BAD_MESSAGE);
        assert_false(complete);
        vocab_arrival_free(&a);
        assert_null(a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_of_any_size),
        cmocka_unit_test(test_first_pieces_that_are_refused),
        cmocka_unit_test(test_pieces_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
