/* What queries find in the KV-cache: causal attention with grouped heads, for rows of several sequences at
 * once. The arithmetic and its order: kernels/ARITHMETIC.md. */
#ifndef TRIVIUM_ATTENTION_TILES_H
#define TRIVIUM_ATTENTION_TILES_H

#include "modeld/kernels/product.h"
#include "modeld/pages/batch.h"
#include "modeld/pages/kv_cache.h"
#include "shape.h"

typedef struct attention_tiles attention_tiles;

/* Work space for batches of up to n_rows_max rows; the backend is borrowed for its life. NULL: no memory. */
attention_tiles *attention_tiles_new(const model_shape *shape, const backend *b, uint32_t n_rows_max);
void attention_tiles_free(attention_tiles **a);

/* Take a batch (as in transformer_forward) for the layers that follow; `rows` is borrowed until the
 * next one. */
void attention_tiles_begin(attention_tiles *a, const kv_cache *cache, const batch_row *rows, uint32_t n_rows);

/* out[r, head] = Σ over positions p ≤ the row's of softmax(queries[r, head] · key[p] · score_scale) ·
 * value[p]. Keys and values of all rows are in the cache already. queries, out: [n_rows, n_heads ·
 * head_dim]. */
void attention_tiles_run(attention_tiles *a, uint32_t layer, const float *queries, float *out);

#endif
