#include "gpt2.h"

static status read_heads(const gguf *g, model_shape *s, failure *f) {
    status st = shape_layers_uint(g, "gpt2.attention.head_count", HEADS_MAX, s, &s->n_heads, f);
    if (st != STATUS_OK) return st;
    s->n_kv_heads = s->n_heads;
    if (gguf_has(g, "gpt2.attention.head_count_kv"))
        st = shape_layers_uint(g, "gpt2.attention.head_count_kv", HEADS_MAX, s, &s->n_kv_heads, f);
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
    return STATUS_OK;
}

/* Positions are rows of a matrix: beyond its last one there are none. */
static status read_context(const gguf *g, uint32_t n_ctx, model_shape *s, failure *f) {
    status st = shape_context(g, "gpt2.context_length", n_ctx, s, f);
    if (st == STATUS_OK && s->n_ctx > s->n_ctx_made)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "a context of %u: this model has learned %u positions and knows no others",
                           s->n_ctx, s->n_ctx_made);
    return st;
}

static status read_shape(const gguf *g, uint32_t n_ctx, model_shape *s, failure *f) {
    *s = (model_shape){0};
    status st = read_context(g, n_ctx, s, f);
    if (st == STATUS_OK) st = shape_uint(g, "gpt2.block_count", 1, LAYERS_MAX, &s->n_layers, f);
    if (st == STATUS_OK) st = shape_uint(g, "gpt2.embedding_length", 1, DIM_MAX, &s->dim, f);
    if (st == STATUS_OK)
        st = shape_layers_uint(g, "gpt2.feed_forward_length", FFN_DIM_MAX, s, &s->ffn_dim, f);
    if (st == STATUS_OK) st = read_heads(g, s, f);
    if (st == STATUS_OK) st = shape_epsilon(g, "gpt2.attention.layer_norm_epsilon", s, f);
    if (st == STATUS_OK) st = shape_vocabulary(g, s, f);
    return st;
}

/* One tensor for queries, keys and values, or one for each. */
static status fill_inputs(transformer_layer *l, weights *w, uint32_t i, uint32_t dim, failure *f) {
    linear *const parts[] = {&l->query, &l->key, &l->value};
    static const char *const names[] = {"attn_q", "attn_k", "attn_v"};
    if (!layer_has(w, i, "attn_q.weight"))
        return take_layer_parts(w, i, "attn_qkv", dim, dim, parts, 3, f);
    status st = STATUS_OK;
    for (int k = 0; st == STATUS_OK && k < 3; k++)
        st = take_layer_linear(w, i, names[k], dim, dim, parts[k], f);
    return st;
}

static status fill_layer(transformer_layer *l, weights *w, uint32_t i, const model_shape *s,
                         failure *f) {
    status st = take_layer_norm(w, i, "attn_norm", s->dim, true, &l->attention_norm, f);
    if (st == STATUS_OK) st = fill_inputs(l, w, i, s->dim, f);
    if (st == STATUS_OK)
        st = take_layer_linear(w, i, "attn_output", s->dim, s->dim, &l->attention_output, f);
    if (st == STATUS_OK) st = take_layer_norm(w, i, "ffn_norm", s->dim, true, &l->ffn_norm, f);
    if (st == STATUS_OK) st = take_layer_linear(w, i, "ffn_up", s->ffn_dim, s->dim, &l->up, f);
    if (st == STATUS_OK) st = take_layer_linear(w, i, "ffn_down", s->dim, s->ffn_dim, &l->down, f);
    return st;
}

static status fill(transformer_weights *out, weights *w, const model_shape *s, failure *f) {
    out->centred = true;
    status st = weights_lookup(w, "position_embd.weight", s->n_ctx_made, s->dim, &out->positions, f);
    for (uint32_t i = 0; st == STATUS_OK && i < s->n_layers; i++)
        st = fill_layer(&out->layers[i], w, i, s, f);
    if (st == STATUS_OK) st = take_norm(w, "output_norm", s->dim, true, &out->output_norm, f);
    return st == STATUS_OK ? take_embedding(w, s, &out->embedding, &out->output, f) : st;
}

const architecture gpt2_architecture = {
    .name = "gpt2",
    .read_shape = read_shape,
    .fill = fill,
};
