/* What the keys of a Llama file say about its rotation. Scaling makes a model see farther than it was trained:
 * linear slows all pairs alike; YaRN (Peng et al. 2023) slows those that turn slowly, keeps those that turn
 * fast, and ramps between; Llama 3's rule comes as a tensor of factors. What the keys mean where a paper
 * leaves it open is llama.cpp's reading. */
#ifndef TRIVIUM_ROPE_KEYS_H
#define TRIVIUM_ROPE_KEYS_H

#include "modeld/blocks/shape.h"
#include "modeld/formats/gguf.h"

/* rope_dims, rope_base and rope; head_dim and n_ctx_made are there already. Refuses, naming the key, what
 * is not computed. */
status rope_keys_read(const gguf *g, model_shape *s, failure *f);

#endif
