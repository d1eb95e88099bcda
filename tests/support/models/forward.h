/* A forward pass whose rows of logits lie one after the other. */
#ifndef TRIVIUM_TESTS_FORWARD_H
#define TRIVIUM_TESTS_FORWARD_H

#include "modeld/engine/model.h"

/* model_forward and batch_extend; logits: [rows that want them, n_vocab]. */
void forward(model *m, kv_cache *cache, const batch_row *rows, uint32_t n_rows, float *logits);

#endif
