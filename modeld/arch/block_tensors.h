/* The tensors that the blocks of an architecture have, by the names that GGUF gives them, put where the
 * blocks read them. */
#ifndef TRIVIUM_BLOCK_TENSORS_H
#define TRIVIUM_BLOCK_TENSORS_H

#include "architecture.h"
#include "modeld/blocks/transformer.h"
#include "weights.h"

/* Fill all of `out`, as transformer_weights_of hands it out, with weights that `w` owns. A failure names the
 * tensor and what was expected, or the keys and the tensor whose rotation is not supported. */
status block_tensors_take(const architecture *a, const model_shape *s, weights *w, transformer_weights *out,
                          failure *f);

#endif
