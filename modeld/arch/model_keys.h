/* The keys of a file that begin with the name of its architecture, and the sizes that architectures read
 * from them alike. Keys are named here without that beginning: "block_count" is llama.block_count in a Llama
 * file. What they mean: the GGUF specification in ggml's docs. */
#ifndef TRIVIUM_MODEL_KEYS_H
#define TRIVIUM_MODEL_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "modeld/blocks/shape.h"
#include "modeld/formats/gguf.h"

typedef struct model_keys {
    const gguf *file;
    const char *architecture;
} model_keys;

/* Sizes beyond any model of this kind; within them no product of two sizes overflows. */
enum {
    LAYERS_MAX = 1024,
    HEADS_MAX = 1024,
    HEAD_DIM_MAX = 1024,
    DIM_MAX = 1 << 16,
    FFN_DIM_MAX = 1 << 18,
};

/* As the gguf_ functions of these names; a failure names file and key. */
bool model_keys_has(const model_keys *k, const char *key);
status model_keys_uint_or(const model_keys *k, const char *key, uint64_t min, uint64_t max, uint64_t fallback,
                          uint64_t *out, failure *f);
status model_keys_real_or(const model_keys *k, const char *key, double fallback, double *out, failure *f);
status model_keys_bool_or(const model_keys *k, const char *key, bool fallback, bool *out, failure *f);
status model_keys_text(const model_keys *k, const char *key, const char **text, size_t *n_bytes, failure *f);

/* A size of min … max, max at most UINT32_MAX; the second gives `fallback` where the file has no such key. */
status model_keys_size(const model_keys *k, const char *key, uint32_t min, uint32_t max, uint32_t *out,
                       failure *f);
status model_keys_size_or(const model_keys *k, const char *key, uint32_t min, uint32_t max, uint32_t fallback,
                          uint32_t *out, failure *f);
/* A size of 1 … max that the file has once, or for each of the n_layers (already read): those must all be
 * the same. */
status model_keys_layers_size(const model_keys *k, const char *key, uint32_t max, const model_shape *s,
                              uint32_t *out, failure *f);

/* n_ctx_made, and n_ctx: what is asked for, or for 0 as much of n_ctx_made as is supported. */
status model_keys_context(const model_keys *k, uint32_t n_ctx, model_shape *s, failure *f);
/* n_layers, dim and ffn_dim. */
status model_keys_widths(const model_keys *k, model_shape *s, failure *f);
/* n_heads; n_kv_heads, as many where the file does not say; head_dim, which is dim / n_heads where it does
 * not; score_scale, which goes with head_dim. dim is there already. */
status model_keys_grouped_heads(const model_keys *k, model_shape *s, failure *f);
/* norm_epsilon, of 0 … 1, which has no fallback; `key` differs with the norm. */
status model_keys_epsilon(const model_keys *k, const char *key, model_shape *s, failure *f);
/* n_vocab: the rows of the embedding, because some files have no key for it. */
status model_keys_vocabulary(const model_keys *k, model_shape *s, failure *f);

#endif
