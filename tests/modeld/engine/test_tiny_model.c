/* tests/support: the quantizers and the tiny models that other tests rely on are what they say. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "modeld/formats/gguf.h"
#include "proto/numeric/half.h"
#include "tests/support/models/quantize.h"
#include "tests/support/models/sample_gguf.h"
#include "tests/support/models/tiny_model.h"
#include "tests/support/models/tiny_vocabulary.h"
#include "tests/support/scratch.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { N = 768 };

/* How far a value may move: half a step of the block's scale, plus the rounding of scale and minimum. */
static double step_bound(const tensor_layout *layout, const float *block) {
    double low = 0, high = 0, far;
    for (size_t i = 0; i < layout->block_items; i++) {
        low = fmin(low, (double)block[i]);
        high = fmax(high, (double)block[i]);
    }
    far = fmax(-low, high);
    switch (layout->type) {
    case TENSOR_F32: return 0;
    case TENSOR_F16: return far * 0x1p-11;
    case TENSOR_BF16: return far * 0x1p-8;
    case TENSOR_Q8_0: return far / 127 * 0.57;
    case TENSOR_Q4_0: return far / 8 * 1.01;        /* the far end on the other side is cut off */
    case TENSOR_Q5_0: return far / 16 * 1.01;
    case TENSOR_Q4_1: return (high - low) / 15 * 0.52 + far * 0x1p-10;
    case TENSOR_Q5_1: return (high - low) / 31 * 0.52 + far * 0x1p-10;
    case TENSOR_Q4_K: return (high - low) / 15 * 0.8;       /* scale and minimum are rounded, too */
    case TENSOR_Q5_K: return (high - low) / 31 * 1.1;
    case TENSOR_Q6_K: return far / 32 * 1.2;
    }
    return 0;
}

static void every_type_keeps_its_values_as_closely_as_it_can(void **state) {
    (void)state;
    float x[N], back[N];
    for (size_t i = 0; i < N; i++) x[i] = (float)((int)(i * 37 % 96) - 40) / 7.0f + (float)(i % 256 / 32);
    for (size_t k = 0; k < SAMPLE_TENSORS; k++) {
        const tensor_layout *layout = tensor_layout_of(sample_types[k]);
        size_t n_bytes = N / layout->block_items * layout->block_bytes;
        uint8_t *bytes = malloc(n_bytes);
        assert_non_null(bytes);
        quantize_row(layout, x, N, bytes);
        dequantize_row(layout, bytes, N, back);
        free(bytes);
        for (size_t i = 0; i < N; i++) {
            double bound = step_bound(layout, x + i / layout->block_items * layout->block_items);
            if (!(fabs((double)back[i] - (double)x[i]) <= bound))
                fail_msg("%s: %g became %g", layout->name, (double)x[i], (double)back[i]);
        }
    }
}

static void blocks_lie_as_in_ggml(void **state) {
    (void)state;
    uint8_t q8[34] = {0}, q4[18] = {0}, q41[20] = {0};
    const uint16_t scale = half_from_float(0.5f), low = half_from_float(-3.0f);
    float x[32];
    memcpy(q8, &scale, 2);
    q8[2 + 31] = (uint8_t)-7;
    dequantize_row(tensor_layout_of(TENSOR_Q8_0), q8, 32, x);
    assert_true(x[31] == -3.5f && x[0] == 0.0f);
    memcpy(q4, &scale, 2);
    q4[2 + 5] = 0xf1;                       /* item 5 is 1, item 21 is 15 */
    dequantize_row(tensor_layout_of(TENSOR_Q4_0), q4, 32, x);
    assert_true(x[5] == -3.5f && x[21] == 3.5f && x[0] == -4.0f);
    memcpy(q41, &scale, 2);
    memcpy(q41 + 2, &low, 2);
    q41[4 + 5] = 0xf1;
    dequantize_row(tensor_layout_of(TENSOR_Q4_1), q41, 32, x);
    assert_true(x[5] == -2.5f && x[21] == 4.5f && x[0] == -3.0f);
}

/* Scale 0.5; the scales and minimums of blocks are 1 and 2, of block 5 they are 33 and 50. */
static void k_blocks_lie_as_in_ggml(void **state) {
    (void)state;
    static const uint8_t factors[12] = {1, 1 | 2 << 6, 1, 1, 2, 2 | 3 << 6, 2, 2,
                                        1 | 2 << 4, 1 | 2 << 4, 1 | 2 << 4, 1 | 2 << 4};
    const uint16_t scale = half_from_float(0.5f), minimum = half_from_float(0.25f);
    uint8_t q4[144] = {0}, q5[176] = {0}, q6[210] = {0};
    float x[256];
    memcpy(q4, &scale, 2);
    memcpy(q4 + 2, &minimum, 2);
    memcpy(q4 + 4, factors, 12);
    memcpy(q5, q4, 16);
    q4[16 + 32 + 3] = 0x7a;                 /* item 67 is 10, item 99 is 7 */
    q4[16 + 64 + 3] = 0x90;                 /* item 131 + 32 is 9, in block 5 */
    dequantize_row(tensor_layout_of(TENSOR_Q4_K), q4, 256, x);
    assert_true(x[67] == 4.5f && x[99] == 3.0f && x[0] == -0.5f && x[163] == 136.0f && x[160] == -12.5f);
    q5[16 + 3] = 1 << 5;                    /* the fifth bit of item 163 */
    q5[48 + 64 + 3] = 0x90;
    dequantize_row(tensor_layout_of(TENSOR_Q5_K), q5, 256, x);
    assert_true(x[163] == 400.0f && x[3] == -0.5f);
    memcpy(q6 + 208, &scale, 2);
    q6[192 + 13] = (uint8_t)-3;             /* of items 208 … 223 */
    q6[64 + 16] = 0x51;                     /* item 144 is 1, item 208 is 5 */
    q6[128 + 32 + 16] = 3 << 4;             /* and item 208 has both upper bits */
    dequantize_row(tensor_layout_of(TENSOR_Q6_K), q6, 256, x);
    assert_true(x[208] == -31.5f && x[209] == 48.0f && x[144] == 0.0f);
}

static void a_block_of_zeros_stays_zero(void **state) {
    (void)state;
    const float zeros[256] = {0};
    for (size_t k = 0; k < SAMPLE_TENSORS; k++) {
        const tensor_layout *layout = tensor_layout_of(sample_types[k]);
        uint8_t bytes[sizeof zeros];
        float x[256];
        quantize_row(layout, zeros, 256, bytes);
        dequantize_row(layout, bytes, 256, x);
        for (size_t i = 0; i < 256; i++) assert_true(x[i] == 0.0f);
    }
}

static gguf *write_model(const tiny_model_options *o) {
    failure f;
    if (tiny_model_write(scratch_path(), o, &f) != STATUS_OK) fail_msg("%s", f.message);
    return sample_open();
}

static void assert_matrix(const gguf *g, const char *name, uint32_t type, uint64_t columns, uint64_t rows) {
    const gguf_tensor *t = gguf_find_tensor(g, name);
    assert_non_null(t);
    assert_int_equal(t->layout->type, type);
    assert_int_equal(t->dims[0], columns);
    assert_int_equal(t->dims[1], rows);
}

static void a_model_has_every_tensor_in_its_shape(void **state) {
    (void)state;
    for (size_t k = 0; k < SAMPLE_TENSORS; k++) {
        tiny_model_options o = tiny_model_defaults();
        o.type = sample_types[k];
        o.embedding_type = TENSOR_Q8_0;
        bool wide = tensor_layout_of(o.type)->block_items == 256;
        uint64_t dim = wide ? 256 : 64, ffn_dim = wide ? 256 : 96, head_dim = wide ? 128 : 80;
        o.tied = k & 1;
        o.shape.n_vocab = 323;
        o.shape.n_heads = 6;
        o.shape.head_dim = (uint32_t)head_dim;
        o.shape.rotation.n_dims = 16;
        gguf *g = write_model(&o);
        assert_int_equal(gguf_n_tensors(g), 2 * 9 + (o.tied ? 2 : 3));
        assert_matrix(g, "token_embd.weight", TENSOR_Q8_0, dim, 323);
        assert_matrix(g, "blk.1.attn_q.weight", o.type, dim, 6 * head_dim);
        assert_matrix(g, "blk.1.attn_k.weight", o.type, dim, 2 * head_dim);
        assert_matrix(g, "blk.1.attn_output.weight", o.type, 6 * head_dim, dim);
        assert_matrix(g, "blk.1.ffn_down.weight", o.type, ffn_dim, dim);
        assert_matrix(g, "blk.0.ffn_norm.weight", TENSOR_F32, dim, 1);
        assert_true(!gguf_find_tensor(g, "output.weight") == o.tied);
        uint64_t key_length = 0;
        failure f;
        assert_int_equal(gguf_uint(g, "llama.attention.key_length", 1, 999, &key_length, &f), STATUS_OK);
        assert_int_equal(key_length, head_dim);
        gguf_close(&g);
    }
}

static void the_seed_decides_every_byte(void **state) {
    (void)state;
    char first[33], again[33], other[33];
    tiny_model_options o = tiny_model_defaults();
    gguf *g = write_model(&o);
    gguf_hash(g, first);
    gguf_close(&g);
    g = write_model(&o);
    gguf_hash(g, again);
    gguf_close(&g);
    o.seed++;
    g = write_model(&o);
    gguf_hash(g, other);
    gguf_close(&g);
    assert_string_equal(first, again);
    assert_string_equal(first, "0c0e26e5710ae4968809a80011eb3f11");     /* on every machine */
    assert_string_not_equal(first, other);
}

static void shapes_that_cannot_be_are_refused(void **state) {
    (void)state;
    failure f;
    tiny_model_options o = tiny_model_defaults();
    o.type = 16;
    assert_int_equal(tiny_model_write(scratch_path(), &o, &f), STATUS_BAD_REQUEST);
    o = tiny_model_defaults();
    o.type = TENSOR_Q4_0;
    o.shape.ffn_dim = 100;
    assert_int_equal(tiny_model_write(scratch_path(), &o, &f), STATUS_BAD_REQUEST);
    o = tiny_model_defaults();
    o.shape.n_kv_heads = 3;
    assert_int_equal(tiny_model_write(scratch_path(), &o, &f), STATUS_BAD_REQUEST);
    o = tiny_model_defaults();
    o.shape.n_vocab = TINY_FIRST_MERGE - 1;
    assert_int_equal(tiny_model_write(scratch_path(), &o, &f), STATUS_BAD_REQUEST);
    o = tiny_model_defaults();
    assert_int_equal(tiny_model_write("/no such folder/x.gguf", &o, &f), STATUS_IO);
}

static int text_compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int merge_makes(const char *merge, const char *token) {
    const char *blank = strchr(merge, ' ');
    size_t n_left = (size_t)(blank - merge);
    return strncmp(merge, token, n_left) == 0 && strcmp(blank + 1, token + n_left) == 0;
}

static void a_vocabulary_has_every_byte_and_no_token_twice(void **state) {
    (void)state;
    tiny_vocabulary v;
    tiny_vocabulary_make(&v, 5000, NULL, 0);
    assert_int_equal(v.n_tokens, 5000);
    assert_int_equal(v.n_merges, 5000 - TINY_FIRST_MERGE);
    for (size_t i = 0; i < v.n_merges; i++)
        assert_true(merge_makes(v.merges[i], v.tokens[TINY_FIRST_MERGE + i]));
    qsort(v.tokens, v.n_tokens, sizeof *v.tokens, text_compare);
    for (size_t i = 1; i < v.n_tokens; i++) assert_string_not_equal(v.tokens[i - 1], v.tokens[i]);
    for (size_t i = 0; i < v.n_merges; i++) {
        char *blank = strchr(v.merges[i], ' '), *left = v.merges[i], *right = blank + 1;
        *blank = '\0';
        assert_non_null(bsearch(&left, v.tokens, v.n_tokens, sizeof *v.tokens, text_compare));
        assert_non_null(bsearch(&right, v.tokens, v.n_tokens, sizeof *v.tokens, text_compare));
    }
    tiny_vocabulary_free(&v);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_keeps_its_values_as_closely_as_it_can),
        cmocka_unit_test(blocks_lie_as_in_ggml),
        cmocka_unit_test(k_blocks_lie_as_in_ggml),
        cmocka_unit_test(a_block_of_zeros_stays_zero),
        cmocka_unit_test(a_model_has_every_tensor_in_its_shape),
        cmocka_unit_test(the_seed_decides_every_byte),
        cmocka_unit_test(shapes_that_cannot_be_are_refused),
        cmocka_unit_test(a_vocabulary_has_every_byte_and_no_token_twice),
    };
    return cmocka_run_group_tests_name("tiny_model", tests, NULL, NULL);
}
