#include "llama.h"

#include "rope_keys.h"

/* Sizes ---------------------------------------------------------------------------------------- */

static status read_heads(const gguf *g, model_shape *s, failure *f) {
    status st = shape_layers_uint(g, "llama.attention.head_count", HEADS_MAX, s, &s->n_heads, f);
    if (st != STATUS_OK) return st;
    s->n_kv_heads = s->n_heads;
    if (gguf_has(g, "llama.attention.head_count_kv"))
        st = shape_layers_uint(g, "llama.attention.head_count_kv", s->n_heads, s, &s->n_kv_heads, f);
    if (st != STATUS_OK) return st;
    if (s->n_heads % s->n_kv_heads != 0)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "%u heads cannot share %u key and value heads evenly",
                           s->n_heads, s->n_kv_heads);
    uint32_t value_dim, width = s->dim / s->n_heads;
    if (!gguf_has(g, "llama.attention.key_length") && (s->dim % s->n_heads != 0 || width == 0))
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "an embedding of %u does not divide into %u heads",
                           s->dim, s->n_heads);
    st = shape_uint_or(g, "llama.attention.key_length", 1, HEAD_DIM_MAX, width, &s->head_dim, f);
    if (st != STATUS_OK) return st;
    st = shape_uint_or(g, "llama.attention.value_length", 1, HEAD_DIM_MAX, s->head_dim, &value_dim,
                      f);
    if (st != STATUS_OK) return st;
    if (value_dim != s->head_dim)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "values of %u beside keys of %u are not supported",
                           value_dim, s->head_dim);
    return STATUS_OK;
}

/* Features that change the numbers and are not computed here. */
static status refuse_extras(const gguf *g, failure *f) {
    static const char *const counts[] = {"llama.expert_count", "llama.attention.sliding_window"};
    for (int i = 0; i < 2; i++) {
        uint64_t count;
        status st = gguf_uint_or(g, counts[i], 0, UINT64_MAX, 0, &count, f);
        if (st != STATUS_OK) return st;
        if (count > 0)
            return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                               "%s is %llu; only 0 is supported", counts[i],
                               (unsigned long long)count);
    }
    double temperature;
    bool causal;
    status st = gguf_real_or(g, "llama.attention.temperature_scale", 0.0, &temperature, f);
    if (st == STATUS_OK) st = gguf_bool_or(g, "llama.attention.causal", true, &causal, f);
    if (st != STATUS_OK) return st;
    if (temperature != 0.0)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "llama.attention.temperature_scale is %g; only 0 is supported", temperature);
    if (!causal)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "llama.attention.causal is false: models that do not write are not supported");
    return STATUS_OK;
}

static status read_shape(const gguf *g, uint32_t n_ctx, model_shape *s, failure *f) {
    *s = (model_shape){0};
    status st = refuse_extras(g, f);
    if (st == STATUS_OK) st = shape_context(g, "llama.context_length", n_ctx, s, f);
    if (st == STATUS_OK) st = shape_uint(g, "llama.block_count", 1, LAYERS_MAX, &s->n_layers, f);
    if (st == STATUS_OK) st = shape_uint(g, "llama.embedding_length", 1, DIM_MAX, &s->dim, f);
    if (st == STATUS_OK)
        st = shape_layers_uint(g, "llama.feed_forward_length", FFN_DIM_MAX, s, &s->ffn_dim, f);
    if (st == STATUS_OK) st = read_heads(g, s, f);
    if (st == STATUS_OK) st = rope_keys_read(g, s, f);
    if (st == STATUS_OK) st = shape_epsilon(g, "llama.attention.layer_norm_rms_epsilon", s, f);
    if (st == STATUS_OK) st = shape_vocabulary(g, s, f);
    return st;
}

/* Tensors -------------------------------------------------------------------------------------- */

static status fill_layer(transformer_layer *l, weights *w, uint32_t i, const model_shape *s,
                         failure *f) {
    uint32_t query_dim = s->n_heads * s->head_dim, kv_dim = s->n_kv_heads * s->head_dim;
    status st = take_layer_norm(w, i, "attn_norm", s->dim, false, &l->attention_norm, f);
    if (st == STATUS_OK) st = take_layer_linear(w, i, "attn_q", query_dim, s->dim, &l->query, f);
    if (st == STATUS_OK) st = take_layer_linear(w, i, "attn_k", kv_dim, s->dim, &l->key, f);
    if (st == STATUS_OK) st = take_layer_linear(w, i, "attn_v", kv_dim, s->dim, &l->value, f);
    if (st == STATUS_OK)
        st = take_layer_linear(w, i, "attn_output", s->dim, query_dim, &l->attention_output, f);
    if (st == STATUS_OK) st = take_layer_norm(w, i, "ffn_norm", s->dim, false, &l->ffn_norm, f);
    if (st == STATUS_OK) st = take_layer_linear(w, i, "ffn_gate", s->ffn_dim, s->dim, &l->gate, f);
    if (st == STATUS_OK) st = take_layer_linear(w, i, "ffn_up", s->ffn_dim, s->dim, &l->up, f);
    if (st == STATUS_OK) st = take_layer_linear(w, i, "ffn_down", s->dim, s->ffn_dim, &l->down, f);
    return st;
}

static status fill(transformer_weights *out, weights *w, const model_shape *s, failure *f) {
    out->gated = true;
    status st = STATUS_OK;
    if (s->rope.by_pair)
        st = weights_vector(w, "rope_freqs.weight", s->rope_dims / 2, &out->rope_factors, f);
    for (uint32_t i = 0; st == STATUS_OK && i < s->n_layers; i++)
        st = fill_layer(&out->layers[i], w, i, s, f);
    if (st == STATUS_OK) st = take_norm(w, "output_norm", s->dim, false, &out->output_norm, f);
    return st == STATUS_OK ? take_embedding(w, s, &out->embedding, &out->output, f) : st;
}

const architecture llama_architecture = {
    .name = "llama",
    .read_shape = read_shape,
    .fill = fill,
};
