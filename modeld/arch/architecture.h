/* What an architecture is: a name in the file, its own reading of keys and tensors. Each is one file with
 * one row in model.c's table; what they read alike is here. */
#ifndef TRIVIUM_ARCHITECTURE_H
#define TRIVIUM_ARCHITECTURE_H

#include "modeld/blocks/shape.h"
#include "modeld/blocks/transformer.h"
#include "modeld/formats/gguf.h"
#include "weights.h"

typedef struct architecture {
    const char *name;           /* general.architecture */
    /* Read and check the sizes; n_ctx as in model_options. A failure names the key. */
    status (*read_shape)(const gguf *file, uint32_t n_ctx, model_shape *shape, failure *f);
    /* All tensors; a failure names the tensor. */
    status (*fill)(transformer_weights *out, weights *w, const model_shape *s, failure *f);
} architecture;

/* Sizes beyond any model of this kind; within them no product of two sizes overflows. */
enum {
    LAYERS_MAX = 1024,
    HEADS_MAX = 1024,
    HEAD_DIM_MAX = 1024,
    DIM_MAX = 1 << 16,
    FFN_DIM_MAX = 1 << 18,
};

/* A size of min … max; the second gives `fallback` where the file has no such key. */
status shape_uint(const gguf *g, const char *key, uint64_t min, uint64_t max, uint32_t *out,
                  failure *f);
status shape_uint_or(const gguf *g, const char *key, uint64_t min, uint64_t max, uint32_t fallback,
                     uint32_t *out, failure *f);
/* A size of 1 … max that the file has once, or for each of the n_layers (which is read already): those must
 * all be the same. */
status shape_layers_uint(const gguf *g, const char *key, uint64_t max, const model_shape *s,
                         uint32_t *out, failure *f);
/* n_ctx_made, and n_ctx: what is asked for, or with 0 as much of it as is supported. */
status shape_context(const gguf *g, const char *key, uint32_t n_ctx, model_shape *s, failure *f);
/* n_vocab: the rows of the embedding, because some files have no key for it. */
status shape_vocabulary(const gguf *g, model_shape *s, failure *f);
/* A norm's epsilon of 0 … 1, which has no fallback. */
status shape_epsilon(const gguf *g, const char *key, model_shape *s, failure *f);

/* NAME.weight; `centred` ones also have NAME.bias where it is there. */
status take_norm(weights *w, const char *name, uint32_t dim, bool centred, norm *out, failure *f);
/* blk.LAYER.NAME likewise; a linear's bias, too, is optional. */
status take_layer_norm(weights *w, uint32_t layer, const char *name, uint32_t dim, bool centred,
                       norm *out, failure *f);
status take_layer_linear(weights *w, uint32_t layer, const char *name, uint32_t n_outputs,
                         uint32_t n_inputs, linear *out, failure *f);
bool layer_has(const weights *w, uint32_t layer, const char *name);
/* Several, of n_outputs each, whose outputs stand one after the other in one tensor: n_parts of them, at
 * most WEIGHTS_PARTS_MAX. */
status take_layer_parts(weights *w, uint32_t layer, const char *name, uint32_t n_outputs,
                        uint32_t n_inputs, linear *const *out, uint32_t n_parts, failure *f);
/* token_embd as lookup, and output.weight, or the same where there is none, as matrix. */
status take_embedding(weights *w, const model_shape *s, lookup *embedding, matrix *output,
                      failure *f);

#endif
