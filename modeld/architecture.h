/* What an architecture is: a name in the file, its own reading of keys and tensors, a forward pass.
 * Each is one file with one row in model.c's table. */
#ifndef TRIVIUM_ARCHITECTURE_H
#define TRIVIUM_ARCHITECTURE_H

#include "gguf.h"
#include "kernels/product.h"
#include "kv_cache.h"
#include "model.h"
#include "shape.h"
#include "weights.h"

/* What a network is built from; borrowed for its life. */
typedef struct network_parts {
    const gguf *file;
    const model_shape *shape;
    const engine *engine;
    weights *weights;
    uint32_t n_rows_max;
} network_parts;

typedef struct architecture {
    const char *name;           /* general.architecture */
    /* Read and check the sizes. A failure names the key. */
    status (*read_shape)(const gguf *file, model_shape *shape, failure *f);
    /* Take all tensors, make all work buffers. On failure *network is NULL. */
    status (*open)(void **network, const network_parts *parts, failure *f);
    void (*close)(void **network);
    /* As model_forward, except for kv_cache_extend. */
    void (*forward)(void *network, kv_cache *cache, const batch_row *rows, uint32_t n_rows,
                    float *logits);
} architecture;

#endif
