/* The forward pass: embedding, layers of attention and feed-forward with the norm before each, output
 * head. Architectures differ in which of these parts they have; in words: kernels/ARITHMETIC.md. */
#ifndef TRIVIUM_TRANSFORMER_H
#define TRIVIUM_TRANSFORMER_H

#include "modeld/arch/weights.h"
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
typedef status transformer_filler(transformer_weights *out, weights *w, const model_shape *s,
                                  failure *f);

/* `fill` takes all tensors from `w`. shape, engine and w are borrowed for its life. A failure is that of
 * `fill` or of rotation_frequencies, or STATUS_NO_MEMORY; *out is NULL then. */
status transformer_open(transformer **out, transformer_filler *fill, weights *w,
                        const model_shape *shape, const engine *e, uint32_t n_rows_max, failure *f);
void transformer_close(transformer **t);


/* As model_forward, except for kv_cache_extend. */
void transformer_forward(transformer *t, kv_cache *cache, const batch_row *rows, uint32_t n_rows,
                         float *logits);

#endif
