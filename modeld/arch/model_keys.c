#include "model_keys.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "proto/base/limits.h"

/* The key as it stands in the file. */
typedef struct full_key {
    char text[96];
} full_key;

static full_key full(const model_keys *k, const char *key) {
    full_key out;
    int n = snprintf(out.text, sizeof out.text, "%s.%s", k->architecture, key);
    assert(n < (int)sizeof out.text);
    (void)n;
    return out;
}

bool model_keys_has(const model_keys *k, const char *key) {
    return gguf_has(k->file, full(k, key).text);
}

status model_keys_uint_or(const model_keys *k, const char *key, uint64_t min, uint64_t max, uint64_t fallback,
                          uint64_t *out, failure *f) {
    return gguf_uint_or(k->file, full(k, key).text, min, max, fallback, out, f);
}

status model_keys_real_or(const model_keys *k, const char *key, double fallback, double *out, failure *f) {
    return gguf_real_or(k->file, full(k, key).text, fallback, out, f);
}

status model_keys_bool_or(const model_keys *k, const char *key, bool fallback, bool *out, failure *f) {
    return gguf_bool_or(k->file, full(k, key).text, fallback, out, f);
}

status model_keys_text(const model_keys *k, const char *key, const char **text, size_t *n_bytes, failure *f) {
    return gguf_text(k->file, full(k, key).text, text, n_bytes, f);
}

/* Sizes ---------------------------------------------------------------------------------------- */

status model_keys_size(const model_keys *k, const char *key, uint32_t min, uint32_t max, uint32_t *out,
                       failure *f) {
    uint64_t value = 0;
    status st = gguf_uint(k->file, full(k, key).text, min, max, &value, f);
    *out = (uint32_t)value;
    return st;
}

status model_keys_size_or(const model_keys *k, const char *key, uint32_t min, uint32_t max, uint32_t fallback,
                          uint32_t *out, failure *f) {
    uint64_t value = 0;
    status st = model_keys_uint_or(k, key, min, max, fallback, &value, f);
    *out = (uint32_t)value;
    return st;
}

status model_keys_layers_size(const model_keys *k, const char *short_key, uint32_t max, const model_shape *s,
                              uint32_t *out, failure *f) {
    const gguf *g = k->file;
    const full_key key = full(k, short_key);
    const int32_t *items;
    size_t n;
    if (!gguf_is_array(g, key.text)) return model_keys_size(k, short_key, 1, max, out, f);
    status st = gguf_ints(g, key.text, &items, &n, f);
    if (st != STATUS_OK) return st;
    if (n != s->n_layers)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED, "key %s has %zu items for %u layers", key.text, n,
                           s->n_layers);
    for (size_t i = 1; i < n; i++)
        if (items[i] != items[0])
            return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                               "key %s is %d in the first layer and %d in another; layers that "
                               "differ are not supported", key.text, items[0], items[i]);
    if (items[0] < 1 || (uint32_t)items[0] > max)
        return gguf_refuse(g, f, STATUS_BAD_REQUEST, "key %s is %d, not 1 to %u", key.text, items[0], max);
    *out = (uint32_t)items[0];
    return STATUS_OK;
}

status model_keys_context(const model_keys *k, uint32_t n_ctx, model_shape *s, failure *f) {
    status st = model_keys_size(k, "context_length", 1, UINT32_MAX, &s->n_ctx_made, f);
    uint32_t served = s->n_ctx_made < N_CTX_MAX ? s->n_ctx_made : N_CTX_MAX;
    s->n_ctx = n_ctx > 0 ? n_ctx : served;
    return st;
}

status model_keys_widths(const model_keys *k, model_shape *s, failure *f) {
    status st = model_keys_size(k, "block_count", 1, LAYERS_MAX, &s->n_layers, f);
    if (st == STATUS_OK) st = model_keys_size(k, "embedding_length", 1, DIM_MAX, &s->dim, f);
    if (st == STATUS_OK) st = model_keys_layers_size(k, "feed_forward_length", FFN_DIM_MAX, s, &s->ffn_dim, f);
    return st;
}

static status read_head_dim(const model_keys *k, model_shape *s, failure *f) {
    uint32_t value_dim, width = s->dim / s->n_heads;
    if (!model_keys_has(k, "attention.key_length") && (s->dim % s->n_heads != 0 || width == 0))
        return gguf_refuse(k->file, f, STATUS_UNSUPPORTED, "an embedding of %u does not divide into %u heads",
                           s->dim, s->n_heads);
    status st = model_keys_size_or(k, "attention.key_length", 1, HEAD_DIM_MAX, width, &s->head_dim, f);
    if (st != STATUS_OK) return st;
    st = model_keys_size_or(k, "attention.value_length", 1, HEAD_DIM_MAX, s->head_dim, &value_dim, f);
    if (st != STATUS_OK) return st;
    if (value_dim != s->head_dim)
        return gguf_refuse(k->file, f, STATUS_UNSUPPORTED, "values of %u beside keys of %u are not supported",
                           value_dim, s->head_dim);
    s->score_scale = 1.0f / sqrtf((float)s->head_dim);
    return STATUS_OK;
}

status model_keys_grouped_heads(const model_keys *k, model_shape *s, failure *f) {
    status st = model_keys_layers_size(k, "attention.head_count", HEADS_MAX, s, &s->n_heads, f);
    if (st != STATUS_OK) return st;
    s->n_kv_heads = s->n_heads;
    if (model_keys_has(k, "attention.head_count_kv"))
        st = model_keys_layers_size(k, "attention.head_count_kv", s->n_heads, s, &s->n_kv_heads, f);
    if (st != STATUS_OK) return st;
    if (s->n_heads % s->n_kv_heads != 0)
        return gguf_refuse(k->file, f, STATUS_UNSUPPORTED,
                           "%u heads cannot share %u key and value heads evenly",
                           s->n_heads, s->n_kv_heads);
    return read_head_dim(k, s, f);
}

status model_keys_epsilon(const model_keys *k, const char *key, model_shape *s, failure *f) {
    double epsilon = 0.0;
    status st = model_keys_real_or(k, key, -1.0, &epsilon, f);
    if (st != STATUS_OK) return st;
    if (!(epsilon >= 0.0 && epsilon < 1.0))
        return gguf_refuse(k->file, f, STATUS_UNSUPPORTED, "%s is missing or not within 0 … 1",
                           full(k, key).text);
    s->norm_epsilon = (float)epsilon;
    return STATUS_OK;
}

status model_keys_vocabulary(const model_keys *k, model_shape *s, failure *f) {
    const gguf_tensor *t = gguf_find_tensor(k->file, "token_embd.weight");
    if (!t)
        return gguf_refuse(k->file, f, STATUS_UNSUPPORTED,
                           "the tensor \"token_embd.weight\" is missing");
    if (t->dims[1] > N_VOCAB_MAX)
        return gguf_refuse(k->file, f, STATUS_UNSUPPORTED, "a vocabulary of %llu is more than %d",
                           (unsigned long long)t->dims[1], N_VOCAB_MAX);
    s->n_vocab = (uint32_t)t->dims[1];
    return STATUS_OK;
}
