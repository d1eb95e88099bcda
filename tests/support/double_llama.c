#include "double_llama.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static double *layer_tensor(const gguf *g, uint32_t layer, const char *name) {
    char full[80];
    snprintf(full, sizeof full, "blk.%u.%s.weight", layer, name);
    return tensor(g, full);
}

static void norm(const double *x, const double *w, size_t n, double epsilon, double *y) {
    double squares = 0;
    for (size_t i = 0; i < n; i++) squares += x[i] * x[i];
    for (size_t i = 0; i < n; i++) y[i] = x[i] / sqrt(squares / (double)n + epsilon) * w[i];
}

/* y[n_rows, n_out] (+)= x[n_rows, n_in] · Wᵀ */
static void multiply(const double *w, const double *x, size_t n_rows, size_t n_in, size_t n_out,
                     double *y) {
    for (size_t r = 0; r < n_rows; r++)
        for (size_t o = 0; o < n_out; o++)
            for (size_t i = 0; i < n_in; i++) y[r * n_out + o] += w[o * n_in + i] * x[r * n_in + i];
}

static void rotate_head(double *head, const model_shape *s, uint32_t pos) {
    for (uint32_t i = 0; i < s->rope_dims; i += 2) {
        double angle = pos * pow(s->rope_base, -(double)i / s->rope_dims);
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

static void attention(const gguf *g, uint32_t layer, const model_shape *s, uint32_t n,
                      const double *h, double *x) {
    size_t dim = s->head_dim, q_dim = s->n_heads * dim, kv_dim = s->n_kv_heads * dim;
    static const char *const names[] = {"attn_q", "attn_k", "attn_v", "attn_output"};
    double *w[4], *q = new_doubles(n * q_dim), *k = new_doubles(n * kv_dim),
                  *v = new_doubles(n * kv_dim);
    double *a = new_doubles(n * q_dim);
    for (int i = 0; i < 4; i++) w[i] = layer_tensor(g, layer, names[i]);
    multiply(w[0], h, n, s->dim, q_dim, q);
    multiply(w[1], h, n, s->dim, kv_dim, k);
    multiply(w[2], h, n, s->dim, kv_dim, v);
    for (uint32_t r = 0; r < n; r++) {
        for (uint32_t i = 0; i < s->n_heads; i++) rotate_head(q + r * q_dim + i * dim, s, r);
        for (uint32_t i = 0; i < s->n_kv_heads; i++) rotate_head(k + r * kv_dim + i * dim, s, r);
        for (uint32_t i = 0; i < s->n_heads; i++) {
            size_t kv_at = i / (s->n_heads / s->n_kv_heads) * dim;
            attend(q + r * q_dim + i * dim, k + kv_at, v + kv_at, r, s, a + r * q_dim + i * dim);
        }
    }
    multiply(w[3], a, n, q_dim, s->dim, x);
    for (int i = 0; i < 4; i++) free(w[i]);
    free(q);
    free(k);
    free(v);
    free(a);
}

static void feed_forward(const gguf *g, uint32_t layer, const model_shape *s, uint32_t n,
                         const double *h, double *x) {
    size_t n_items = (size_t)n * s->ffn_dim;
    double *gate_w = layer_tensor(g, layer, "ffn_gate"), *up_w = layer_tensor(g, layer, "ffn_up");
    double *down_w = layer_tensor(g, layer, "ffn_down");
    double *gate = new_doubles(n_items), *up = new_doubles(n_items);
    multiply(gate_w, h, n, s->dim, s->ffn_dim, gate);
    multiply(up_w, h, n, s->dim, s->ffn_dim, up);
    for (size_t i = 0; i < n_items; i++) gate[i] = gate[i] / (1 + exp(-gate[i])) * up[i];
    multiply(down_w, gate, n, s->ffn_dim, s->dim, x);
    free(gate_w);
    free(up_w);
    free(down_w);
    free(gate);
    free(up);
}

static void norm_all(const double *x, double *w, const model_shape *s, uint32_t n, double *h) {
    for (uint32_t r = 0; r < n; r++)
        norm(x + (size_t)r * s->dim, w, s->dim, (double)s->norm_epsilon, h + (size_t)r * s->dim);
    free(w);
}

double *double_llama_logits(const gguf *g, const model_shape *s, const int32_t *ids,
                            uint32_t n_ids) {
    size_t dim = s->dim;
    double *embedding = tensor(g, "token_embd.weight");
    double *x = new_doubles(n_ids * dim), *h = new_doubles(n_ids * dim);
    double *logits = new_doubles((size_t)n_ids * s->n_vocab);
    for (uint32_t r = 0; r < n_ids; r++)
        memcpy(x + r * dim, embedding + (size_t)ids[r] * dim, dim * sizeof *x);
    for (uint32_t i = 0; i < s->n_layers; i++) {
        norm_all(x, layer_tensor(g, i, "attn_norm"), s, n_ids, h);
        attention(g, i, s, n_ids, h, x);
        norm_all(x, layer_tensor(g, i, "ffn_norm"), s, n_ids, h);
        feed_forward(g, i, s, n_ids, h, x);
    }
    norm_all(x, tensor(g, "output_norm.weight"), s, n_ids, h);
    double *head = gguf_find_tensor(g, "output.weight") ? tensor(g, "output.weight") : NULL;
    multiply(head ? head : embedding, h, n_ids, dim, s->n_vocab, logits);
    free(head);
    free(embedding);
    free(x);
    free(h);
    return logits;
}
