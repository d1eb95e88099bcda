/* GPT-2 (Radford et al. 2019) and the model of the chapter: LayerNorm before each block, learned positions,
 * one head of keys and values for each head of queries, GELU, output head tied to the embedding or of its own.
 * Every bias is optional: what the file has is used. */
#include <math.h>

#include "architecture.h"

static status read_heads(const model_keys *k, model_shape *s, failure *f) {
    const gguf *g = k->file;
    status st = model_keys_layers_size(k, "attention.head_count", HEADS_MAX, s, &s->n_heads, f);
    if (st != STATUS_OK) return st;
    s->n_kv_heads = s->n_heads;
    if (model_keys_has(k, "attention.head_count_kv"))
        st = model_keys_layers_size(k, "attention.head_count_kv", HEADS_MAX, s, &s->n_kv_heads, f);
    if (st != STATUS_OK) return st;
    if (s->n_kv_heads != s->n_heads)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "%u key and value heads beside %u heads are not of GPT-2", s->n_kv_heads,
                           s->n_heads);
    s->head_dim = s->dim / s->n_heads;
    if (s->dim % s->n_heads != 0 || s->head_dim > HEAD_DIM_MAX)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "an embedding of %u does not divide into %u heads of at most %d",
                           s->dim, s->n_heads, HEAD_DIM_MAX);
    s->score_scale = 1.0f / sqrtf((float)s->head_dim);
    return STATUS_OK;
}

/* Positions are rows of a matrix: beyond its last one there are none. */
static status read_context(const model_keys *k, uint32_t n_ctx, model_shape *s, failure *f) {
    status st = model_keys_context(k, n_ctx, s, f);
    if (st == STATUS_OK && s->n_ctx > s->n_ctx_made)
        return gguf_refuse(k->file, f, STATUS_UNSUPPORTED,
                           "a context of %u: this model has learned %u positions and knows no others",
                           s->n_ctx, s->n_ctx_made);
    return st;
}

static status read_shape(const model_keys *k, uint32_t n_ctx, model_shape *s, failure *f) {
    status st = read_context(k, n_ctx, s, f);
    if (st == STATUS_OK) st = model_keys_widths(k, s, f);
    if (st == STATUS_OK) st = read_heads(k, s, f);
    if (st == STATUS_OK) st = model_keys_epsilon(k, "attention.layer_norm_epsilon", s, f);
    return st == STATUS_OK ? model_keys_vocabulary(k, s, f) : st;
}

const architecture gpt2_architecture = {
    .name = "gpt2",
    .norm = NORM_LAYER,
    .rotation = ROTATION_NONE,
    .inputs = INPUTS_FUSED,
    .feed_forward = FEED_FORWARD_GELU,
    .read_shape = read_shape,
};
