/* A row of logits to measure with, shaped like a language model's: a broad bell of unlikely tokens, a few that stand
 * out. */
#ifndef TRIVIUM_TEST_BELL_ROW_H
#define TRIVIUM_TEST_BELL_ROW_H

#include <stdint.h>

/* logits: [n_vocab], others with each seed. */
void bell_row_fill(float *logits, uint32_t n_vocab, uint64_t seed);

/* ids: [n_ids], scattered over the vocabulary: as many distinct ones as it has, then the same again. n_vocab is no
 * multiple of 7919. */
void bell_row_history(int32_t *ids, uint32_t n_ids, uint32_t n_vocab);

#endif
