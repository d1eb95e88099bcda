/* Every instruction set that this machine has gives the bits of ref.c, at every tail length and for
 * extreme values. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "modeld/kernels/kernels.h"
#include "tests/support/kernels/kernel_data.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static kernels ref;
static kernels fast[2];
static int n_fast;

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

static void int8_tiles_are_the_same_everywhere(void **state) {
    (void)state;
    for (int t = 0; t < N_INT8_TYPES; t++)
        for (uint32_t n_outputs = 1; n_outputs <= 67; n_outputs++)
            for (uint32_t n_rows = 1; n_rows <= TILE_ROWS; n_rows++) {
                data_mode m = (n_outputs + n_rows) % 4 == 0 ? EXTREME : ORDINARY;
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

static void check_float_tile(float_tile t, data_mode m) {
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

static void check_row_kernel(row_kernel *run, const char *name, uint32_t n, data_mode m) {
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
        cmocka_unit_test(an_instruction_set_is_chosen_by_name),
    };
    return cmocka_run_group_tests(tests, find_kernels, NULL);
}
