/* bench_model FILE [THREADS [ISA [noblas]]]: speed of the bare forward pass. Prints, for one
 * sequence: prefill of 512 tokens, decode after 32 and after 1024 tokens; and decode of 8
 * sequences together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modeld/engine/model.h"
#include "modeld/formats/gguf.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "tests/support/models/forward.h"

enum { PREFILL = 512, DECODE = 64, LONG = 1024, TOGETHER = 8, PAGES = 256 };

typedef struct bench {
    model *m;
    kv_cache *cache;
    float *logits;
    uint64_t weight_bytes;      /* read for one token: the file's tensors, about */
} bench;

static int32_t some_id(const bench *b, uint32_t pos) {
    return (int32_t)(pos * 7919u % model_shape_of(b->m)->n_vocab);
}

static kv_sequence open_sequence(bench *b, const char *key) {
    kv_sequence s;
    uint32_t n_cached;
    int32_t id = some_id(b, 0);
    if (kv_cache_open(b->cache, key, &id, 1, LONG + 2 * DECODE, &s, &n_cached) != STATUS_OK)
        exit(1);
    return s;
}

/* The next n positions of a sequence in chunks; only the last row wants logits. */
static void extend(bench *b, kv_sequence s, uint32_t n) {
    batch_row rows[BATCH_ROWS_MAX];
    for (uint32_t done = 0; done < n;) {
        uint32_t n_rows = n - done < BATCH_ROWS_MAX ? n - done : BATCH_ROWS_MAX;
        uint32_t pos = kv_cache_n_positions(b->cache, s);
        for (uint32_t r = 0; r < n_rows; r++)
            rows[r] = (batch_row){s, pos + r, some_id(b, pos + r), done + r + 1 == n};
        forward(b->m, b->cache, rows, n_rows, b->logits);
        done += n_rows;
    }
}

static void report(const bench *b, const char *what, uint32_t n_tokens, uint32_t n_passes,
                   uint64_t us) {
    double seconds = (double)us * 1e-6;
    printf("%-24s %8.1f tok/s %8.3f ms a pass %6.1f GB/s\n", what, n_tokens / seconds,
           seconds * 1e3 / n_passes, (double)b->weight_bytes * n_passes / seconds * 1e-9);
}

static void decode(bench *b, kv_sequence s, const char *what) {
    uint64_t start = clock_us();
    for (int i = 0; i < DECODE; i++) extend(b, s, 1);
    report(b, what, DECODE, DECODE, clock_us() - start);
}

static void run_alone(bench *b) {
    kv_sequence s = open_sequence(b, "alone");
    extend(b, s, 32);
    decode(b, s, "decode after 32");
    kv_cache_drop(b->cache, s);
    s = open_sequence(b, "alone");
    uint64_t start = clock_us();
    extend(b, s, PREFILL);
    uint32_t n_passes = (PREFILL + BATCH_ROWS_MAX - 1) / BATCH_ROWS_MAX;
    report(b, "prefill of 512", PREFILL, n_passes, clock_us() - start);
    extend(b, s, LONG - PREFILL);
    decode(b, s, "decode after 1024");
    kv_cache_drop(b->cache, s);
}

static void run_together(bench *b) {
    kv_sequence s[TOGETHER];
    batch_row rows[TOGETHER];
    for (int i = 0; i < TOGETHER; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        s[i] = open_sequence(b, key);
        extend(b, s[i], 32);
    }
    uint64_t start = clock_us();
    for (uint32_t n = 0; n < DECODE; n++) {
        for (uint32_t i = 0; i < TOGETHER; i++)
            rows[i] = (batch_row){s[i], 32 + n, some_id(b, n + i), true};
        forward(b->m, b->cache, rows, TOGETHER, b->logits);
    }
    report(b, "decode of 8 together", DECODE * TOGETHER, DECODE, clock_us() - start);
}

static uint64_t tensor_bytes(const char *path) {
    gguf *g;
    failure f;
    uint64_t bytes = 0;
    if (gguf_open(&g, path, &f) != STATUS_OK) return 0;
    for (size_t i = 0; i < gguf_n_tensors(g); i++) bytes += gguf_tensor_at(g, i)->n_bytes;
    gguf_close(&g);
    return bytes;
}

int main(int argc, char **argv) {
    failure f;
    bench b = {0};
    if (argc < 2 || argc > 5) {
        fprintf(stderr, "usage: bench_model FILE [THREADS [ISA [noblas]]]\n");
        return 2;
    }
    model_options o = {.n_threads = argc > 2 ? (uint32_t)atoi(argv[2]) : 0,
                       .isa = argc > 3 ? argv[3] : "auto", .n_rows_max = BATCH_ROWS_MAX,
                       .blas = argc < 5};
    uint64_t start = clock_us();
    if (model_open(&b.m, argv[1], &o, &f) != STATUS_OK) {
        fprintf(stderr, "bench_model: %s\n", f.message);
        return 1;
    }
    printf("%s\nopened in %.3f s\n", model_description(b.m), (double)(clock_us() - start) * 1e-6);
    b.weight_bytes = tensor_bytes(argv[1]);
    b.cache = kv_cache_new(model_kv_shape(b.m), PAGES, TOGETHER);
    b.logits = malloc((size_t)TOGETHER * model_shape_of(b.m)->n_vocab * sizeof *b.logits);
    if (!b.cache || !b.logits) return 1;
    run_alone(&b);
    run_together(&b);
    free(b.logits);
    kv_cache_free(&b.cache);
    model_close(&b.m);
    return 0;
}
