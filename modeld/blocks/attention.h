/* Causal attention over the KV-cache with grouped heads, for rows of several sequences at once. */
#ifndef TRIVIUM_ATTENTION_H
#define TRIVIUM_ATTENTION_H

#include "modeld/kernels/product.h"
#include "modeld/pages/batch.h"
#include "modeld/pages/kv_cache.h"
#include "shape.h"

typedef struct attention attention;

/* Work space for batches of up to n_rows_max rows. NULL: no memory. */
attention *attention_new(const model_shape *shape, const engine *e, uint32_t n_rows_max);
void attention_free(attention **a);

/* Take a batch (as in transformer_forward) for the layers that follow; `rows` is borrowed until the
 * next one. */
void attention_begin(attention *a, const kv_cache *cache, const batch_row *rows, uint32_t n_rows);

/* out[r, head] = Σ over positions p ≤ the row's of softmax(queries[r, head] · key[p] /
 * √head_dim) · value[p]. Keys and values of all rows are in the cache already. queries, out:
 * [n_rows, n_heads · head_dim]. */
void attention_run(attention *a, uint32_t layer, const float *queries, float *out);

#endif
