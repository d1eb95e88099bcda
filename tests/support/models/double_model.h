/* Llama and GPT-2 once more, as plainly as it can be said: double precision, one row after the other, no
 * tiles, no threads, no cache format. The tests' own word on what the forward pass should
 * compute. */
#ifndef TRIVIUM_TESTS_DOUBLE_MODEL_H
#define TRIVIUM_TESTS_DOUBLE_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "modeld/blocks/shape.h"
#include "modeld/formats/gguf.h"

/* logits: [n_ids, n_vocab], caller frees. The file is a right one. */
double *double_model_logits(const gguf *g, const model_shape *shape, const int32_t *ids,
                            uint32_t n_ids);

#endif
