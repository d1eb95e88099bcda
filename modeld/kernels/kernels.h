/* The table of kernels. ref.c is the specification in plain C (in words: ARITHMETIC.md); those in x86/
 * give the same bits faster. All kernels are pure: no allocation, no state, cannot fail.
 * Float arrays need no alignment; panels begin at multiples of 64 bytes. */
#ifndef TRIVIUM_KERNELS_H
#define TRIVIUM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pack.h"
#include "proto/base/status.h"

enum {
    ARITHMETIC_VERSION = 1,     /* part of the fingerprint: +1 with any change of any bit */
    ARITHMETIC_VERSION_SCALED = 2,      /* of models whose rotation is scaled */
    TILE_ROWS = 6,              /* rows that one call of a tile takes at most */
    TILE_PANELS = 4,            /* panels that one call of float_tile takes at most */
    SLICE = 256,                /* length of a float32 chain; slices are added in order */
    LANES = 16,                 /* partial sums of norms and of softmax, by index mod 16 */
};

/* 32 activations as int8: x ≈ scale · codes. */
typedef struct int8_block {
    int8_t codes[BLOCK];        /* −127 … 127 */
    float scale;
    float scaled_sum;           /* scale · sum */
    int32_t sum;                /* Σ codes */
    int32_t low_sum;            /* Σ of the first 16 */
} int8_block;

/* One float tile: for each row r, panel p and output o a chain of fma over k, ascending,
 *     c = fma(w[k·k_stride + p·panel_stride + o], x[r·x_stride + k], c),  k < n_k,
 * which begins at 0 and is then added: y[r·y_stride + p·16 + o] += c; or, to resume a chain that
 * an earlier call left in y, begins there and stays there. */
typedef struct float_tile {
    tensor_type type;           /* of w: F32, F16 or BF16; widened exactly */
    const void *w;
    size_t k_stride, panel_stride;      /* in items of w */
    uint32_t n_panels;          /* 1 … TILE_PANELS */
    uint32_t n_k;
    const float *x;
    size_t x_stride;
    uint32_t n_rows;            /* 1 … TILE_ROWS */
    float *y;
    size_t y_stride;
    bool resume;
} float_tile;

#define GELU_CUBIC 0x1.6e4e26p-5f       /* 0.044715 */
#define GELU_SCALE (-0x1.988454p+0f)    /* −2√(2/π) */

typedef struct kernels {
    const char *name;           /* "ref", "avx2", "avx512" */

    /* x: [n_blocks · 32] → blocks [n_blocks]. A block with an infinity or a NaN has scale NaN. */
    void (*quantize)(int8_block *blocks, const float *x, uint32_t n_blocks);

    /* y[r·y_stride + o] = Σ over w's blocks, for the outputs o of panels first … first +
     * n_panels − 1 (never past n_outputs) and rows r < n_rows ≤ TILE_ROWS; with `add` the sum is
     * added to y. w: of a quantized type; x: [n_rows, w->n_inputs / 32]. */
    void (*int8_tile)(float *y, size_t y_stride, const matrix *w, uint32_t first, uint32_t n_panels,
                      const int8_block *x, uint32_t n_rows, bool add);

    void (*float_tile)(const float_tile *t);

    /* y = x · (1 / sqrt(mean(x²) + epsilon)) · weight; x, weight, y: [n]; y may be x. */
    void (*rms_norm)(float *y, const float *x, const float *weight, uint32_t n, float epsilon);

    /* y = (x − mean(x)) · (1 / sqrt(variance(x) + epsilon)) · weight + bias; bias NULL: none.
     * x, weight, bias, y: [n]; y may be x. */
    void (*layer_norm)(float *y, const float *x, const float *weight, const float *bias, uint32_t n,
                       float epsilon);

    /* In place, n even: x[j] = fma(x[j], cosines[j], x[j ^ 1] · sines[j]), where each cosine
     * stands twice and the sines are −sin, +sin: the rotation of adjacent pairs. */
    void (*rotate)(float *x, const float *cosines, const float *sines, uint32_t n);

    /* In place, n ≥ 1: x = exp(x · scale − max(x · scale)); returns Σ x. */
    float (*exponentials)(float *x, uint32_t n, float scale);

    /* y = x / divisor; y may be x. */
    void (*divide)(float *y, const float *x, float divisor, uint32_t n);

    /* gate = gate / (1 + exp(−gate)) · up. */
    void (*swiglu)(float *gate, const float *up, uint32_t n);

    /* y = x / (1 + exp(−2√(2/π) · (x + 0.044715 x³))): GELU in its tanh form. */
    void (*gelu)(float *y, const float *x, uint32_t n);
} kernels;

/* Fill the table: everything by ref, then what the machine has, as far as `isa` allows: "auto",
 * "ref", "avx2", "avx512". A failure names what the machine lacks, or the words that exist. */
status kernels_init(kernels *k, const char *isa, failure *f);

void kernels_fill_ref(kernels *k);
/* Only where kernels_init finds AVX2, FMA and F16C: products are quantize and the tiles, rows all else. */
void kernels_fill_products_avx2(kernels *k);
void kernels_fill_rows_avx2(kernels *k);
/* Only where it finds AVX-512 F, BW, VL, DQ and VNNI. */
void kernels_fill_products_avx512(kernels *k);
void kernels_fill_rows_avx512(kernels *k);

#endif
