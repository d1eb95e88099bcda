/* The vocabulary in pieces: tokens first, then merges, each piece within items and bytes. */
#ifndef TRIVIUM_MODELD_VOCABULARY_PIECES_H
#define TRIVIUM_MODELD_VOCABULARY_PIECES_H

#include "common.pb-c.h"
#include "modeld/engine/model.h"
#include "proto/base/limits.h"

/* Where a piece begins; all zero: the first. */
typedef struct vocabulary_place {
    uint32_t n_tokens, n_merges;    /* in the pieces before it */
    bool begun;
} vocabulary_place;

/* Can it be sent at all? STATUS_TOO_LONG: its bytes are not within bounds. */
status vocabulary_pieces_check(const model *m, failure *f);

bool vocabulary_pieces_wanted(const model *m, const Trivium__VocabularyQuery *query);   /* is it this one? */

bool vocabulary_piece_exists(const model *m, const vocabulary_place *at);   /* false: all of it lies before */
/* The piece there; *at becomes the place of the next one. Valid until the next call of anybody: links are used by one
 * thread. */
Trivium__VocabularyPiece *vocabulary_piece_make(const model *m, vocabulary_place *at);

#endif
