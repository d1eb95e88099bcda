/* A batch on its way through the blocks: its rows, the residual stream, and the steps that blocks are made
 * of. Each step is done for all rows, by all threads, before the next one begins. */
#ifndef TRIVIUM_PASS_H
#define TRIVIUM_PASS_H

#include "modeld/kernels/product.h"
#include "modeld/pages/batch.h"
#include "modeld/pages/kv_cache.h"
#include "norm.h"
#include "shape.h"

/* W, and what is added to its products; both are borrowed. */
typedef struct linear {
    matrix w;
    const float *bias;          /* [n_outputs]; NULL: none */
} linear;

typedef struct pass {
    const backend *backend;
    const model_shape *shape;
    kv_cache *cache;
    const batch_row *rows;      /* [n_rows], as in transformer_forward */
    uint32_t n_rows;
    float *x;                   /* [n_rows, dim]: the residual stream */
    float *h;                   /* [n_rows, dim]: x normed, with which a block begins */
    float *cosines, *sines;     /* [n_rows, rotation.n_dims]: of each row's position, as in rotation_at */
    int8_block *blocks;         /* [n_rows, width / 32]: the rows of the next product as int8 */
    bool has_int8;              /* some weights are quantized, so that `blocks` are wanted */
} pass;

/* One of the products of a step: y[r] = W x[r] + bias; with `add`, y[r] = (y[r] + W x[r]) + bias. */
typedef struct linear_step {
    const linear *linear;
    float *y;                   /* [n_rows, w.n_outputs] */
    bool add;
} linear_step;

/* Do `step` for all rows, in ranges of them; it reads or makes `width` items in each row. */
void pass_for_rows(const pass *p, uint32_t width, threads_body *step, void *context);

/* blocks = row `row`, x: [width], as int8, where that is wanted. For use within a step of pass_for_rows. */
void pass_quantize(const pass *p, const float *x, uint32_t row, uint32_t width);

/* h = norm(x); blocks = h. */
void pass_norm(const pass *p, const norm *m);

/* Products of the same rows, in: [n_rows, n_inputs of each], whose int8 form is in `blocks`. */
void pass_multiply(const pass *p, const linear_step *steps, uint32_t n_steps, const float *in);

#endif
