/* The norms of rows before a block and before the output head. Formulas: kernels/kernels.h. */
#ifndef TRIVIUM_NORM_H
#define TRIVIUM_NORM_H

#include "modeld/kernels/kernels.h"

typedef enum norm_kind {
    NORM_RMS,                   /* RMSNorm (Zhang and Sennrich 2019) */
    NORM_LAYER,                 /* LayerNorm (Ba et al. 2016) */
} norm_kind;

/* One norm of a model, with its weights, which are borrowed. */
typedef struct norm {
    norm_kind kind;
    float epsilon;
    const float *weight;        /* [n], n the width of the rows */
    const float *bias;          /* [n], of NORM_LAYER only; NULL: none */
} norm;

/* y = norm(x), [n] each. y may be x. */
void norm_row(const norm *m, const kernels *k, float *y, const float *x, uint32_t n);

#endif
