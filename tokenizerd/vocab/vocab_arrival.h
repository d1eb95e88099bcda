/* A vocabulary on its way here: it comes in pieces, each checked against its place. */
#ifndef TRIVIUM_VOCAB_ARRIVAL_H
#define TRIVIUM_VOCAB_ARRIVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "vocab.h"

typedef struct vocab_piece {   /* borrowed */
    const char *hash;                       /* of the whole vocabulary */
    uint32_t n_tokens_all, n_merges_all;    /* of the whole vocabulary */
    uint32_t first_token, first_merge;      /* where this piece belongs */
    const vocab_bytes *tokens;
    const uint8_t *types;                   /* [n_tokens] token_type */
    size_t n_tokens;
    const vocab_bytes *merges;
    size_t n_merges;
    const vocab_meta *meta; /* in the first piece, else NULL; its counts are filled in here */
} vocab_piece;

typedef struct vocab_arrival vocab_arrival;

/* Begin with the first piece, which vocab_arrival_add then takes. n_tokens: as many as the model's rows are wide.
 * STATUS_BAD_MESSAGE when it says another number or no kind, the codes of vocab_new. */
status vocab_arrival_new(vocab_arrival **out, const vocab_piece *first, uint32_t n_tokens, failure *f);
void vocab_arrival_free(vocab_arrival **a);

/* The next piece. *complete: it is the last one. STATUS_BAD_MESSAGE when it is not the next one or too large,
 * STATUS_NO_MEMORY; then the vocabulary cannot be used. */
status vocab_arrival_add(vocab_arrival *a, const vocab_piece *piece, bool *complete, failure *f);

/* The vocabulary of a complete arrival, which is gone afterwards; the caller owns *out. Codes of vocab_finish. */
status vocab_arrival_finish(vocab_arrival **a, vocab **out, failure *f);

#endif
