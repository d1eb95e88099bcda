/* The forward pass: embedding, layers of attention and feed-forward with the norm before each, output
 * head. Architectures differ in which of these parts they have; in words: kernels/ARITHMETIC.md. */
#ifndef TRIVIUM_TRANSFORMER_H
#define TRIVIUM_TRANSFORMER_H

#include "modeld/kernels/lookup.h"
#include "modeld/kernels/product.h"
#include "modeld/pages/batch.h"
#include "modeld/pages/kv_cache.h"
#include "shape.h"

typedef struct norm {
    const float *weight, *bias; /* [dim]; bias NULL: none */
} norm;

typedef struct linear {
    matrix w;
    const float *bias;          /* [n_outputs]; NULL: none */
} linear;

typedef struct transformer_layer {
    norm attention_norm, ffn_norm;
    linear query, key, value, attention_output;
    linear gate, up, down;      /* gate: only where it is gated */
} transformer_layer;

/* What an architecture fills from its file. */
typedef struct transformer_weights {
    bool centred;               /* norms are LayerNorm; else RMSNorm */
    bool gated;                 /* the feed-forward is SwiGLU; else GELU */
    lookup embedding;
    lookup positions;           /* added to the embedding where rope_dims is 0; else not there */
    const float *rope_factors;  /* [rope_dims / 2]: as in rotation_frequencies; NULL: none */
    transformer_layer *layers;  /* [n_layers], there already */
    norm output_norm;
    matrix output;              /* [n_vocab, dim] */
} transformer_weights;

typedef struct transformer transformer;
/* shape and engine are borrowed for its life. NULL: no memory. */
transformer *transformer_new(const model_shape *shape, const engine *e, uint32_t n_rows_max);

/* To be filled once; the weights that it names are borrowed for the transformer's life. */
transformer_weights *transformer_weights_of(transformer *t);
/* They are filled. A failure is that of rotation_frequencies. */
status transformer_ready(transformer *t, failure *f);
void transformer_close(transformer **t);


/* As model_forward, except for kv_cache_extend. */
void transformer_forward(transformer *t, kv_cache *cache, const batch_row *rows, uint32_t n_rows,
                         float *logits);

#endif
