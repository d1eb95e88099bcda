/* Sizes of a model, checked once when its file is opened: everything after may rely on them. */
#ifndef TRIVIUM_SHAPE_H
#define TRIVIUM_SHAPE_H

#include <stdint.h>

typedef struct model_shape {
    uint32_t n_vocab;           /* 1 … N_VOCAB_MAX */
    uint32_t n_ctx;             /* positions that the model was made for */
    uint32_t n_layers;
    uint32_t dim;               /* width of the residual stream */
    uint32_t n_heads;
    uint32_t n_kv_heads;        /* divides n_heads */
    uint32_t head_dim;
    uint32_t ffn_dim;
    uint32_t rope_dims;         /* rotated dimensions of each head, even, ≤ head_dim; 0: none */
    double rope_base;
    float norm_epsilon;
} model_shape;

#endif
