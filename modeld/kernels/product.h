/* Products of rows with weights, split over panels among the threads. Neither the split nor the
 * size of tiles touches an output's chain (ARITHMETIC.md). */
#ifndef TRIVIUM_PRODUCT_H
#define TRIVIUM_PRODUCT_H

#include "gemm.h"
#include "kernels.h"
#include "proto/pool/threads.h"

/* What computes: the kernels, the threads that run them, and OpenBLAS. Made once, borrowed by all that need
 * it. */
typedef struct backend {
    kernels kernels;
    threads *pool;
    gemm *gemm;                 /* NULL: own kernels only */
} backend;

/* Rows that weights are multiplied with: float32 for float weights, int8 for quantized ones. */
typedef struct activations {
    const float *values;        /* [n_rows, stride] */
    size_t stride;
    const int8_block *blocks;   /* [n_rows, n_inputs / 32] */
} activations;

/* y[r, o] = Σ w[o, i] · x[r, i]; with `add`, y[r, o] += that. */
typedef struct product {
    const matrix *w;
    float *y;
    size_t y_stride;            /* ≥ w->n_outputs */
    bool add;
    float *const *rows;         /* [n_rows] of [n_outputs]: where each row of y lies, instead of `y`; NULL: in y */
} product;

/* All products of the same rows in one parallel step. */
void products_run(const backend *b, const product *products, uint32_t n_products,
                  const activations *x, uint32_t n_rows);

/* Zero y [n_rows, y_stride] over t->n_panels · 16 outputs, then add the chains of all slices of
 * n_k inputs; t describes the first slice's beginning, t->n_k is not used. */
void slices_run(const kernels *k, float_tile t, uint32_t n_k);

#endif
