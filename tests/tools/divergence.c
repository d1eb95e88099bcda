/* divergence REFERENCE.gguf FILE.gguf TEXT: how far the next-token distributions of FILE are from those of
 * REFERENCE (the same weights in float32) on a text. Cut into chunks of 512 tokens, the second half of each is
 * looked at, as llama.cpp's perplexity tool does. Prints the mean Kullback-Leibler divergence, its standard
 * error, and how often both have the same likeliest token. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "modeld/engine/model.h"
#include "proto/base/limits.h"
#include "tests/support/models/forward.h"
#include "tests/support/tokenizer/encode_text.h"
#include "tests/support/tokenizer/load_tokenizer.h"

enum { CHUNK = 512, FIRST = CHUNK / 2, ROWS = 16, TEXT_BYTES = 4 << 20 };

typedef struct side {
    model *m;
    kv_cache *cache;
    float *logits;              /* [ROWS, n_vocab] */
} side;

static void open_side(side *s, const char *path) {
    failure f;
    model_options o = {.n_threads = 0, .isa = "auto", .n_rows_max = ROWS, .blas = true};
    if (model_open(&s->m, path, &o, &f) != STATUS_OK) die("divergence", "%s", f.message);
    const model_shape *shape = model_shape_of(s->m);
    s->cache = kv_cache_new(model_kv_shape(s->m), CHUNK / PAGE_TOKENS + 1, 1);
    s->logits = malloc((size_t)ROWS * shape->n_vocab * sizeof(float));
    if (!s->cache || !s->logits) die("divergence", "no memory");
}

static encoding *encode_file(const char *text_path, const tokenizer *t) {
    uint8_t *text = malloc(TEXT_BYTES);
    FILE *file = fopen(text_path, "rb");
    if (!text || !file) die("divergence", "cannot read the text");
    size_t n_bytes = fread(text, 1, TEXT_BYTES, file);
    fclose(file);
    encoding *e = encode_text(t, text, n_bytes, false, SIZE_MAX);
    free(text);
    return e;
}

static kv_sequence begin(side *s, const int32_t *ids) {
    kv_sequence sequence;
    uint32_t n_cached;
    if (kv_cache_open(s->cache, "chunk", ids, CHUNK, CHUNK, &sequence, &n_cached) != STATUS_OK)
        die("divergence", "no room in the KV-cache");
    return sequence;
}

static void advance(side *s, kv_sequence sequence, const int32_t *ids, uint32_t pos) {
    batch_row rows[ROWS];
    for (uint32_t r = 0; r < ROWS; r++) rows[r] = (batch_row){sequence, pos + r, ids[pos + r], true};
    forward(s->m, s->cache, rows, ROWS, s->logits);
}

static double log_sum(const float *row, uint32_t n, uint32_t *best) {
    *best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (row[i] > row[*best]) *best = i;
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) sum += exp((double)row[i] - row[*best]);
    return row[*best] + log(sum);
}

/* Σ p · (log p − log q), p from the reference. */
static double row_divergence(const float *p, const float *q, uint32_t n, bool *same) {
    uint32_t best_p, best_q;
    double log_p = log_sum(p, n, &best_p), log_q = log_sum(q, n, &best_q), sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        double log_ratio = (p[i] - log_p) - (q[i] - log_q);
        sum += exp(p[i] - log_p) * log_ratio;
    }
    *same = best_p == best_q;
    return sum;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: divergence REFERENCE.gguf FILE.gguf TEXT\n");
        return 2;
    }
    side reference, other;
    tokenizer *t;
    failure f;
    open_side(&reference, argv[1]);
    open_side(&other, argv[2]);
    if (load_tokenizer(&t, argv[2], &f) != STATUS_OK) die("divergence", "%s", f.message);
    uint32_t n_vocab = model_shape_of(reference.m)->n_vocab;
    if (model_shape_of(other.m)->n_vocab != n_vocab) die("divergence", "the files have different vocabularies");

    encoding *e = encode_file(argv[3], t);
    size_t n_ids, n_rows = 0, n_same = 0;
    const int32_t *ids = encoding_ids(e, &n_ids);
    double sum = 0, squares = 0;
    for (const int32_t *chunk = ids; chunk + CHUNK <= ids + n_ids; chunk += CHUNK) {
        kv_sequence a = begin(&reference, chunk), b = begin(&other, chunk);
        for (uint32_t pos = 0; pos < CHUNK; pos += ROWS) {
            advance(&reference, a, chunk, pos);
            advance(&other, b, chunk, pos);
            for (uint32_t r = 0; r < ROWS && pos >= FIRST; r++) {
                if (pos + r == CHUNK - 1) continue;     /* nothing follows it in its chunk */
                bool same;
                size_t at = (size_t)r * n_vocab;
                double kl = row_divergence(reference.logits + at, other.logits + at, n_vocab, &same);
                sum += kl;
                squares += kl * kl;
                n_same += same;
                n_rows++;
            }
        }
        kv_cache_drop(reference.cache, a);
        kv_cache_drop(other.cache, b);
    }
    double mean = sum / (double)n_rows, n = (double)n_rows;
    printf("positions %zu  mean KL %.6f ± %.6f  same top token %.2f %%\n", n_rows, mean,
           sqrt((squares / n - mean * mean) / n), 100.0 * (double)n_same / n);
    encoding_free(&e);
    tokenizer_free(&t);
    for (side *s = &reference;; s = &other) {
        kv_cache_free(&s->cache);
        model_close(&s->m);
        free(s->logits);
        if (s == &other) break;
    }
    return 0;
}
