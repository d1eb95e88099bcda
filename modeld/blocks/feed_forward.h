/* The feed-forward block: out to a wider row, through an activation, and back. */
#ifndef TRIVIUM_FEED_FORWARD_H
#define TRIVIUM_FEED_FORWARD_H

#include "pass.h"

/* What stands between the products. Formulas: kernels/kernels.h. */
typedef enum feed_forward_kind {
    FEED_FORWARD_GELU,          /* down(gelu(up)), GELU in its tanh form (Hendrycks and Gimpel 2016) */
    FEED_FORWARD_SWIGLU,        /* down(silu(gate) · up) (Shazeer 2020) */
} feed_forward_kind;

static inline bool feed_forward_is_gated(feed_forward_kind kind) {
    return kind == FEED_FORWARD_SWIGLU;
}

/* Of one layer. */
typedef struct feed_forward_weights {
    feed_forward_kind kind;
    norm norm;                  /* before the block, [dim] */
    linear gate;                /* [ffn_dim, dim], where the kind is gated; else not there */
    linear up;                  /* [ffn_dim, dim] */
    linear down;                /* [dim, ffn_dim] */
} feed_forward_weights;

typedef struct feed_forward feed_forward;

/* Work space for passes of up to n_rows_max rows. NULL: no memory. */
feed_forward *feed_forward_new(const model_shape *shape, uint32_t n_rows_max);
void feed_forward_free(feed_forward **ff);

bool feed_forward_is_quantized(const feed_forward_weights *w);      /* some of its weights are */

/* x += down(activation(…norm(x)…)) for the rows of p. */
void feed_forward_run(feed_forward *ff, const pass *p, const feed_forward_weights *w);

#endif
