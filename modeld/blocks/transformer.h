/* The forward pass: embedding, layers of attention and feed-forward, output head. The kinds of its blocks
 * are with their weights; in words: kernels/ARITHMETIC.md. */
#ifndef TRIVIUM_TRANSFORMER_H
#define TRIVIUM_TRANSFORMER_H

#include "attention.h"
#include "feed_forward.h"
#include "modeld/kernels/lookup.h"

typedef struct transformer_layer {
    attention_weights attention;
    feed_forward_weights feed_forward;
} transformer_layer;

typedef struct transformer_weights {
    lookup embedding;           /* [n_vocab, dim] */
    lookup positions;           /* [n_ctx_made, dim]: added with ROTATION_NONE, else not there */
    double *frequencies;        /* [rotation.n_dims / 2], there already: as rotation_frequencies makes them */
    transformer_layer *layers;  /* [n_layers], there already */
    norm output_norm;           /* [dim] */
    matrix output;              /* [n_vocab, dim] */
} transformer_weights;

typedef struct transformer transformer;

/* shape and backend are borrowed for its life. NULL: no memory. */
transformer *transformer_new(const model_shape *shape, const backend *b, uint32_t n_rows_max);
void transformer_close(transformer **t);

/* To be filled once, before transformer_ready; the weights that it names are borrowed for the transformer's
 * life. */
transformer_weights *transformer_weights_of(transformer *t);
void transformer_ready(transformer *t);

/* From another thread: as model_stop. */
void transformer_stop(transformer *t);

/* As model_forward. */
void transformer_forward(transformer *t, kv_cache *cache, const batch_row *rows, uint32_t n_rows,
                         float *const *logits);

#endif
