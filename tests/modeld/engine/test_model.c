/* The promise of model_forward: a row's logits depend on the weights and the ids up to it alone.
 * Each model is computed once by the plain C kernels, on one thread, in one piece; then in every
 * other way, to the bit. And it is the right model: an independent one in double says nearly the
 * same. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "modeld/engine/model.h"
#include "modeld/formats/gguf.h"
#include "modeld/kernels/kernels.h"
#include "proto/base/limits.h"
#include "tests/support/models/double_model.h"
#include "tests/support/models/forward.h"
#include "tests/support/models/tiny_model.h"
#include "tests/support/scratch.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { N_IDS = 100, N_PAGES = 64, N_SEQUENCES = 4, SEED = 11 };

/* Models: every tensor type, and shapes that are multiples of nothing -------------------------- */

typedef struct model_case {
    const char *name;
    uint32_t type, embedding_type;
    model_shape shape;          /* zeros: as in tiny_model_defaults */
    bool own_head;              /* output.weight */
    tiny_family family;
    uint64_t golden;            /* XXH3 of the logits; arithmetic version 1 */
} model_case;

static const model_case CASES[] = {
    {"F32", TENSOR_F32, TENSOR_F32, {0}, false, TINY_LLAMA, 0x64c4868091337130},
    {"F16", TENSOR_F16, TENSOR_F16, {0}, false, TINY_LLAMA, 0x213c23217d595832},
    {"BF16", TENSOR_BF16, TENSOR_BF16, {0}, false, TINY_LLAMA, 0x34b69bec78dd54c0},
    {"Q8_0", TENSOR_Q8_0, TENSOR_Q8_0, {0}, false, TINY_LLAMA, 0x57bfaf6173793267},
    {"Q4_0", TENSOR_Q4_0, TENSOR_Q4_0, {0}, true, TINY_LLAMA, 0x4304b3c2c83b5009},
    {"Q4_1", TENSOR_Q4_1, TENSOR_Q8_0, {0}, false, TINY_LLAMA, 0x8f0130d9e3752873},
    {"odd", TENSOR_F32, TENSOR_F16,
     {.n_vocab = 331, .dim = 90, .n_heads = 5, .n_kv_heads = 1, .head_dim = 18, .ffn_dim = 61,
      .rotation.n_dims = 10}, true, TINY_LLAMA, 0x46cdea5ba7b36e56},
    {"slices", TENSOR_Q4_1, TENSOR_F32,
     {.n_vocab = 321, .dim = 288, .n_heads = 2, .n_kv_heads = 2, .head_dim = 272, .ffn_dim = 352,
      .n_layers = 1}, false, TINY_LLAMA, 0xdc704a269179c12c},
    {"float slices", TENSOR_F16, TENSOR_F32,
     {.n_vocab = 600, .dim = 300, .n_heads = 6, .n_kv_heads = 3, .head_dim = 50, .ffn_dim = 530,
      .n_layers = 1}, false, TINY_LLAMA, 0x8bf64b7765e245cb},
    {"Q5_0", TENSOR_Q5_0, TENSOR_Q5_0, {0}, false, TINY_LLAMA, 0x515f107b060919ff},
    {"Q5_1", TENSOR_Q5_1, TENSOR_Q5_1, {0}, false, TINY_LLAMA, 0x56560d904191379a},
    {"Q4_K", TENSOR_Q4_K, TENSOR_Q6_K, {0}, false, TINY_LLAMA, 0x8570769a482d4c1f},
    {"Q5_K", TENSOR_Q5_K, TENSOR_Q4_K, {.ffn_dim = 512}, true, TINY_LLAMA, 0xc154f9db08b26e08},
    {"Q6_K", TENSOR_Q6_K, TENSOR_Q5_K, {.n_layers = 1}, false, TINY_LLAMA, 0x08451243bcf51f63},
    {"chapter", TENSOR_F32, TENSOR_F16, {.dim = 60, .n_heads = 3, .ffn_dim = 90}, false, TINY_CHAPTER, 0x6a0df09cf49cd9fc},
    {"gpt2", TENSOR_Q8_0, TENSOR_Q8_0, {0}, true, TINY_GPT2, 0xaf949f7c6b67ed97},
    {"gpt2 odd", TENSOR_F16, TENSOR_F32,
     {.n_vocab = 327, .dim = 57, .n_heads = 3, .ffn_dim = 101}, false, TINY_GPT2, 0x926981e1de06ad12},
};
static const uint64_t GOLDEN_LONG = 0x91c7eb9415ad412f; /* of 530 positions of the case "odd" */
enum { N_CASES = sizeof CASES / sizeof CASES[0] };

static void use(uint32_t *field, uint32_t value) {
    if (value != 0) *field = value;
}

static void write_model(const model_case *c) {
    failure f;
    tiny_model_options o = tiny_model_defaults();
    o.type = c->type;
    o.embedding_type = c->embedding_type;
    o.tied = !c->own_head;
    o.family = c->family;
    o.seed = SEED;
    use(&o.shape.n_vocab, c->shape.n_vocab);
    use(&o.shape.n_layers, c->shape.n_layers);
    use(&o.shape.dim, c->shape.dim);
    use(&o.shape.n_heads, c->shape.n_heads);
    use(&o.shape.n_kv_heads, c->shape.n_kv_heads);
    use(&o.shape.head_dim, c->shape.head_dim);
    use(&o.shape.ffn_dim, c->shape.ffn_dim);
    use(&o.shape.rotation.n_dims, c->shape.rotation.n_dims);
    o.shape.n_ctx = 700;
    if (tiny_model_write(scratch_path(), &o, &f) != STATUS_OK)
        fail_msg("%s: %s", c->name, f.message);
}

static model *open_model(const char *isa, uint32_t n_threads, bool blas) {
    failure f;
    model *m;
    model_options o = {.n_threads = n_threads, .isa = isa, .n_rows_max = BATCH_ROWS_MAX, .blas = blas};
    if (model_open(&m, scratch_path(), &o, &f) != STATUS_OK) fail_msg("%s", f.message);
    return m;
}

/* Ways to compute ------------------------------------------------------------------------------ */

static void make_ids(const model *m, int32_t *ids, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        ids[i] = (int32_t)((i * i * 31 + i * 7 + 3) % model_shape_of(m)->n_vocab);
}

static kv_sequence open_sequence(kv_cache *cache, const char *key, const int32_t *ids,
                                 uint32_t n_ids, uint32_t *n_cached) {
    kv_sequence s;
    assert_int_equal(kv_cache_open(cache, key, ids, n_ids, n_ids, &s, n_cached), STATUS_OK);
    return s;
}

static kv_cache *new_cache(const model *m) {
    kv_cache *cache = kv_cache_new(model_kv_shape(m), N_PAGES, N_SEQUENCES);
    assert_non_null(cache);
    return cache;
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* Logits of positions first … n − 1, in chunks of at most `chunk` rows. */
static void prefill(model *m, kv_cache *cache, kv_sequence s, const int32_t *ids, uint32_t first,
                    uint32_t n, uint32_t chunk, float *logits) {
    batch_row rows[BATCH_ROWS_MAX];
    size_t n_vocab = model_shape_of(m)->n_vocab;
    for (uint32_t pos = first; pos < n;) {
        uint32_t n_rows = least(least(chunk, BATCH_ROWS_MAX), n - pos);
        for (uint32_t r = 0; r < n_rows; r++) rows[r] = (batch_row){s, pos + r, ids[pos + r], true};
        forward(m, cache, rows, n_rows, logits + pos * n_vocab);
        pos += n_rows;
    }
}

static float *logits_of(model *m, const int32_t *ids, uint32_t n, uint32_t chunk) {
    uint32_t n_cached;
    kv_cache *cache = new_cache(m);
    float *logits = malloc((size_t)n * model_shape_of(m)->n_vocab * sizeof *logits);
    assert_non_null(logits);
    prefill(m, cache, open_sequence(cache, "", ids, n, &n_cached), ids, 0, n, chunk, logits);
    kv_cache_free(&cache);
    return logits;
}

typedef struct reference {
    int32_t ids[N_IDS];
    size_t n_bytes, row_bytes;
    float *logits;
} reference;

static reference references[N_CASES];

static int compute_references(void **state) {
    (void)state;
    for (int c = 0; c < N_CASES; c++) {
        reference *r = &references[c];
        write_model(&CASES[c]);
        model *m = open_model("ref", 1, false);
        make_ids(m, r->ids, N_IDS);
        r->row_bytes = model_shape_of(m)->n_vocab * sizeof *r->logits;
        r->n_bytes = N_IDS * r->row_bytes;
        r->logits = logits_of(m, r->ids, N_IDS, N_IDS);
        model_close(&m);
    }
    return 0;
}

static int free_references(void **state) {
    (void)state;
    for (int c = 0; c < N_CASES; c++) free(references[c].logits);
    return 0;
}

static const char *const ISAS[] = {"ref", "avx2", "avx512"};

static bool has_isa(const char *isa) {
    kernels k;
    failure f;
    return kernels_init(&k, isa, &f) == STATUS_OK;
}

static void chunks_threads_and_instruction_sets_do_not_matter(void **state) {
    (void)state;
    static const uint32_t chunks[] = {7, 1, 6, 64, N_IDS};
    for (int c = 0; c < N_CASES; c++) {
        write_model(&CASES[c]);
        const reference *want = &references[c];
        for (int isa = 0; isa < 3; isa++) {
            if (!has_isa(ISAS[isa])) continue;
            for (int i = 0; i < (isa == 0 ? 2 : 5); i++) {      /* plain C takes its time */
                uint32_t n_threads = 1 + (uint32_t)(i + c) % 3;
                model *m = open_model(ISAS[isa], n_threads, i % 2);
                float *got = logits_of(m, want->ids, N_IDS, chunks[i]);
                if (memcmp(want->logits, got, want->n_bytes) != 0)
                    fail_msg("%s isa=%s threads=%u chunk=%u", CASES[c].name, ISAS[isa], n_threads,
                             chunks[i]);
                free(got);
                model_close(&m);
            }
        }
    }
}

/* Three sequences take turns in each batch: 1 row of the first, up to 3 and 5 of the others. */
static void other_sequences_in_the_batch_do_not_matter(void **state) {
    (void)state;
    enum { SEQUENCES = 3 };
    for (int c = 0; c < N_CASES; c++) {
        write_model(&CASES[c]);
        const reference *want = &references[c];
        model *m = open_model("auto", 2, true);
        size_t n_vocab = model_shape_of(m)->n_vocab;
        kv_cache *cache = new_cache(m);
        kv_sequence s[SEQUENCES];
        uint32_t pos[SEQUENCES] = {0}, n_cached;
        float *logits = malloc(8 * n_vocab * sizeof *logits);
        for (uint32_t i = 0; i < SEQUENCES; i++)
            s[i] = open_sequence(cache, (const char[]){(char)('a' + i), 0}, want->ids, N_IDS,
                                 &n_cached);
        while (pos[0] < N_IDS / 2) {
            batch_row rows[8];
            uint32_t n_rows = 0, n_wanted = 0;
            for (uint32_t i = 0; i < SEQUENCES; i++)
                for (uint32_t r = 0;
                     r < 2 * i + 1 && pos[i] < N_IDS && n_rows < least(8, BATCH_ROWS_MAX); r++) {
                    rows[n_rows++] = (batch_row){s[i], pos[i], want->ids[pos[i]], pos[i] % 3 != 1};
                    pos[i]++;
                }
            forward(m, cache, rows, n_rows, logits);
            for (uint32_t r = 0; r < n_rows; r++)
                if (rows[r].wants_logits
                    && memcmp(logits + n_wanted++ * n_vocab, want->logits + rows[r].pos * n_vocab,
                              want->row_bytes))
                    fail_msg("%s position %u", CASES[c].name, rows[r].pos);
        }
        free(logits);
        kv_cache_free(&cache);
        model_close(&m);
    }
}

static void a_cached_prefix_does_not_matter(void **state) {
    (void)state;
    for (int c = 0; c < N_CASES; c++) {
        write_model(&CASES[c]);
        const reference *want = &references[c];
        model *m = open_model("auto", 2, false);
        kv_cache *cache = new_cache(m);
        float *logits = malloc(want->n_bytes);
        uint32_t n_cached, n_half = N_IDS / 2 + 5;
        kv_sequence s = open_sequence(cache, "key", want->ids, n_half, &n_cached);
        prefill(m, cache, s, want->ids, 0, n_half, 64, logits);
        kv_cache_close(cache, s);
        s = open_sequence(cache, "key", want->ids, N_IDS, &n_cached);
        assert_int_equal(n_cached, n_half);
        prefill(m, cache, s, want->ids, n_cached, N_IDS, 64, logits);
        assert_memory_equal(logits, want->logits, want->n_bytes);
        free(logits);
        kv_cache_free(&cache);
        model_close(&m);
    }
}

/* Past 256 positions the sums over values go on in a second slice, past 512 in a third. */
static void long_texts_are_the_same_everywhere(void **state) {
    (void)state;
    enum { LONG = 530 };
    static int32_t ids[LONG];
    write_model(&CASES[6]);
    model *m = open_model("ref", 1, false);
    make_ids(m, ids, LONG);
    size_t n_bytes = LONG * (size_t)model_shape_of(m)->n_vocab * sizeof(float);
    float *want = logits_of(m, ids, LONG, 100);
    model_close(&m);
    uint64_t hash = XXH3_64bits(want, n_bytes);
    if (hash != GOLDEN_LONG) fail_msg("0x%016llx", (unsigned long long)hash);
    for (int isa = 1; isa < 3; isa++) {
        if (!has_isa(ISAS[isa])) continue;
        m = open_model(ISAS[isa], 2, true);
        float *got = logits_of(m, ids, LONG, isa == 1 ? 47 : 512);
        assert_memory_equal(want, got, n_bytes);
        free(got);
        model_close(&m);
    }
    free(want);
}

/* A change of any bit needs a new ARITHMETIC_VERSION, and new numbers here. */
static void bits_change_only_with_the_arithmetic_version(void **state) {
    (void)state;
    assert_int_equal(ARITHMETIC_VERSION, 1);
    for (int c = 0; c < N_CASES; c++) {
        uint64_t hash = XXH3_64bits(references[c].logits, references[c].n_bytes);
        if (hash != CASES[c].golden)
            fail_msg("%s: 0x%016llx", CASES[c].name, (unsigned long long)hash);
    }
}

/* Root mean square of the difference, against that of the logits themselves. */
static void logits_are_those_of_the_paper(void **state) {
    (void)state;
    failure f;
    for (int c = 0; c < N_CASES; c++) {
        write_model(&CASES[c]);
        const reference *r = &references[c];
        gguf *g;
        assert_int_equal(gguf_open(&g, scratch_path(), &f), STATUS_OK);
        model *m = open_model("ref", 1, false);
        double *exact = double_model_logits(g, model_shape_of(m), r->ids, N_IDS), off = 0, size = 0;
        for (size_t i = 0; i < r->n_bytes / sizeof *r->logits; i++) {
            off += ((double)r->logits[i] - exact[i]) * ((double)r->logits[i] - exact[i]);
            size += exact[i] * exact[i];
        }
        bool int8 = type_is_quantized(CASES[c].type);
        double relative =
            sqrt(off / size); /* int8 activations have 7 bits, the cache's values 11 */
        if (!(relative < (int8 ? 0.05 : 0.002))) fail_msg("%s: off by %g", CASES[c].name, relative);
        free(exact);
        gguf_close(&g);
        model_close(&m);
    }
}

static void the_fingerprint_names_weights_and_arithmetic(void **state) {
    (void)state;
    failure f;
    char prints[3][64];
    for (int i = 0; i < 3; i++) {
        write_model(&CASES[i == 2 ? 1 : 0]);
        model *m = open_model(i == 1 ? "ref" : "auto", 1, false);
        snprintf(prints[i], sizeof prints[i], "%s", model_fingerprint(m));
        model_close(&m);
        char of_file[FINGERPRINT_BYTES];
        assert_int_equal(model_file_fingerprint(scratch_path(), of_file, &f), STATUS_OK);
        assert_string_equal(of_file, prints[i]);
    }
    assert_string_equal(prints[0], prints[1]);
    assert_string_not_equal(prints[0], prints[2]);
    assert_int_equal(strspn(prints[0], "0123456789abcdef"), 40);
}

static void a_description_is_for_the_log(void **state) {
    (void)state;
    write_model(&CASES[5]);
    model *m = open_model("ref", 2, true);
    assert_non_null(strstr(model_description(m), "isa=ref threads=2"));
    assert_non_null(strstr(model_description(m), "Q4_1:14"));
    model_close(&m);
    assert_null(m);
}

/* Resident kilobytes of the mappings of a file of this process. */
static unsigned long resident_kb(const char *path) {
    FILE *maps = fopen("/proc/self/smaps", "r");
    assert_non_null(maps);
    char line[512];
    unsigned long sum = 0, kb = 0, begin = 0, end = 0;
    bool ours = false;
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx", &begin, &end) == 2) ours = strstr(line, path) != NULL;
        if (ours && sscanf(line, "Rss: %lu kB", &kb) == 1) sum += kb;
    }
    fclose(maps);
    return sum;
}

static void the_file_is_not_kept_in_memory_beside_its_packed_copy(void **state) {
    (void)state;
    write_model(&(model_case){.type = TENSOR_F32, .embedding_type = TENSOR_F32,
                              .shape = {.n_vocab = 16384}, .own_head = true});
    model *m = open_model("ref", 1, true);
    assert_in_range(resident_kb(scratch_path()), 0, 512); /* of 8192 */
    model_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_threads_and_instruction_sets_do_not_matter),
        cmocka_unit_test(other_sequences_in_the_batch_do_not_matter),
        cmocka_unit_test(a_cached_prefix_does_not_matter),
        cmocka_unit_test(long_texts_are_the_same_everywhere),
        cmocka_unit_test(bits_change_only_with_the_arithmetic_version),
        cmocka_unit_test(logits_are_those_of_the_paper),
        cmocka_unit_test(the_fingerprint_names_weights_and_arithmetic),
        cmocka_unit_test(a_description_is_for_the_log),
        cmocka_unit_test(the_file_is_not_kept_in_memory_beside_its_packed_copy),
    };
    return cmocka_run_group_tests(tests, compute_references, free_references);
}
