#include "double_model.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "quantize.h"

static double *new_doubles(size_t n) {
    double *x = calloc(n, sizeof *x);
    assert(x);
    return x;
}

/* All rows of a tensor. */
static double *tensor(const gguf *g, const char *name) {
    const gguf_tensor *t = gguf_find_tensor(g, name);
    assert(t);
    size_t n_rows = t->dims[1], n = t->dims[0], row_bytes = t->n_bytes / n_rows;
    double *values = new_doubles(n_rows * n);
    float *row = malloc(n * sizeof *row);
    assert(row);
    for (size_t r = 0; r < n_rows; r++) {
        dequantize_row(t->layout, t->bytes + r * row_bytes, n, row);
        for (size_t i = 0; i < n; i++) values[r * n + i] = (double)row[i];
    }
    free(row);
    return values;
}

/* Of a layer, or with −1 of none; NULL: it is not there. */
static double *part(const gguf *g, int layer, const char *name, const char *kind) {
    char full[80];
    if (layer < 0) snprintf(full, sizeof full, "%s.%s", name, kind);
    else snprintf(full, sizeof full, "blk.%d.%s.%s", layer, name, kind);
    return gguf_find_tensor(g, full) ? tensor(g, full) : NULL;
}

/* RMSNorm, or, where the norm has a bias, LayerNorm. */
static void norm_row(const double *x, const double *w, const double *bias, size_t n, double epsilon,
                     double *y) {
    double mean = 0, squares = 0;
    for (size_t i = 0; bias && i < n; i++) mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) / sqrt(squares / (double)n + epsilon) * w[i] + (bias ? bias[i] : 0);
}

/* y[n_rows, n_out] += x[n_rows, n_in] · Wᵀ + bias, of outputs `first` … of the tensor. */
static void multiply(const gguf *g, int layer, const char *name, size_t first, const double *x,
                     size_t n_rows, size_t n_in, size_t n_out, double *y) {
    double *w = part(g, layer, name, "weight"), *bias = part(g, layer, name, "bias");
    for (size_t r = 0; r < n_rows; r++)
        for (size_t o = 0; o < n_out; o++) {
            double sum = bias ? bias[first + o] : 0;
            for (size_t i = 0; i < n_in; i++) sum += w[(first + o) * n_in + i] * x[r * n_in + i];
            y[r * n_out + o] += sum;
        }
    free(w);
    free(bias);
}

static void rotate_head(double *head, const model_shape *s, uint32_t pos) {
    for (uint32_t i = 0; i < s->rotation.n_dims; i += 2) {    /* GPT-2 has none */
        double angle = pos * pow(s->rotation.base, -(double)i / s->rotation.n_dims);
        double a = head[i], b = head[i + 1];
        head[i] = a * cos(angle) - b * sin(angle);
        head[i + 1] = a * sin(angle) + b * cos(angle);
    }
}

/* One query over the keys and values [pos + 1, n_kv_heads · head_dim] of its kv head. */
static void attend(const double *q, const double *keys, const double *values, uint32_t pos,
                   const model_shape *s, double *out) {
    size_t stride = (size_t)s->n_kv_heads * s->head_dim;
    double *e = new_doubles(pos + 1), sum = 0;
    for (uint32_t p = 0; p <= pos; p++) {
        for (uint32_t i = 0; i < s->head_dim; i++) e[p] += q[i] * keys[p * stride + i];
        e[p] = exp(e[p] / sqrt(s->head_dim));
        sum += e[p];
    }
    for (uint32_t i = 0; i < s->head_dim; i++) {
        out[i] = 0;
        for (uint32_t p = 0; p <= pos; p++) out[i] += e[p] / sum * values[p * stride + i];
    }
    free(e);
}

static void attention(const gguf *g, int layer, const model_shape *s, uint32_t n, const double *h,
                      double *x) {
    size_t dim = s->head_dim, q_dim = s->n_heads * dim, kv_dim = s->n_kv_heads * dim;
    double *q = new_doubles(n * q_dim), *k = new_doubles(n * kv_dim), *v = new_doubles(n * kv_dim);
    double *a = new_doubles(n * q_dim), *fused = part(g, layer, "attn_qkv", "weight");
    multiply(g, layer, fused ? "attn_qkv" : "attn_q", 0, h, n, s->dim, q_dim, q);
    multiply(g, layer, fused ? "attn_qkv" : "attn_k", fused ? q_dim : 0, h, n, s->dim, kv_dim, k);
    multiply(g, layer, fused ? "attn_qkv" : "attn_v", fused ? 2 * q_dim : 0, h, n, s->dim, kv_dim, v);
    for (uint32_t r = 0; r < n; r++) {
        for (uint32_t i = 0; i < s->n_heads; i++) rotate_head(q + r * q_dim + i * dim, s, r);
        for (uint32_t i = 0; i < s->n_kv_heads; i++) rotate_head(k + r * kv_dim + i * dim, s, r);
        for (uint32_t i = 0; i < s->n_heads; i++) {
            size_t kv_at = i / (s->n_heads / s->n_kv_heads) * dim;
            attend(q + r * q_dim + i * dim, k + kv_at, v + kv_at, r, s, a + r * q_dim + i * dim);
        }
    }
    multiply(g, layer, "attn_output", 0, a, n, q_dim, s->dim, x);
    free(fused);
    free(q);
    free(k);
    free(v);
    free(a);
}

static double gelu(double x) {
    return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}

static void feed_forward(const gguf *g, int layer, const model_shape *s, uint32_t n,
                         const double *h, double *x) {
    size_t n_items = (size_t)n * s->ffn_dim;
    double *gated = part(g, layer, "ffn_gate", "weight");
    double *gate = new_doubles(n_items), *up = new_doubles(n_items);
    multiply(g, layer, "ffn_up", 0, h, n, s->dim, s->ffn_dim, up);
    if (gated) multiply(g, layer, "ffn_gate", 0, h, n, s->dim, s->ffn_dim, gate);
    for (size_t i = 0; i < n_items; i++)
        gate[i] = gated ? gate[i] / (1 + exp(-gate[i])) * up[i] : gelu(up[i]);
    multiply(g, layer, "ffn_down", 0, gate, n, s->ffn_dim, s->dim, x);
    free(gated);
    free(gate);
    free(up);
}

static void norm_all(const gguf *g, int layer, const char *name, const double *x,
                     const model_shape *s, uint32_t n, double *h) {
    double *w = part(g, layer, name, "weight"), *bias = part(g, layer, name, "bias");
    for (uint32_t r = 0; r < n; r++)
        norm_row(x + (size_t)r * s->dim, w, bias, s->dim, (double)s->norm_epsilon,
                 h + (size_t)r * s->dim);
    free(w);
    free(bias);
}

static void embed(const gguf *g, const model_shape *s, const int32_t *ids, uint32_t n_ids,
                  double *x) {
    double *tokens = tensor(g, "token_embd.weight"), *positions = part(g, -1, "position_embd", "weight");
    for (uint32_t r = 0; r < n_ids; r++)
        for (size_t i = 0; i < s->dim; i++)
            x[r * s->dim + i] = tokens[(size_t)ids[r] * s->dim + i]
                                + (positions ? positions[r * s->dim + i] : 0);
    free(tokens);
    free(positions);
}

double *double_model_logits(const gguf *g, const model_shape *s, const int32_t *ids,
                            uint32_t n_ids) {
    size_t dim = s->dim;
    double *x = new_doubles(n_ids * dim), *h = new_doubles(n_ids * dim);
    double *logits = new_doubles((size_t)n_ids * s->n_vocab);
    embed(g, s, ids, n_ids, x);
    for (int i = 0; i < (int)s->n_layers; i++) {
        norm_all(g, i, "attn_norm", x, s, n_ids, h);
        attention(g, i, s, n_ids, h, x);
        norm_all(g, i, "ffn_norm", x, s, n_ids, h);
        feed_forward(g, i, s, n_ids, h, x);
    }
    norm_all(g, -1, "output_norm", x, s, n_ids, h);
    const char *head = gguf_find_tensor(g, "output.weight") ? "output" : "token_embd";
    multiply(g, -1, head, 0, h, n_ids, dim, s->n_vocab, logits);
    free(x);
    free(h);
    return logits;
}
