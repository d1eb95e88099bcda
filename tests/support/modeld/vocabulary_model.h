/* A tiny model for the tests of a group, and what its vocabulary is on the wire. */
#ifndef TRIVIUM_TESTS_VOCABULARY_MODEL_H
#define TRIVIUM_TESTS_VOCABULARY_MODEL_H

#include "common.pb-c.h"
#include "modeld/engine/model.h"

extern model *vocabulary_model;             /* NULL but between the two: */
int vocabulary_model_open(void **state);    /* of a group */
int vocabulary_model_close(void **state);

/* The piece that follows those with so many tokens and merges, which are counted on; false: the last one. */
bool vocabulary_piece_follows(const Trivium__VocabularyPiece *p, uint32_t *n_tokens, uint32_t *n_merges);

#endif
