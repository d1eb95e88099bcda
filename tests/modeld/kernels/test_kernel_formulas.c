/* The plain C kernels compute what the formulas in kernels.h say, measured in double, and rows of a file are
 * the numbers that ggml reads in them. The other instruction sets: test_kernels.c. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "modeld/kernels/kernels.h"
#include "tests/support/kernels/kernel_data.h"
#include "tests/support/models/quantize.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static kernels ref;

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

static int fill_kernels(void **state) {
    (void)state;
    kernels_fill_ref(&ref);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_stand_for_their_activations),
        cmocka_unit_test(a_block_that_is_not_finite_becomes_nan),
        cmocka_unit_test(rows_become_floats_as_in_ggml),
        cmocka_unit_test(int8_tiles_compute_the_product),
        cmocka_unit_test(float_tiles_compute_the_product),
        cmocka_unit_test(layer_norm_computes_its_formula),
        cmocka_unit_test(row_kernels_compute_their_formulas),
        cmocka_unit_test(rotate_turns_adjacent_pairs),
    };
    return cmocka_run_group_tests(tests, fill_kernels, NULL);
}
