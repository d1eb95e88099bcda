/* A model: weights, shape, vocabulary, and the forward pass. Any architecture that is supported. */
#ifndef TRIVIUM_MODEL_H
#define TRIVIUM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory_limit.h"
#include "modeld/blocks/shape.h"
#include "modeld/formats/gguf_vocabulary.h"
#include "modeld/pages/batch.h"
#include "modeld/pages/kv_cache.h"
#include "proto/base/status.h"

typedef struct model model;

typedef struct model_options {
    uint32_t n_threads;         /* 0: one a core */
    const char *isa;            /* "auto", "ref", "avx2", "avx512" */
    uint32_t n_rows_max;        /* rows of one forward pass: 1 … BATCH_ROWS_MAX */
    bool blas;                  /* OpenBLAS where the start-up check finds its bits equal */
    uint32_t n_ctx;             /* positions, at most N_CTX_MAX; 0: those of the file, as far as supported */
    const memory_limit *memory; /* that all must fit, checked before weights are packed; NULL: anything */
    uint64_t kv_bytes;          /* for keys and values; 0: chosen as in memory_limit_share */
} model_options;

/* Open, check everything against the file, pack the weights for the kernels, start the pool. On failure
 * *out is NULL and `f` has one sentence (file, tensor or key, and what is supported). STATUS_IO: the file
 * cannot be read, or is damaged. STATUS_UNSUPPORTED: it is not one that can be computed. STATUS_NOT_FOUND,
 * STATUS_BAD_REQUEST: a key is missing or out of its range, or there is no such isa. STATUS_NO_MEMORY. */
status model_open(model **out, const char *path, const model_options *options, failure *f);
void model_close(model **m);

/* The fingerprint that a model of this file would have, without opening it as one. Reads all of it. Fails
 * as model_open does where it is no GGUF file. */
enum { FINGERPRINT_BYTES = 41 };
status model_file_fingerprint(const char *path, char out[FINGERPRINT_BYTES], failure *f);

const model_shape *model_shape_of(const model *m);
kv_shape model_kv_shape(const model *m);
uint64_t model_kv_bytes(const model *m);        /* for keys and values: the option, or what was chosen */
const model_vocabulary *model_vocabulary_of(const model *m);
model_bytes model_token(const model *m, uint32_t id);           /* id < n_tokens */
uint8_t model_token_type(const model *m, uint32_t id);          /* 1 normal … 6 byte, as in GGUF */
model_bytes model_merge(const model *m, uint32_t rank);         /* rank < n_merges: "left right" */
const char *model_fingerprint(const model *m);  /* weights hash + arithmetic version, hexadecimal */
const char *model_description(const model *m);  /* one line for the log: isa, threads, blas, tensor types */

/* Compute n_rows rows (1 … n_rows_max) in one pass over the weights. Rows of one sequence stand together
 * in ascending, gapless positions that begin at its kv_cache_n_positions; keys and values are written, and
 * batch_extend is to follow. logits: [number of rows that want them] places of [n_vocab], in row order. The
 * bits of a row depend on the weights and the ids up to it alone. No I/O, no allocation, cannot fail.
 *
 * Meanwhile other threads may open, extend and close sequences of the cache that have no row here. */
void model_forward(model *m, kv_cache *cache, const batch_row *rows, uint32_t n_rows, float *const *logits);

/* From another thread: the pass that runs ends after the layer that it is at, and so does each one that follows;
 * what they wrote means nothing. */
void model_stop(model *m);

#endif
