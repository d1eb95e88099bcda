/* What an architecture is: the name in the file, the kinds of its blocks, and its own reading of the sizes
 * among the file's keys. Each is one file beside llama.c, and one row in the table of architecture.c. A
 * kind that no architecture had before is an enum value or a field in blocks/, with its case there; tensors
 * that none had before are taken in block_tensors.c. */
#ifndef TRIVIUM_ARCHITECTURE_H
#define TRIVIUM_ARCHITECTURE_H

#include "model_keys.h"
#include "modeld/blocks/feed_forward.h"
#include "modeld/blocks/norm.h"
#include "modeld/blocks/rotation.h"
#include "modeld/blocks/shape.h"
#include "modeld/formats/gguf.h"

/* How the tensors lie that make queries, keys and values of a row. */
typedef enum input_tensors {
    INPUTS_APART,               /* attn_q, attn_k and attn_v */
    INPUTS_FUSED,               /* attn_qkv: the three, equally many outputs each; or apart, where a file has them so */
} input_tensors;

typedef struct architecture {
    const char *name;           /* general.architecture; the file's keys for it begin with it and a dot */
    norm_kind norm;             /* before each block and before the output head */
    rotation_kind rotation;     /* of queries and keys; ROTATION_NONE: positions are learned */
    input_tensors inputs;
    feed_forward_kind feed_forward;
    /* Read and check the sizes, all of `shape` but rotation.kind, which is there already; n_ctx as in
     * model_options. A failure names the key. */
    status (*read_shape)(const model_keys *k, uint32_t n_ctx, model_shape *shape, failure *f);
} architecture;

extern const architecture gpt2_architecture;
extern const architecture llama_architecture;

/* The one that the file names. STATUS_UNSUPPORTED: it is none of ours, and `f` lists those. */
status architecture_find(const architecture **out, const gguf *file, failure *f);

/* The sizes that the file's keys tell, checked. A failure names the key. */
status architecture_read_shape(const architecture *a, const gguf *file, uint32_t n_ctx, model_shape *shape,
                               failure *f);

#endif
