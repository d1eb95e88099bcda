/* Products of many rows are those of one row, to the bit, however they are cut: into tiles, among
 * threads, or given to OpenBLAS where the start-up check lets it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "modeld/kernels/product.h"
#include "proto/numeric/fmath.h"
#include "tests/support/kernels/kernel_data.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { ROWS = 2 * GEMM_ROWS + 7, OUTPUTS = 2 * GEMM_PANELS * PANEL + 19, INPUTS = 320 };

static backend new_backend(const char *isa, uint32_t n_threads) {
    backend e = {0};
    failure f;
    assert_int_equal(kernels_init(&e.kernels, isa, &f), STATUS_OK);
    e.pool = threads_new(n_threads, fmath_thread_start);
    assert_non_null(e.pool);
    return e;
}

static void backend_free(backend *e) {
    gemm_free(&e->gemm);
    threads_free(&e->pool);
}

/* One row by the plain C kernels, panel by panel and slice by slice. */
static void multiply_plainly(const kernels *ref, const matrix *m, const float *x, float *y, bool add) {
    if (type_is_quantized(m->type)) {
        int8_block blocks[INPUTS / BLOCK];
        ref->quantize(blocks, x, INPUTS / BLOCK);
        ref->int8_tile(y, OUTPUTS, m, 0, matrix_n_panels(m), blocks, 1, add);
        return;
    }
    for (uint32_t o = 0; o < m->n_outputs; o++) {
        float sums[PANEL] = {0};
        const float *panel = (const float *)(const void *)(m->panels + o / PANEL * m->panel_bytes);
        for (uint32_t k = 0; k < INPUTS; k += SLICE)
            ref->float_tile(&(float_tile){
                .type = TENSOR_F32, .w = panel + k * PANEL, .k_stride = PANEL, .n_panels = 1,
                .n_k = INPUTS - k < SLICE ? INPUTS - k : SLICE, .x = x + k, .n_rows = 1, .y = sums});
        y[o] = add ? y[o] + sums[o % PANEL] : sums[o % PANEL];
    }
}

/* Two matrices side by side, the second one's product added to what was there; and the first one's once more, to
 * rows that lie in another order. */
static void multiply(const backend *e, const matrix *a, const matrix *b, const float *x, float *y,
                     float *z) {
    int8_block *blocks = malloc(ROWS * sizeof *blocks * (INPUTS / BLOCK));
    float *scattered = malloc((size_t)ROWS * OUTPUTS * sizeof *scattered), *rows[ROWS];
    assert_true(blocks && scattered);
    e->kernels.quantize(blocks, x, ROWS * (INPUTS / BLOCK));
    const activations in = {x, INPUTS, blocks};
    products_run(e, (product[]){{.w = a, .y = y, .y_stride = OUTPUTS},
                                {.w = b, .y = z, .y_stride = OUTPUTS, .add = true}}, 2, &in, ROWS);
    for (size_t r = 0; r < ROWS; r++) rows[r] = scattered + (ROWS - 1 - r) * OUTPUTS;
    products_run(e, &(product){.w = a, .rows = rows}, 1, &in, ROWS);
    for (size_t r = 0; r < ROWS; r++) assert_memory_equal(rows[r], y + r * OUTPUTS, OUTPUTS * sizeof *y);
    free(scattered);
    free(blocks);
}

static void check_products(backend *fast, tensor_type type) {
    kernels ref;
    kernels_fill_ref(&ref);
    packed a = random_matrix(type, OUTPUTS, INPUTS, ORDINARY);
    packed b = random_matrix(type, 21, INPUTS, ORDINARY);
    size_t n = (size_t)ROWS * OUTPUTS;
    float *x = random_floats((size_t)ROWS * INPUTS, ORDINARY);
    float *y = random_floats(n, ORDINARY), *z = random_floats(n, ORDINARY);
    float *want_y = random_floats(n, ORDINARY), *want_z = malloc(n * sizeof *z);
    assert_non_null(want_z);
    memcpy(want_z, z, n * sizeof *z);
    multiply(fast, &a.m, &b.m, x, y, z);
    for (size_t r = 0; r < ROWS; r += 29) {     /* some rows: plain C takes its time */
        multiply_plainly(&ref, &a.m, x + r * INPUTS, want_y + r * OUTPUTS, false);
        multiply_plainly(&ref, &b.m, x + r * INPUTS, want_z + r * OUTPUTS, true);
        assert_memory_equal(y + r * OUTPUTS, want_y + r * OUTPUTS, OUTPUTS * sizeof *y);
        assert_memory_equal(z + r * OUTPUTS, want_z + r * OUTPUTS, OUTPUTS * sizeof *z);
    }
    free(x);
    free(y);
    free(z);
    free(want_y);
    free(want_z);
    packed_free(&a);
    packed_free(&b);
}

static void many_rows_are_computed_as_one_is(void **state) {
    (void)state;
    for (uint32_t n_threads = 1; n_threads <= 3; n_threads++) {
        backend e = new_backend("auto", n_threads);
        check_products(&e, TENSOR_F32);
        check_products(&e, TENSOR_Q4_1);
        check_products(&e, TENSOR_Q8_0);
        backend_free(&e);
    }
}

/* Used even where it is not faster, so that the test does not depend on the machine's mood. */
static void openblas_gives_the_same_bits_where_it_is_let(void **state) {
    (void)state;
    uint32_t width = INPUTS;
    backend e = new_backend("auto", 2);
    e.gemm = gemm_new(&e.kernels, &width, 1, 2);
    assert_non_null(e.gemm);
    assert_int_equal(e.gemm->n_checks, 2);      /* slices of 256 and of 64 */
    uint32_t n_same = 0;
    for (uint32_t i = 0; i < e.gemm->n_checks; i++) {
        e.gemm->checks[i].faster = true;
        n_same += e.gemm->checks[i].same_bits;
    }
    assert_int_equal(gemm_n_taken(e.gemm), n_same);
    print_message("OpenBLAS has our bits for %u of 2 slice lengths\n", n_same);
    check_products(&e, TENSOR_F32);
    backend_free(&e);
}

static void openblas_is_left_out_where_bits_differ(void **state) {
    (void)state;
    uint32_t width = INPUTS;
    backend e = new_backend("auto", 1);
    packed p = random_matrix(TENSOR_F32, OUTPUTS, INPUTS, ORDINARY);
    packed q = random_matrix(TENSOR_Q8_0, 16, INPUTS, ORDINARY);
    e.gemm = gemm_new(&e.kernels, &width, 1, 1);
    for (uint32_t i = 0; i < e.gemm->n_checks; i++)
        e.gemm->checks[i] = (gemm_check){e.gemm->checks[i].n_k, true, true};
    assert_true(gemm_takes(e.gemm, &p.m));
    assert_false(gemm_takes(e.gemm, &q.m));
    assert_false(gemm_takes(NULL, &p.m));
    e.gemm->checks[1].same_bits = false;        /* one of the slices is enough */
    assert_false(gemm_takes(e.gemm, &p.m));
    packed_free(&p);
    packed_free(&q);
    backend_free(&e);
}

/* Where memory is limited OpenBLAS would end the process: then it is not there, and our own kernels are. */
static void openblas_is_left_out_where_memory_is_limited(void **state) {
    (void)state;
    static const __rlimit_resource_t limits[] = {RLIMIT_AS, RLIMIT_DATA};
    uint32_t width = INPUTS;
    for (int i = 0; i < 2; i++) {
        backend e = new_backend("auto", 1);
        struct rlimit before, some;
        assert_int_equal(getrlimit(limits[i], &before), 0);
        some = before;
        some.rlim_cur = (rlim_t)1 << 50;
        assert_int_equal(setrlimit(limits[i], &some), 0);
        e.gemm = gemm_new(&e.kernels, &width, 1, 1);
        assert_int_equal(setrlimit(limits[i], &before), 0);
        assert_non_null(e.gemm);
        assert_int_equal(e.gemm->n_checks, 0);
        assert_int_equal(gemm_n_taken(e.gemm), 0);
        check_products(&e, TENSOR_F32);
        backend_free(&e);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_rows_are_computed_as_one_is),
        cmocka_unit_test(openblas_gives_the_same_bits_where_it_is_let),
        cmocka_unit_test(openblas_is_left_out_where_bits_differ),
        cmocka_unit_test(openblas_is_left_out_where_memory_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
