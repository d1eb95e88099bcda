#include "block_tensors.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

enum { TENSOR_NAME_BYTES = 64 };

/* What is taken from, and for what. */
typedef struct source {
    const architecture *architecture;
    const model_shape *shape;
    weights *weights;
    failure *f;
} source;

/* The name of a tensor or of a part of it, without its ending; of the layer, where there is one. */
typedef struct tensor_name {
    char text[TENSOR_NAME_BYTES];
} tensor_name;

static tensor_name in_layer(uint32_t layer, const char *name) {
    tensor_name out;
    int n = snprintf(out.text, sizeof out.text, "blk.%u.%s", layer, name);
    assert(n < (int)sizeof out.text);
    (void)n;
    return out;
}

static tensor_name ending(const char *name, const char *end) {
    tensor_name out;
    int n = snprintf(out.text, sizeof out.text, "%s.%s", name, end);
    assert(n < (int)sizeof out.text);
    (void)n;
    return out;
}

/* NAME.bias, [n], or NULL where it is not there. */
static status take_bias(const source *from, const char *name, uint32_t n, const float **out) {
    tensor_name bias = ending(name, "bias");
    *out = NULL;
    return weights_has(from->weights, bias.text) ? weights_vector(from->weights, bias.text, n, out, from->f)
                                                 : STATUS_OK;
}

/* NAME.weight, [dim], and, for kinds that have one, an optional bias. */
static status take_norm(const source *from, const char *name, norm *out) {
    *out = (norm){.kind = from->architecture->norm, .epsilon = from->shape->norm_epsilon};
    uint32_t dim = from->shape->dim;
    status st = weights_vector(from->weights, ending(name, "weight").text, dim, &out->weight, from->f);
    return st == STATUS_OK && out->kind == NORM_LAYER ? take_bias(from, name, dim, &out->bias) : st;
}

/* Several linears of n_outputs each, whose outputs stand one after the other in one tensor: n_parts of them,
 * at most WEIGHTS_PARTS_MAX. A bias is optional. */
static status take_parts(const source *from, const char *name, uint32_t n_outputs, uint32_t n_inputs,
                         linear *const *out, uint32_t n_parts) {
    matrix parts[WEIGHTS_PARTS_MAX];
    const float *bias;
    tensor_name weight = ending(name, "weight");
    status st = weights_parts(from->weights, weight.text, n_outputs, n_inputs, parts, n_parts, from->f);
    if (st == STATUS_OK) st = take_bias(from, name, n_parts * n_outputs, &bias);
    for (uint32_t i = 0; st == STATUS_OK && i < n_parts; i++)
        *out[i] = (linear){parts[i], bias ? bias + (size_t)i * n_outputs : NULL};
    return st;
}

static status take_linear(const source *from, uint32_t layer, const char *name, uint32_t n_outputs,
                          uint32_t n_inputs, linear *out) {
    return take_parts(from, in_layer(layer, name).text, n_outputs, n_inputs, &out, 1);
}

static status take_inputs(const source *from, uint32_t layer, attention_weights *out) {
    const model_shape *s = from->shape;
    uint32_t query_dim = s->n_heads * s->head_dim, kv_dim = s->n_kv_heads * s->head_dim;
    if (from->architecture->inputs == INPUTS_FUSED
        && !weights_has(from->weights, in_layer(layer, "attn_q.weight").text))
        return take_parts(from, in_layer(layer, "attn_qkv").text, query_dim, s->dim,
                          (linear *const[]){&out->query, &out->key, &out->value}, 3);
    status st = take_linear(from, layer, "attn_q", query_dim, s->dim, &out->query);
    if (st == STATUS_OK) st = take_linear(from, layer, "attn_k", kv_dim, s->dim, &out->key);
    return st == STATUS_OK ? take_linear(from, layer, "attn_v", kv_dim, s->dim, &out->value) : st;
}

static status take_attention(const source *from, uint32_t layer, attention_weights *out) {
    const model_shape *s = from->shape;
    status st = take_norm(from, in_layer(layer, "attn_norm").text, &out->norm);
    if (st == STATUS_OK) st = take_inputs(from, layer, out);
    return st == STATUS_OK
               ? take_linear(from, layer, "attn_output", s->dim, s->n_heads * s->head_dim, &out->output)
               : st;
}

static status take_feed_forward(const source *from, uint32_t layer, feed_forward_weights *out) {
    const model_shape *s = from->shape;
    out->kind = from->architecture->feed_forward;
    status st = take_norm(from, in_layer(layer, "ffn_norm").text, &out->norm);
    if (st == STATUS_OK && feed_forward_is_gated(out->kind))
        st = take_linear(from, layer, "ffn_gate", s->ffn_dim, s->dim, &out->gate);
    if (st == STATUS_OK) st = take_linear(from, layer, "ffn_up", s->ffn_dim, s->dim, &out->up);
    return st == STATUS_OK ? take_linear(from, layer, "ffn_down", s->dim, s->ffn_dim, &out->down) : st;
}

/* Positions --------------------------------------------------------------------------------------- */

/* The factor of each pair, where the file has them; else *out is NULL. */
static status take_factors(const source *from, const float **out) {
    const rotation *r = &from->shape->rotation;
    *out = NULL;
    if (!r->scaling.by_pair) return STATUS_OK;
    status st = weights_vector(from->weights, "rope_freqs.weight", r->n_dims / 2, out, from->f);
    for (uint32_t i = 0; st == STATUS_OK && i < r->n_dims / 2; i++) {
        double factor = (double)(*out)[i];
        if (!(factor > 0.0 && isfinite(factor)))
            return gguf_refuse(weights_file(from->weights), from->f, STATUS_UNSUPPORTED,
                               "the tensor rope_freqs.weight has a factor of %g; finite ones above 0 "
                               "are supported", factor);
    }
    return st;
}

static status take_rotation(const source *from, double *frequencies) {
    const rotation *r = &from->shape->rotation;
    const float *factors;
    status st = take_factors(from, &factors);
    if (st != STATUS_OK) return st;
    rotation_frequencies(r, factors, frequencies);
    for (uint32_t i = 0; i < r->n_dims / 2; i++)
        if (!(frequencies[i] > 0.0 && frequencies[i] <= ROTATION_FREQUENCY_MAX))
            return gguf_refuse(weights_file(from->weights), from->f, STATUS_UNSUPPORTED,
                               "the keys %s.rope.* and the tensor rope_freqs.weight make a rotation "
                               "of %g radians a position; above 0 and at most %g are supported",
                               from->architecture->name, frequencies[i], ROTATION_FREQUENCY_MAX);
    return STATUS_OK;
}

static status take_positions(const source *from, transformer_weights *out) {
    const model_shape *s = from->shape;
    if (s->rotation.kind != ROTATION_NONE) return take_rotation(from, out->frequencies);
    return weights_lookup(from->weights, "position_embd.weight", s->n_ctx_made, s->dim, &out->positions, from->f);
}

/* token_embd as lookup, and output.weight, or the same where there is none, as matrix. */
static status take_embedding(const source *from, transformer_weights *out) {
    weights *w = from->weights;
    uint32_t n_vocab = from->shape->n_vocab, dim = from->shape->dim;
    const char *head = weights_has(w, "output.weight") ? "output.weight" : "token_embd.weight";
    status st = weights_lookup(w, "token_embd.weight", n_vocab, dim, &out->embedding, from->f);
    return st == STATUS_OK ? weights_matrix(w, head, n_vocab, dim, &out->output, from->f) : st;
}

status block_tensors_take(const architecture *a, const model_shape *s, weights *w, transformer_weights *out,
                          failure *f) {
    const source from = {a, s, w, f};
    status st = take_positions(&from, out);
    for (uint32_t i = 0; st == STATUS_OK && i < s->n_layers; i++) {
        st = take_attention(&from, i, &out->layers[i].attention);
        if (st == STATUS_OK) st = take_feed_forward(&from, i, &out->layers[i].feed_forward);
    }
    if (st == STATUS_OK) st = take_norm(&from, "output_norm", &out->output_norm);
    return st == STATUS_OK ? take_embedding(&from, out) : st;
}
