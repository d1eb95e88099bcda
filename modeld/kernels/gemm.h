/* OpenBLAS as an accelerator of float32 products. It is called for blocks of one fixed shape
 * only, with slice lengths for which a check at start-up found the bits of float_tile and a
 * shorter time: so it can change nothing but speed. OpenBLAS promises no order of operations;
 * hence the check. */
#ifndef TRIVIUM_GEMM_H
#define TRIVIUM_GEMM_H

#include "kernels.h"
#include "openblas.h"

enum {
    GEMM_ROWS = 96,
    GEMM_PANELS = 16,           /* 256 outputs */
    GEMM_LENGTHS_MAX = 16,      /* different slice lengths in one model */
};

/* What the check found for slices of one length. */
typedef struct gemm_check {
    uint32_t n_k;
    bool same_bits, faster;     /* than float_tile; OpenBLAS is called where both hold */
} gemm_check;

typedef struct gemm {
    gemm_check checks[GEMM_LENGTHS_MAX];
    uint32_t n_checks;
    openblas_sgemm *sgemm;      /* NULL: no OpenBLAS, and no checks */
    float *scratch;             /* for each thread the spread weights and the sums of a block */
} gemm;

/* Check the slice lengths that products with these widths of input have. NULL: no memory. */
gemm *gemm_new(const kernels *k, const uint32_t *n_inputs, uint32_t n_widths, uint32_t n_threads);
void gemm_free(gemm **g);

uint32_t gemm_n_taken(const gemm *g);   /* lengths that OpenBLAS takes; 0 when g is NULL */

/* Whether OpenBLAS may have all slices of products with w; never where g is NULL. */
bool gemm_takes(const gemm *g, const matrix *w);

/* The product of GEMM_ROWS rows x with panels first … first + GEMM_PANELS − 1 of w, all of them
 * whole. Returns it as [GEMM_ROWS][GEMM_PANELS · 16], valid until this thread's next call. */
const float *gemm_block(const gemm *g, uint32_t thread, const matrix *w, uint32_t first,
                        const float *x, size_t x_stride);

#endif
