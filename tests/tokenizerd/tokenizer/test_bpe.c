/* What bpe.h promises, against the definition written down as plainly as possible. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizerd/tokenizer/bpe.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { LETTERS = 5, RULES = 60, PIECE_BYTES_MAX = 300 };

typedef struct rule {
    int32_t left, right, merged;
} rule;

typedef struct rules {
    int32_t byte_ids[256];
    rule list[RULES];
    bpe *built;
} rules;

static uint32_t random_below(uint64_t *seed, uint32_t bound) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % bound;
}

/* Letters 'a' … have ids 0 …, except one that has none; each rule makes a new id of two known ones,
 * so that long chains of merges arise; some pairs have two rules. */
static rules random_rules(uint64_t *seed) {
    rules r;
    memset(r.byte_ids, 0xFF, sizeof r.byte_ids);
    for (int32_t i = 0; i < LETTERS; i++) r.byte_ids['a' + i] = i;
    r.byte_ids['a' + random_below(seed, LETTERS * 4) % 26] = -1;
    r.built = bpe_new(r.byte_ids, RULES);
    assert_non_null(r.built);
    for (int32_t rank = 0; rank < RULES; rank++) {
        uint32_t n_known = LETTERS + (uint32_t)rank;
        r.list[rank] = (rule){(int32_t)random_below(seed, n_known),
                              (int32_t)random_below(seed, n_known), LETTERS + rank};
        bpe_add(r.built, r.list[rank].left, r.list[rank].right, r.list[rank].merged);
    }
    return r;
}

/* The definition: apply the rule of the lowest rank that applies anywhere, leftmost; repeat. */
static size_t reference(const rules *r, const uint8_t *piece, size_t n_bytes, int32_t *ids) {
    size_t n = 0;
    for (size_t i = 0; i < n_bytes; i++)
        if (r->byte_ids[piece[i]] >= 0) ids[n++] = r->byte_ids[piece[i]];
    for (size_t rank = 0; rank < RULES;) {
        const rule *at = &r->list[rank];
        size_t i = 0;
        while (i + 1 < n && (ids[i] != at->left || ids[i + 1] != at->right)) i++;
        if (i + 1 >= n) {
            rank++;
            continue;
        }
        ids[i] = at->merged;
        memmove(ids + i + 1, ids + i + 2, (n - i - 2) * sizeof *ids);
        n--;
        rank = 0; /* the new id may allow a rule of lower rank */
    }
    return n;
}

static size_t in_steps(const bpe *b, const uint8_t *piece, size_t n_bytes, size_t n_steps,
                       int32_t *ids) {
    bpe_run *run = bpe_run_new(b, piece, n_bytes);
    assert_non_null(run);
    size_t n_done, n_total = 0;
    do {
        n_done = bpe_run_advance(run, n_steps);
        n_total += n_done;
    } while (n_done >= n_steps);
    assert_true(n_total <= 4 * n_bytes + 32);
    size_t n = bpe_run_count(run), n_given = 0;
    while (n_given < n) n_given += bpe_run_ids(run, ids + n_given, n_steps < n - n_given ? n_steps : n - n_given);
    assert_int_equal(n_given, n);
    assert_int_equal(bpe_run_ids(run, ids, 1), 0);
    bpe_run_free(&run);
    return n;
}

static void test_random_pieces_and_rules(void **state) {
    (void)state;
    uint64_t seed = 7;
    for (int i = 0; i < 400; i++) {
        rules r = random_rules(&seed);
        for (int j = 0; j < 20; j++) {
            uint8_t piece[PIECE_BYTES_MAX];
            int32_t expected[PIECE_BYTES_MAX], got[PIECE_BYTES_MAX];
            size_t n_bytes = 1 + random_below(&seed, j % 2 ? PIECE_BYTES_MAX : BPE_SHORT_BYTES);
            uint32_t n_letters = 1 + random_below(&seed, LETTERS);
            for (size_t k = 0; k < n_bytes; k++)
                piece[k] = (uint8_t)('a' + random_below(&seed, n_letters));
            size_t n = reference(&r, piece, n_bytes, expected);
            assert_int_equal(in_steps(r.built, piece, n_bytes, 1 + random_below(&seed, 999), got),
                             n);
            assert_memory_equal(got, expected, n * sizeof *got);
            if (n_bytes > BPE_SHORT_BYTES) continue;
            assert_int_equal(bpe_short(r.built, piece, n_bytes, got), n);
            assert_memory_equal(got, expected, n * sizeof *got);
        }
        bpe_free(&r.built);
    }
}

static void test_the_leftmost_of_equals_goes_first(void **state) {
    (void)state;
    int32_t byte_ids[256] = {0}, ids[3];
    bpe *b = bpe_new(byte_ids, 1);
    bpe_add(b, 0, 0, 1);
    assert_int_equal(bpe_short(b, (const uint8_t *)"\0\0\0", 3, ids), 2);
    assert_int_equal(ids[0], 1);
    assert_int_equal(ids[1], 0);
    bpe_free(&b);
}

static void test_no_rules(void **state) {
    (void)state;
    int32_t byte_ids[256], ids[2];
    for (int i = 0; i < 256; i++) byte_ids[i] = i;
    bpe *b = bpe_new(byte_ids, 0);
    assert_int_equal(bpe_short(b, (const uint8_t *)"ab", 2, ids), 2);
    assert_int_equal(in_steps(b, (const uint8_t *)"ab", 2, 1, ids), 2);
    assert_int_equal(ids[0], 'a');
    assert_int_equal(ids[1], 'b');
    bpe_free(&b);
}

static void test_bytes_without_an_id_are_left_out(void **state) {
    (void)state;
    int32_t byte_ids[256], ids[3];
    memset(byte_ids, 0xFF, sizeof byte_ids);
    byte_ids['a'] = 0;
    bpe *b = bpe_new(byte_ids, 1);
    bpe_add(b, 0, 0, 1);
    assert_int_equal(bpe_short(b, (const uint8_t *)"axa", 3, ids), 1);
    assert_int_equal(ids[0], 1);
    assert_int_equal(bpe_short(b, (const uint8_t *)"x", 1, ids), 0);
    assert_int_equal(in_steps(b, (const uint8_t *)"xyz", 3, 1, ids), 0);
    bpe_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_pieces_and_rules),
        cmocka_unit_test(test_the_leftmost_of_equals_goes_first),
        cmocka_unit_test(test_no_rules),
        cmocka_unit_test(test_bytes_without_an_id_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
