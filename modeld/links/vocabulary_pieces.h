/* The vocabulary in pieces: tokens first, then merges, each piece within items and bytes. */
#ifndef TRIVIUM_MODELD_VOCABULARY_PIECES_H
#define TRIVIUM_MODELD_VOCABULARY_PIECES_H

#include "common.pb-c.h"
#include "modeld/engine/model.h"
#include "proto/base/limits.h"

typedef struct vocabulary_pieces {
    const model *model;
    uint32_t n_tokens, n_merges; /* in the pieces so far */
    bool begun;
    /* The piece that was made last. */
    Trivium__VocabularyPiece wire;
    Trivium__VocabularyMeta meta;
    ProtobufCBinaryData tokens[VOCABULARY_PIECE_ITEMS], merges[VOCABULARY_PIECE_ITEMS];
    uint8_t types[VOCABULARY_PIECE_ITEMS];
    size_t n_items, n_bytes;
} vocabulary_pieces;

/* Can it be sent at all? STATUS_TOO_LONG: its bytes are not within bounds. */
status vocabulary_pieces_check(const model *m, failure *f);

bool vocabulary_pieces_wanted(const model *m, const Trivium__VocabularyQuery *query);   /* is it this one? */

void vocabulary_pieces_begin(vocabulary_pieces *p, const model *m); /* borrows the model */
/* The next piece; NULL: that was all. Valid until the next call. */
Trivium__VocabularyPiece *vocabulary_pieces_next(vocabulary_pieces *p);

#endif
