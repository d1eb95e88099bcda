/* The attention block (Vaswani et al. 2017; grouped heads: Ainslie et al. 2023): queries, keys and values of
 * each row, turned to its position, the keys and values appended to the cache, and what the queries find
 * there. */
#ifndef TRIVIUM_ATTENTION_H
#define TRIVIUM_ATTENTION_H

#include "pass.h"

/* Of one layer. What other architectures do gets a field here: norms of queries and keys, used before they
 * turn (attention.c); a window, or a cap of the scores (attention_tiles.c). */
typedef struct attention_weights {
    norm norm;                  /* before the block, [dim] */
    linear query;               /* [n_heads · head_dim, dim] */
    linear key, value;          /* [n_kv_heads · head_dim, dim] */
    linear output;              /* [dim, n_heads · head_dim] */
} attention_weights;

typedef struct attention attention;

/* Work space for passes of up to n_rows_max rows; shape and backend are borrowed for its life. NULL: no
 * memory. */
attention *attention_new(const model_shape *shape, const backend *b, uint32_t n_rows_max);
void attention_free(attention **a);

bool attention_is_quantized(const attention_weights *w);    /* some of its weights are */

/* Before the first layer of a pass, whose rows are borrowed until its end. */
void attention_begin(attention *a, const pass *p);

/* x += output(attend(turn(query(norm(x))), …)) for the rows of p; their keys and values go into the cache. */
void attention_run(attention *a, const pass *p, const attention_weights *w, uint32_t layer);

#endif
