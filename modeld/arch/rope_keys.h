/* What the keys rope.* of a file say about its rotation. Scaling makes a model see farther than it was
 * trained to: linear slows all pairs alike; YaRN (Peng et al. 2023) slows those that turn slowly, keeps those
 * that turn fast, and ramps between; Llama 3's rule comes as a tensor of factors. Where a paper leaves
 * open what a key means, llama.cpp's reading holds; kernels/ARITHMETIC.md lists them. */
#ifndef TRIVIUM_ROPE_KEYS_H
#define TRIVIUM_ROPE_KEYS_H

#include "model_keys.h"

/* Fill s->rotation but for its kind; head_dim and n_ctx_made are there already. Refuses, naming the key,
 * what is not computed. */
status rope_keys_read(const model_keys *k, model_shape *s, failure *f);

#endif
