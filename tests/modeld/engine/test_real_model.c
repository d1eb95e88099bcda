/* The promise of model_forward on the model that talks: the same bits in chunks of any size, on any
 * number of threads, with every instruction set, with OpenBLAS or without, beside other texts. The
 * numbers below hold in every build and on every machine: a compiler that rounds otherwise shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "modeld/engine/model.h"
#include "modeld/kernels/kernels.h"
#include "proto/base/limits.h"
#include "tests/support/models/forward.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { N_IDS = 70, N_IDS_REF = 6, N_PAGES = 64, N_SEQUENCES = 16 };

/* XXH3 of the logits of N_IDS positions, of N_IDS_REF; arithmetic version 1. */
static const uint64_t GOLDEN = 0x002948f05c804081, GOLDEN_REF = 0x1fc1e1df623c9a60;

static int32_t ids[N_IDS];
static float *logits;   /* [N_IDS, n_vocab]: the best instruction set, one thread, one piece */
static size_t n_vocab;

static model *open_model(const char *isa, uint32_t n_threads, bool blas) {
    failure f;
    model *m = NULL;
    const char *path = getenv("TRIVIUM_MODEL");
    if (!path) fail_msg("TRIVIUM_MODEL must name the model's file");
    model_options o = {.n_threads = n_threads, .isa = isa, .n_rows_max = BATCH_ROWS_MAX, .blas = blas};
    if (model_open(&m, path, &o, &f) != STATUS_OK) fail_msg("%s", f.message);
    n_vocab = model_shape_of(m)->n_vocab;
    return m;
}

static kv_cache *new_cache(const model *m) {
    kv_cache *cache = kv_cache_new(model_kv_shape(m), N_PAGES, N_SEQUENCES);
    assert_non_null(cache);
    return cache;
}

/* A text of its own. */
static kv_sequence open_sequence(kv_cache *cache, uint32_t number) {
    char key[16];
    kv_sequence s;
    uint32_t n_cached;
    snprintf(key, sizeof key, "%u", number);
    assert_int_equal(kv_cache_open(cache, key, ids, 1, N_IDS, &s, &n_cached), STATUS_OK);
    return s;
}

/* Logits of the first n positions of `ids`, in chunks, which a pass bounds. The caller frees. */
static float *compute(model *m, uint32_t n, uint32_t chunk) {
    batch_row rows[N_IDS];
    kv_cache *cache = new_cache(m);
    kv_sequence s = open_sequence(cache, 0);
    float *out = malloc(n * n_vocab * sizeof *out);
    assert_non_null(out);
    if (chunk > BATCH_ROWS_MAX) chunk = BATCH_ROWS_MAX;
    for (uint32_t pos = 0, n_rows; pos < n; pos += n_rows) {
        n_rows = n - pos < chunk ? n - pos : chunk;
        for (uint32_t r = 0; r < n_rows; r++) rows[r] = (batch_row){s, pos + r, ids[pos + r], true};
        forward(m, cache, rows, n_rows, out + pos * n_vocab);
    }
    kv_cache_free(&cache);
    return out;
}

static int compute_reference(void **state) {
    (void)state;
    for (int i = 0; i < N_IDS; i++) ids[i] = (i * i * 31 + i * 7 + 3) % 40000 + 100;
    model *m = open_model("auto", 1, false);
    logits = compute(m, N_IDS, N_IDS);
    model_close(&m);
    return 0;
}

static int free_reference(void **state) {
    (void)state;
    free(logits);
    return 0;
}

static void the_bits_are_those_of_every_build_and_machine(void **state) {
    (void)state;
    uint64_t hash = XXH3_64bits(logits, N_IDS * n_vocab * sizeof *logits);
    if (hash != GOLDEN) fail_msg("0x%016llx", (unsigned long long)hash);
}

static void plain_c_has_the_same_bits(void **state) {
    (void)state;
    model *m = open_model("ref", 2, false);
    float *got = compute(m, N_IDS_REF, 4);
    uint64_t hash = XXH3_64bits(got, N_IDS_REF * n_vocab * sizeof *got);
    if (hash != GOLDEN_REF) fail_msg("0x%016llx", (unsigned long long)hash);
    assert_memory_equal(got, logits, N_IDS_REF * n_vocab * sizeof *got);
    free(got);
    model_close(&m);
}

static void chunks_threads_and_instruction_sets_do_not_matter(void **state) {
    (void)state;
    static const uint32_t chunks[] = {1, 6, 7, 64, N_IDS};
    static const char *const isas[] = {"avx2", "avx512"};
    kernels k;
    failure f;
    for (int i = 0; i < 2; i++) {
        if (kernels_init(&k, isas[i], &f) != STATUS_OK) continue;
        for (uint32_t n_threads = 1; n_threads <= 2; n_threads++) {
            model *m = open_model(isas[i], n_threads, n_threads == 1);
            for (int c = 0; c < 5; c++) {
                float *got = compute(m, N_IDS, chunks[c]);
                if (memcmp(got, logits, N_IDS * n_vocab * sizeof *got) != 0)
                    fail_msg("isa=%s threads=%u chunk=%u", isas[i], n_threads, chunks[c]);
                free(got);
            }
            model_close(&m);
        }
    }
}

/* All decode together, the text with `ids` among them; the others have other ids. */
static void decode_beside(model *m, uint32_t n_others) {
    enum { N_STEPS = 6 };
    kv_cache *cache = new_cache(m);
    kv_sequence s[N_SEQUENCES];
    batch_row rows[N_SEQUENCES];
    float *got = malloc(N_SEQUENCES * n_vocab * sizeof *got);
    assert_non_null(got);
    uint32_t n = n_others + 1, at = n_others / 2;
    for (uint32_t i = 0; i < n; i++) s[i] = open_sequence(cache, i);
    for (uint32_t pos = 0; pos < N_STEPS; pos++) {
        for (uint32_t i = 0; i < n; i++)
            rows[i] = (batch_row){s[i], pos, ids[i == at ? pos : (17 * i + pos + 1) % N_IDS], true};
        forward(m, cache, rows, n, got);
        if (memcmp(got + at * n_vocab, logits + pos * n_vocab, n_vocab * sizeof *got) != 0)
            fail_msg("beside %u others, position %u", n_others, pos);
    }
    free(got);
    kv_cache_free(&cache);
}

static void other_texts_in_the_batch_do_not_matter(void **state) {
    (void)state;
    model *m = open_model("auto", 2, true);
    decode_beside(m, 1);
    decode_beside(m, 3);
    decode_beside(m, (BATCH_ROWS_MAX < (int)N_SEQUENCES ? BATCH_ROWS_MAX : (int)N_SEQUENCES) - 1);
    model_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bits_are_those_of_every_build_and_machine),
        cmocka_unit_test(plain_c_has_the_same_bits),
        cmocka_unit_test(chunks_threads_and_instruction_sets_do_not_matter),
        cmocka_unit_test(other_texts_in_the_batch_do_not_matter),
    };
    return cmocka_run_group_tests(tests, compute_reference, free_reference);
}
