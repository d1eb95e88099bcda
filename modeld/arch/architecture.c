#include "architecture.h"

#include <assert.h>
#include <stdio.h>

#include "proto/base/limits.h"

enum { TENSOR_NAME_BYTES = 64 };

/* Sizes ---------------------------------------------------------------------------------------- */

status shape_uint(const gguf *g, const char *key, uint64_t min, uint64_t max, uint32_t *out,
                  failure *f) {
    uint64_t value = 0;
    status st = gguf_uint(g, key, min, max, &value, f);
    *out = (uint32_t)value;
    return st;
}

status shape_uint_or(const gguf *g, const char *key, uint64_t min, uint64_t max, uint32_t fallback,
                     uint32_t *out, failure *f) {
    uint64_t value = 0;
    status st = gguf_uint_or(g, key, min, max, fallback, &value, f);
    *out = (uint32_t)value;
    return st;
}

status shape_layers_uint(const gguf *g, const char *key, uint64_t max, const model_shape *s,
                         uint32_t *out, failure *f) {
    const int32_t *items;
    size_t n;
    if (!gguf_is_array(g, key)) return shape_uint(g, key, 1, max, out, f);
    status st = gguf_ints(g, key, &items, &n, f);
    if (st != STATUS_OK) return st;
    if (n != s->n_layers)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED, "key %s has %zu items for %u layers", key, n,
                           s->n_layers);
    for (size_t i = 1; i < n; i++)
        if (items[i] != items[0])
            return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                               "key %s is %d in the first layer and %d in another; layers that "
                               "differ are not supported", key, items[0], items[i]);
    if (items[0] < 1 || (uint64_t)items[0] > max)
        return gguf_refuse(g, f, STATUS_BAD_REQUEST, "key %s is %d, not 1 to %llu", key, items[0],
                           (unsigned long long)max);
    *out = (uint32_t)items[0];
    return STATUS_OK;
}

status shape_context(const gguf *g, const char *key, uint32_t n_ctx, model_shape *s, failure *f) {
    status st = shape_uint(g, key, 1, UINT32_MAX, &s->n_ctx_made, f);
    uint32_t served = s->n_ctx_made < N_CTX_MAX ? s->n_ctx_made : N_CTX_MAX;
    s->n_ctx = n_ctx > 0 ? n_ctx : served;
    return st;
}

status shape_vocabulary(const gguf *g, model_shape *s, failure *f) {
    const gguf_tensor *t = gguf_find_tensor(g, "token_embd.weight");
    if (!t)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "the tensor \"token_embd.weight\" is missing");
    if (t->dims[1] > N_VOCAB_MAX)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED, "a vocabulary of %llu is more than %d",
                           (unsigned long long)t->dims[1], N_VOCAB_MAX);
    s->n_vocab = (uint32_t)t->dims[1];
    return STATUS_OK;
}

status shape_epsilon(const gguf *g, const char *key, model_shape *s, failure *f) {
    double epsilon = 0.0;
    status st = gguf_real_or(g, key, -1.0, &epsilon, f);
    if (st != STATUS_OK) return st;
    if (!(epsilon >= 0.0 && epsilon < 1.0))
        return gguf_refuse(g, f, STATUS_UNSUPPORTED, "%s is missing or not within 0 … 1", key);
    s->norm_epsilon = (float)epsilon;
    return STATUS_OK;
}

/* Tensors -------------------------------------------------------------------------------------- */

static status take_bias(weights *w, const char *name, uint32_t n, const float **out, failure *f) {
    char full[TENSOR_NAME_BYTES + 8];
    *out = NULL;
    snprintf(full, sizeof full, "%s.bias", name);
    return weights_has(w, full) ? weights_vector(w, full, n, out, f) : STATUS_OK;
}

status take_norm(weights *w, const char *name, uint32_t dim, bool centred, norm *out, failure *f) {
    char full[TENSOR_NAME_BYTES + 8];
    snprintf(full, sizeof full, "%s.weight", name);
    status st = weights_vector(w, full, dim, &out->weight, f);
    return st == STATUS_OK && centred ? take_bias(w, name, dim, &out->bias, f) : st;
}

static void layer_name(char out[TENSOR_NAME_BYTES], uint32_t layer, const char *name) {
    int n = snprintf(out, TENSOR_NAME_BYTES, "blk.%u.%s", layer, name);
    assert(n < TENSOR_NAME_BYTES);
    (void)n;
}

bool layer_has(const weights *w, uint32_t layer, const char *name) {
    char full[TENSOR_NAME_BYTES];
    layer_name(full, layer, name);
    return weights_has(w, full);
}

status take_layer_norm(weights *w, uint32_t layer, const char *name, uint32_t dim, bool centred,
                       norm *out, failure *f) {
    char full[TENSOR_NAME_BYTES];
    layer_name(full, layer, name);
    return take_norm(w, full, dim, centred, out, f);
}

status take_layer_linear(weights *w, uint32_t layer, const char *name, uint32_t n_outputs,
                         uint32_t n_inputs, linear *out, failure *f) {
    return take_layer_parts(w, layer, name, n_outputs, n_inputs, &out, 1, f);
}

status take_layer_parts(weights *w, uint32_t layer, const char *name, uint32_t n_outputs,
                        uint32_t n_inputs, linear *const *out, uint32_t n_parts, failure *f) {
    char short_name[TENSOR_NAME_BYTES], full[TENSOR_NAME_BYTES + 8];
    matrix parts[WEIGHTS_PARTS_MAX];
    const float *bias;
    layer_name(short_name, layer, name);
    snprintf(full, sizeof full, "%s.weight", short_name);
    status st = weights_parts(w, full, n_outputs, n_inputs, parts, n_parts, f);
    if (st == STATUS_OK) st = take_bias(w, short_name, n_parts * n_outputs, &bias, f);
    for (uint32_t i = 0; st == STATUS_OK && i < n_parts; i++)
        *out[i] = (linear){parts[i], bias ? bias + (size_t)i * n_outputs : NULL};
    return st;
}

status take_embedding(weights *w, const model_shape *s, lookup *embedding, matrix *output,
                      failure *f) {
    const char *head = weights_has(w, "output.weight") ? "output.weight" : "token_embd.weight";
    status st = weights_lookup(w, "token_embd.weight", s->n_vocab, s->dim, embedding, f);
    return st == STATUS_OK ? weights_matrix(w, head, s->n_vocab, s->dim, output, f) : st;
}
