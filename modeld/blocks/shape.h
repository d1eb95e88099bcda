/* Sizes of a model, checked once when its file is opened: everything after may rely on them. */
#ifndef TRIVIUM_SHAPE_H
#define TRIVIUM_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

/* How rotary frequencies differ from base^(−2i / rope_dims). */
typedef struct rope_scaling {
    double factor;              /* they are divided by it; 1: none */
    double magnitude;           /* of cosines and sines; 1: none */
    double yarn_mix;            /* part of the fast pairs that is not divided; 0: this is not YaRN */
    double yarn_fast, yarn_slow;    /* turns within n_ctx_before: of pairs kept, of pairs divided */
    uint32_t n_ctx_before;      /* positions before it was stretched */
    bool by_pair;               /* each pair has a factor of its own, too: the tensor rope_freqs */
} rope_scaling;

typedef struct model_shape {
    uint32_t n_vocab;           /* 1 … N_VOCAB_MAX */
    uint32_t n_ctx;             /* positions that are served: 1 … N_CTX_MAX */
    uint32_t n_ctx_made;        /* positions that the model was made for, as its file says */
    uint32_t n_layers;
    uint32_t dim;               /* width of the residual stream */
    uint32_t n_heads;
    uint32_t n_kv_heads;        /* divides n_heads */
    uint32_t head_dim;
    uint32_t ffn_dim;
    uint32_t rope_dims;         /* rotated dimensions of each head, even, ≤ head_dim; 0: none */
    double rope_base;
    rope_scaling rope;
    float norm_epsilon;
} model_shape;

#endif
