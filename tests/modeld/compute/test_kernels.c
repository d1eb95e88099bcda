/* Every instruction set that this machine has gives the bits of ref.c, at every tail length and for
 * extreme values; and ref.c computes what the formulas in kernels.h say, measured in double. */
#include "modeld/kernels/kernels.h"
#include "proto/numeric/half.h"
#include "tests/support/models/quantize.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static kernels ref;
static kernels fast[2];
static int n_fast;

/* Data ----------------------------------------------------------------------------------------- */

typedef enum mode { ORDINARY, EXTREME } mode;

static uint64_t random_state = 1;

static uint32_t random_bits(void) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 32);
}

static uint32_t random_below(uint32_t n) {
    return (uint32_t)(((uint64_t)random_bits() * n) >> 32);
}

static float random_float(mode m) {
    static const float extremes[] = {0.0f,    -0.0f,    FLT_MIN,  -FLT_MIN / 8, FLT_TRUE_MIN,
                                     FLT_MAX, -FLT_MAX, INFINITY, -INFINITY,    NAN,
                                     1e-37f,  3e38f,    88.8f,    -87.4f,       104.0f};
    enum { N_EXTREMES = sizeof extremes / sizeof extremes[0] };
    if (m == EXTREME && random_below(8) == 0) return extremes[random_below(N_EXTREMES)];
    return ((float)random_bits() * 0x1p-31f - 1.0f) * (random_below(4) == 0 ? 8.0f : 1.0f);
}

/* Exactly n floats on the heap, so that AddressSanitizer sees a read or write beyond them. */
static float *random_floats(size_t n, mode m) {
    float *x = malloc(n * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) x[i] = random_float(m);
    return x;
}

static void *copy_of(const void *bytes, size_t n_bytes) {
    void *copy = malloc(n_bytes);
    assert_non_null(copy);
    memcpy(copy, bytes, n_bytes);
    return copy;
}

/* Equal bits; any NaN equals any NaN, for which operand's payload survives is left open. */
static bool same_bits(const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]))) return false;
    return true;
}

static uint16_t random_half(mode m) {
    if (m == EXTREME && random_below(8) == 0) return (uint16_t)random_bits();
    return half_from_float(random_float(ORDINARY) / 16);
}

/* Where a file's block of this type has its scale. */
static size_t scale_at(tensor_type type) {
    return type == TENSOR_Q6_K ? tensor_layout_of(type)->block_bytes - 2 : 0;
}

/* The rows of a tensor as a file holds them. */
static uint8_t *random_rows(tensor_type type, uint32_t n_outputs, uint32_t n_inputs, mode m) {
    const tensor_layout *layout = tensor_layout_of(type);
    size_t n_blocks = (size_t)n_outputs * n_inputs / layout->block_items;
    uint8_t *rows = malloc(n_blocks * layout->block_bytes);
    assert_non_null(rows);
    for (size_t b = 0; b < n_blocks; b++) {
        uint8_t *block = rows + b * layout->block_bytes;
        for (uint32_t i = 0; i < layout->block_bytes; i++) block[i] = (uint8_t)random_bits();
        uint16_t halves[2] = {random_half(m), random_half(m)};
        float item = random_float(m);
        if (type == TENSOR_F32) memcpy(block, &item, 4);
        else if (type == TENSOR_BF16) memcpy(block, (const uint8_t *)&item + 2, 2);
        else memcpy(block + scale_at(type), halves, code_form_of(type).has_minimum ? 4 : 2);
    }
    return rows;
}

typedef struct packed {
    matrix m;
    uint8_t *rows, *panels;
} packed;

static packed pack_rows(tensor_type type, uint32_t n_outputs, uint32_t n_inputs, uint8_t *rows) {
    uint8_t *panels = aligned_alloc(PANEL_ALIGNMENT, matrix_bytes(type, n_outputs, n_inputs));
    assert_non_null(panels);
    return (packed){matrix_pack(type, n_outputs, n_inputs, rows, panels), rows, panels};
}

static packed random_matrix(tensor_type type, uint32_t n_outputs, uint32_t n_inputs, mode m) {
    return pack_rows(type, n_outputs, n_inputs, random_rows(type, n_outputs, n_inputs, m));
}

static void packed_free(packed *p) {
    free(p->rows);
    free(p->panels);
}

static int8_block *quantized(const float *x, uint32_t n_blocks) {
    int8_block *blocks = malloc(n_blocks * sizeof *blocks);
    assert_non_null(blocks);
    ref.quantize(blocks, x, n_blocks);
    return blocks;
}

/* Against ref, to the bit ---------------------------------------------------------------------- */

static bool same_blocks(const int8_block *a, const int8_block *b, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (memcmp(a[i].codes, b[i].codes, BLOCK) != 0 || a[i].sum != b[i].sum
            || a[i].low_sum != b[i].low_sum
            || !same_bits(&a[i].scale, &b[i].scale, 1)
            || !same_bits(&a[i].scaled_sum, &b[i].scaled_sum, 1))
            return false;
    return true;
}

static void quantize_is_the_same_everywhere(void **state) {
    (void)state;
    for (int round = 0; round < 4000; round++) {
        uint32_t n_blocks = 1 + random_below(3);
        float *x = random_floats(n_blocks * BLOCK, round % 2 ? EXTREME : ORDINARY);
        float tiny = round % 8 == 0 ? 0x1p-123f : 1.0f; /* about where blocks begin to count as 0 */
        for (uint32_t i = 0; i < n_blocks * BLOCK; i++) x[i] *= tiny;
        int8_block *want = quantized(x, n_blocks);
        for (int f = 0; f < n_fast; f++) {
            int8_block *got = malloc(n_blocks * sizeof *got);
            fast[f].quantize(got, x, n_blocks);
            if (!same_blocks(want, got, n_blocks)) fail_msg("quantize isa=%s", fast[f].name);
            free(got);
        }
        free(want);
        free(x);
    }
}

static void check_int8_tile(const packed *p, const int8_block *x, uint32_t n_rows, bool add) {
    const matrix *w = &p->m;
    uint32_t n_panels = matrix_n_panels(w), first = random_below(n_panels);
    uint32_t n = 1 + random_below(n_panels - first);
    size_t n_y = (size_t)n_rows * w->n_outputs;
    float *before = random_floats(n_y, ORDINARY), *want = copy_of(before, n_y * sizeof *before);
    ref.int8_tile(want, w->n_outputs, w, first, n, x, n_rows, add);
    for (int f = 0; f < n_fast; f++) {
        float *got = copy_of(before, n_y * sizeof *before);
        fast[f].int8_tile(got, w->n_outputs, w, first, n, x, n_rows, add);
        if (!same_bits(want, got, n_y))
            fail_msg("int8_tile isa=%s %s outputs=%u inputs=%u rows=%u", fast[f].name,
                     tensor_layout_of(w->type)->name, w->n_outputs, w->n_inputs, n_rows);
        free(got);
    }
    free(before);
    free(want);
}

static const tensor_type INT8_TYPES[] = {TENSOR_Q4_0, TENSOR_Q4_1, TENSOR_Q5_0, TENSOR_Q5_1,
                                         TENSOR_Q8_0, TENSOR_Q4_K, TENSOR_Q5_K, TENSOR_Q6_K};
enum { N_INT8_TYPES = sizeof INT8_TYPES / sizeof INT8_TYPES[0] };
static const tensor_type FLOAT_TYPES[] = {TENSOR_F32, TENSOR_F16, TENSOR_BF16};

static void int8_tiles_are_the_same_everywhere(void **state) {
    (void)state;
    for (int t = 0; t < N_INT8_TYPES; t++)
        for (uint32_t n_outputs = 1; n_outputs <= 67; n_outputs++)
            for (uint32_t n_rows = 1; n_rows <= TILE_ROWS; n_rows++) {
                mode m = (n_outputs + n_rows) % 4 == 0 ? EXTREME : ORDINARY;
                uint32_t n_blocks = (1 + random_below(5)) * code_form_of(INT8_TYPES[t]).unit_blocks;
                packed p = random_matrix(INT8_TYPES[t], n_outputs, n_blocks * BLOCK, m);
                float *x = random_floats((size_t)n_rows * n_blocks * BLOCK, m);
                int8_block *blocks = quantized(x, n_rows * n_blocks);
                check_int8_tile(&p, blocks, n_rows, n_outputs % 2 == 0);
                free(blocks);
                free(x);
                packed_free(&p);
            }
}

/* The largest codes and factors against the largest activations: where 16-bit sums would saturate,
 * and where a block's integer is longest. */
static void int8_tiles_never_saturate(void **state) {
    (void)state;
    enum { INPUTS = 2 * UNIT_BLOCKS_MAX * BLOCK, OUTPUTS = 2 * PANEL };
    static const uint8_t fills[] = {0x00, 0x7f, 0x80, 0x81, 0xff, 0x0f, 0xf0};
    for (int t = 0; t < N_INT8_TYPES; t++)
        for (size_t k = 0; k < sizeof fills; k++)
            for (int sign = 0; sign < 3; sign++) {
                uint8_t *rows = random_rows(INT8_TYPES[t], OUTPUTS, INPUTS, ORDINARY);
                const tensor_layout *layout = tensor_layout_of(INT8_TYPES[t]);
                size_t at = scale_at(layout->type);
                size_t head = at > 0 ? 0 : code_form_of(layout->type).has_minimum ? 4 : 2;
                size_t tail = at > 0 ? 2 : 0;
                for (size_t b = 0; b < OUTPUTS * INPUTS / layout->block_items; b++)
                    memset(rows + b * layout->block_bytes + head, fills[k],
                           layout->block_bytes - head - tail);
                packed p = pack_rows(INT8_TYPES[t], OUTPUTS, INPUTS, rows);
                float x[INPUTS];
                for (int i = 0; i < INPUTS; i++)
                    x[i] = sign == 0 || (sign == 1 && i % 2) ? 2.0f : -2.0f;
                int8_block *blocks = quantized(x, INPUTS / BLOCK);
                check_int8_tile(&p, blocks, 1, false);
                free(blocks);
                packed_free(&p);
            }
}

static void check_float_tile(float_tile t, mode m) {
    size_t n_items = t.k_stride * t.n_k + t.panel_stride * t.n_panels + PANEL;
    uint8_t *items = random_rows(t.type, 1, (uint32_t)n_items, m);
    float *x = random_floats((size_t)(t.n_rows - 1) * t.x_stride + t.n_k, m);
    size_t n_y = (size_t)(t.n_rows - 1) * t.y_stride + t.n_panels * PANEL;
    float *before = random_floats(n_y, ORDINARY), *want = copy_of(before, n_y * sizeof *before);
    t.w = items;
    t.x = x;
    t.y = want;
    ref.float_tile(&t);
    for (int f = 0; f < n_fast; f++) {
        t.y = copy_of(before, n_y * sizeof *before);
        fast[f].float_tile(&t);
        if (!same_bits(want, t.y, n_y))
            fail_msg("float_tile isa=%s type=%s panels=%u rows=%u k=%u", fast[f].name,
                     tensor_layout_of(t.type)->name, t.n_panels, t.n_rows, t.n_k);
        free(t.y);
    }
    free(items);
    free(x);
    free(before);
    free(want);
}

static void float_tiles_are_the_same_everywhere(void **state) {
    (void)state;
    for (int type = 0; type < 3; type++)
        for (uint32_t n_panels = 1; n_panels <= TILE_PANELS; n_panels++)
            for (uint32_t n_rows = 1; n_rows <= TILE_ROWS; n_rows++)
                for (uint32_t n_k = 0; n_k <= 67; n_k++) {
                    uint32_t n = n_k == 67 ? SLICE : n_k;
                    float_tile t = {.type = FLOAT_TYPES[type], .n_panels = n_panels, .n_k = n,
                                    .n_rows = n_rows, .x_stride = n + random_below(3),
                                    .y_stride = n_panels * PANEL + random_below(3),
                                    .resume = random_below(2)};
                    bool side_by_side = random_below(2); /* as values in a cache, or as weights */
                    t.k_stride = side_by_side ? n_panels * PANEL + random_below(9) : PANEL;
                    t.panel_stride = side_by_side ? PANEL : (size_t)n * PANEL;
                    check_float_tile(t, n_k % 5 == 0 ? EXTREME : ORDINARY);
                }
}

typedef void row_kernel(const kernels *k, float *x, const float *a, const float *b, uint32_t n,
                        float *result);

static void run_rms_norm(const kernels *k, float *x, const float *a, const float *b, uint32_t n,
                         float *result) {
    (void)b;
    (void)result;
    k->rms_norm(x, x, a, n, 1e-5f);
}
static void run_layer_norm(const kernels *k, float *x, const float *a, const float *b, uint32_t n,
                           float *result) {
    (void)result;
    k->layer_norm(x, x, a, n % 3 == 0 ? NULL : b, n, 1e-5f);
}
static void run_gelu(const kernels *k, float *x, const float *a, const float *b, uint32_t n,
                     float *result) {
    (void)a;
    (void)b;
    (void)result;
    k->gelu(x, x, n);
}
static void run_rotate(const kernels *k, float *x, const float *a, const float *b, uint32_t n,
                       float *result) {
    (void)result;
    k->rotate(x, a, b, n - n % 2);
}
static void run_exponentials(const kernels *k, float *x, const float *a, const float *b, uint32_t n,
                             float *result) {
    (void)a;
    (void)b;
    *result = k->exponentials(x, n, 3.7f);
}
static void run_divide(const kernels *k, float *x, const float *a, const float *b, uint32_t n,
                       float *result) {
    (void)b;
    (void)result;
    k->divide(x, x, a[0], n);
}
static void run_swiglu(const kernels *k, float *x, const float *a, const float *b, uint32_t n,
                       float *result) {
    (void)b;
    (void)result;
    k->swiglu(x, a, n);
}

static void check_row_kernel(row_kernel *run, const char *name, uint32_t n, mode m) {
    float *x = random_floats(n, m), *a = random_floats(n, m), *b = random_floats(n, m);
    if (m == EXTREME)
        for (uint32_t i = 0; i < n; i++) x[i] *= 20.0f;
    float *want = copy_of(x, n * sizeof *x), want_result = 0.0f;
    run(&ref, want, a, b, n, &want_result);
    for (int f = 0; f < n_fast; f++) {
        float *got = copy_of(x, n * sizeof *x), result = 0.0f;
        run(&fast[f], got, a, b, n, &result);
        if (!same_bits(want, got, n) || !same_bits(&want_result, &result, 1))
            fail_msg("%s isa=%s n=%u", name, fast[f].name, n);
        free(got);
    }
    free(want);
    free(x);
    free(a);
    free(b);
}

static void row_kernels_are_the_same_everywhere(void **state) {
    (void)state;
    static const struct {
        row_kernel *run;
        const char *name;
    } rows[] = {{run_rms_norm, "rms_norm"}, {run_rotate, "rotate"}, {run_divide, "divide"},
                {run_exponentials, "exponentials"}, {run_swiglu, "swiglu"},
                {run_layer_norm, "layer_norm"}, {run_gelu, "gelu"}};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
        for (uint32_t n = 1; n <= 131; n++)
            for (int round = 0; round < 8; round++)
                check_row_kernel(rows[k].run, rows[k].name, n, round % 2 ? EXTREME : ORDINARY);
}

/* swiglu takes exponentials of all x; the softmax's, whose largest x is 0 here, shows those below 1. */
static void check_exponentials(const float x[64]) {
    float up[64], below[64], want[2][64], got[2][64], sum;
    for (int i = 0; i < 64; i++) {
        up[i] = 1.0f;
        below[i] = i == 0 ? 0.0f : -fabsf(x[i]);
    }
    memcpy(want[0], x, sizeof want[0]);
    memcpy(want[1], below, sizeof want[1]);
    ref.swiglu(want[0], up, 64);
    float want_sum = ref.exponentials(want[1], 64, 1.0f);
    for (int f = 0; f < n_fast; f++) {
        memcpy(got[0], x, sizeof got[0]);
        memcpy(got[1], below, sizeof got[1]);
        fast[f].swiglu(got[0], up, 64);
        sum = fast[f].exponentials(got[1], 64, 1.0f);
        if (!same_bits(want[0], got[0], 128) || !same_bits(&want_sum, &sum, 1))
            fail_msg("exponentials isa=%s around %a", fast[f].name, (double)x[0]);
    }
}

/* All of float32 in steps, for every number is too much; and each number around the two ends where
 * exponentials become 0 and infinite. */
static void exponentials_agree_over_the_whole_range(void **state) {
    (void)state;
    const uint32_t step = 7919, around[] = {0x42aeac4f, 0xc2aeac4f, 0x42b17217, 0xc2b17217};
    float x[64];
    for (uint32_t bits = 0; bits < 0xff800000u - 64 * step; bits += 64 * step) {
        for (uint32_t i = 0; i < 64; i++) {
            uint32_t item = bits + i * step;
            memcpy(&x[i], &item, sizeof item);
        }
        check_exponentials(x);
    }
    for (int k = 0; k < 4; k++) {
        for (uint32_t i = 0; i < 64; i++) {
            uint32_t item = around[k] - 32 + i;
            memcpy(&x[i], &item, sizeof item);
        }
        check_exponentials(x);
    }
}

/* ref against the formulas, in double ---------------------------------------------------------- */

static void codes_stand_for_their_activations(void **state) {
    (void)state;
    for (int round = 0; round < 1000; round++) {
        float *x = random_floats(BLOCK, ORDINARY);
        int8_block *block = quantized(x, 1);
        int32_t sum = 0, low_sum = 0;
        for (int i = 0; i < BLOCK; i++) {
            assert_in_range(block->codes[i] + 127, 0, 254);
            double off = fabs((double)block->scale * block->codes[i] - (double)x[i]);
            assert_true(off <= (double)block->scale * 0.50001);
            sum += block->codes[i];
            low_sum += i < BLOCK / 2 ? block->codes[i] : 0;
        }
        assert_int_equal(sum, block->sum);
        assert_int_equal(low_sum, block->low_sum);
        assert_true(block->scaled_sum == block->scale * (float)sum);
        free(block);
        free(x);
    }
}

static void a_block_that_is_not_finite_becomes_nan(void **state) {
    (void)state;
    static const float bad[] = {INFINITY, -INFINITY, NAN};
    for (int k = 0; k < 3; k++) {
        float *x = random_floats(BLOCK, ORDINARY);
        x[random_below(BLOCK)] = bad[k];
        int8_block *block = quantized(x, 1);
        assert_true(isnan(block->scale) && isnan(block->scaled_sum));
        for (int i = 0; i < BLOCK; i++) assert_int_equal(block->codes[i], 0);
        free(block);
        free(x);
    }
}

/* Every byte may stand in a file: rows of them, by the kernels and by the tests' own word. */
static void rows_become_floats_as_in_ggml(void **state) {
    (void)state;
    enum { INPUTS = 4 * UNIT_BLOCKS_MAX * BLOCK };
    for (int t = 0; t < N_INT8_TYPES + 3; t++) {
        tensor_type type = t < N_INT8_TYPES ? INT8_TYPES[t] : FLOAT_TYPES[t - N_INT8_TYPES];
        uint8_t *row = random_rows(type, 1, INPUTS, ORDINARY);
        float got[INPUTS], want[INPUTS];
        row_to_float(got, type, row, INPUTS);
        dequantize_row(tensor_layout_of(type), row, INPUTS, want);
        if (memcmp(got, want, sizeof got) != 0) fail_msg("%s", tensor_layout_of(type)->name);
        free(row);
    }
}

static void int8_tiles_compute_the_product(void **state) {
    (void)state;
    enum { OUTPUTS = 21, INPUTS = 3 * UNIT_BLOCKS_MAX * BLOCK };
    for (int t = 0; t < N_INT8_TYPES; t++) {
        packed p = random_matrix(INT8_TYPES[t], OUTPUTS, INPUTS, ORDINARY);
        float *x = random_floats(INPUTS, ORDINARY), y[OUTPUTS], row[INPUTS];
        int8_block *blocks = quantized(x, INPUTS / BLOCK);
        ref.int8_tile(y, OUTPUTS, &p.m, 0, 2, blocks, 1, false);
        const tensor_layout *layout = tensor_layout_of(p.m.type);
        size_t stride = INPUTS / layout->block_items * layout->block_bytes;
        for (int o = 0; o < OUTPUTS; o++) {
            row_to_float(row, p.m.type, p.rows + (size_t)o * stride, INPUTS);
            double sum = 0, sizes = 0;
            for (int i = 0; i < INPUTS; i++) {
                double item = (double)row[i] * blocks[i / BLOCK].codes[i % BLOCK]
                              * (double)blocks[i / BLOCK].scale;
                sum += item;
                sizes += fabs(item);
            }
            /* a code of up to 31, less its offset or with its minimum, cancels: hence the factor */
            if (!(fabs((double)y[o] - sum)
                  <= 64.0 * INPUTS / BLOCK * (double)FLT_EPSILON * sizes))
                fail_msg("%s: %g, not %g", layout->name, (double)y[o], sum);
        }
        free(blocks);
        free(x);
        packed_free(&p);
    }
}

static void float_tiles_compute_the_product(void **state) {
    (void)state;
    enum { K = 200 };
    for (int type = 0; type < 3; type++) {
        packed p = random_matrix(FLOAT_TYPES[type], PANEL, K, ORDINARY);
        float *x = random_floats(K, ORDINARY), y[PANEL] = {0}, row[K];
        float_tile t = {.type = p.m.type, .w = p.panels, .k_stride = PANEL, .n_panels = 1, .n_k = K,
                        .x = x, .n_rows = 1, .y = y};
        ref.float_tile(&t);
        for (size_t o = 0; o < PANEL; o++) {
            row_to_float(row, p.m.type, p.rows + o * K * tensor_layout_of(p.m.type)->block_bytes,
                         K);
            double sum = 0, sizes = 0;
            for (int i = 0; i < K; i++) {
                sum += (double)row[i] * (double)x[i];
                sizes += fabs((double)row[i] * (double)x[i]);
            }
            assert_true(fabs((double)y[o] - sum) <= K * (double)FLT_EPSILON * sizes);
        }
        free(x);
        packed_free(&p);
    }
}

static void layer_norm_computes_its_formula(void **state) {
    (void)state;
    enum { N = 77 };
    float *x = random_floats(N, ORDINARY), *w = random_floats(N, ORDINARY);
    float *bias = random_floats(N, ORDINARY), y[2][N];
    double mean = 0, squares = 0;
    for (int i = 0; i < N; i++) mean += (double)x[i] / N;
    for (int i = 0; i < N; i++) squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    ref.layer_norm(y[0], x, w, NULL, N, 1e-5f);
    ref.layer_norm(y[1], x, w, bias, N, 1e-5f);
    for (int i = 0; i < N; i++) {
        double want = ((double)x[i] - mean) / sqrt(squares / N + 1e-5) * (double)w[i];
        assert_true(fabs((double)y[0][i] - want) <= 1e-5 * (fabs(want) + 1));
        assert_true(fabs((double)y[1][i] - want - (double)bias[i]) <= 1e-5 * (fabs(want) + 1));
    }
    free(x);
    free(w);
    free(bias);
}

static void row_kernels_compute_their_formulas(void **state) {
    (void)state;
    enum { N = 77 };
    float *x = random_floats(N, ORDINARY), *w = random_floats(N, ORDINARY), y[N];
    double squares = 0, largest = -INFINITY, sum = 0;
    for (int i = 0; i < N; i++) {
        squares += (double)x[i] * (double)x[i];
        largest = fmax(largest, (double)x[i] * 0.5);
    }
    ref.rms_norm(y, x, w, N, 1e-5f);
    for (int i = 0; i < N; i++) {
        double want = (double)x[i] / sqrt(squares / N + 1e-5) * (double)w[i];
        assert_true(fabs((double)y[i] - want) <= 16 * (double)FLT_EPSILON * fabs(want));
    }
    memcpy(y, x, sizeof y);
    double total = (double)ref.exponentials(y, N, 0.5f);
    for (int i = 0; i < N; i++) {
        double want = exp((double)x[i] * 0.5 - largest);
        assert_true(fabs((double)y[i] - want) <= 16 * (double)FLT_EPSILON * want);
        sum += want;
    }
    assert_true(fabs(total - sum) <= 32 * (double)FLT_EPSILON * sum);
    ref.gelu(y, x, N);
    for (int i = 0; i < N; i++) {
        double v = (double)x[i], u = 0.7978845608028654 * (v + 0.044715 * v * v * v);
        double want = v / (1 + exp(-2 * u));
        assert_true(fabs((double)y[i] - want) <= 32 * (double)FLT_EPSILON * (fabs(want) + 1e-3));
    }
    memcpy(y, x, sizeof y);
    ref.swiglu(y, w, N);
    for (int i = 0; i < N; i++) {
        double want = (double)x[i] / (1 + exp(-(double)x[i])) * (double)w[i];
        assert_true(fabs((double)y[i] - want) <= 8 * (double)FLT_EPSILON * fabs(want));
    }
    free(x);
    free(w);
}

static void rotate_turns_adjacent_pairs(void **state) {
    (void)state;
    float x[4] = {1.0f, 0.0f, 0.0f, 2.0f};
    const float cosines[4] = {0.0f, 0.0f, 0.6f, 0.6f}, sines[4] = {-1.0f, 1.0f, -0.8f, 0.8f};
    ref.rotate(x, cosines, sines, 4);
    assert_true(x[0] == 0.0f && x[1] == 1.0f && x[2] == -1.6f && x[3] == 1.2f);
}

static void an_instruction_set_is_chosen_by_name(void **state) {
    (void)state;
    kernels k;
    failure f;
    assert_int_equal(kernels_init(&k, "ref", &f), STATUS_OK);
    assert_string_equal(k.name, "ref");
    assert_int_equal(kernels_init(&k, "auto", &f), STATUS_OK);
    assert_string_equal(k.name, n_fast > 0 ? fast[n_fast - 1].name : "ref");
    assert_int_equal(kernels_init(&k, "sse9", &f), STATUS_BAD_REQUEST);
    assert_non_null(strstr(f.message, "sse9"));
}

static int find_kernels(void **state) {
    (void)state;
    failure f;
    kernels_fill_ref(&ref);
    static const char *const names[] = {"avx2", "avx512"};
    for (int i = 0; i < 2; i++) {
        if (kernels_init(&fast[n_fast], names[i], &f) == STATUS_OK) n_fast++;
        else print_message("%s\n", f.message);
    }
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantize_is_the_same_everywhere),
        cmocka_unit_test(int8_tiles_are_the_same_everywhere),
        cmocka_unit_test(int8_tiles_never_saturate),
        cmocka_unit_test(float_tiles_are_the_same_everywhere),
        cmocka_unit_test(row_kernels_are_the_same_everywhere),
        cmocka_unit_test(exponentials_agree_over_the_whole_range),
        cmocka_unit_test(codes_stand_for_their_activations),
        cmocka_unit_test(a_block_that_is_not_finite_becomes_nan),
        cmocka_unit_test(rows_become_floats_as_in_ggml),
        cmocka_unit_test(int8_tiles_compute_the_product),
        cmocka_unit_test(float_tiles_compute_the_product),
        cmocka_unit_test(layer_norm_computes_its_formula),
        cmocka_unit_test(row_kernels_compute_their_formulas),
        cmocka_unit_test(rotate_turns_adjacent_pairs),
        cmocka_unit_test(an_instruction_set_is_chosen_by_name),
    };
    return cmocka_run_group_tests(tests, find_kernels, NULL);
}
