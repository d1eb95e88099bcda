/* Sizes of a model, checked once when its file is opened: everything after may rely on them. */
#ifndef TRIVIUM_SHAPE_H
#define TRIVIUM_SHAPE_H

#include <stdint.h>

#include "rotation.h"

typedef struct model_shape {
    uint32_t n_vocab;           /* 1 … N_VOCAB_MAX */
    uint32_t n_ctx;             /* positions that are served: 1 … N_CTX_MAX */
    uint32_t n_ctx_made;        /* positions that the model was made for, as its file says */
    uint32_t n_layers;
    uint32_t dim;               /* width of the residual stream */
    uint32_t n_heads;
    uint32_t n_kv_heads;        /* divides n_heads */
    uint32_t head_dim;
    uint32_t ffn_dim;           /* width of the feed-forward's middle */
    float norm_epsilon;
    float score_scale;          /* query · key is multiplied by it */
    rotation rotation;
} model_shape;

#endif
