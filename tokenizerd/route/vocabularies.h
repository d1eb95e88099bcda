/* The vocabularies that modelds brought, by hash, and the way they come: in pieces, each checked
 * against its place. Those that no model speaks any more are kept for a while, so that a re-join is
 * cheap. Pure: no sockets. */
#ifndef TRIVIUM_VOCABULARIES_H
#define TRIVIUM_VOCABULARIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "tokenizerd/chat/chat.h"
#include "tokenizerd/vocab/vocab.h"

typedef struct vocabularies vocabularies;
typedef struct vocabulary vocabulary;

typedef struct vocabulary_piece {   /* borrowed */
    const char *hash;
    uint32_t n_tokens_all, n_merges_all;    /* of the whole vocabulary */
    uint32_t first_token, first_merge;
    const vocab_bytes *tokens;
    const uint8_t *types;                   /* [n_tokens] */
    size_t n_tokens;
    const vocab_bytes *merges;
    size_t n_merges;
    const vocab_meta *meta; /* in the first piece, else NULL; its counts are filled in here */
} vocabulary_piece;

vocabularies *vocabularies_new(void);       /* NULL: no memory */
void vocabularies_free(vocabularies **ys);  /* used or not */

/* The vocabulary of this hash (at most NAME_BYTES_MAX bytes), NULL: unknown. */
vocabulary *vocabularies_find(const vocabularies *ys, const char *hash);

/* Use it: the known one, or a new one of n_tokens that nobody has sent yet. NULL: no memory. */
vocabulary *vocabularies_use(vocabularies *ys, const char *hash, uint32_t n_tokens);

/* One user less. Of the unused ones the latest VOCABULARIES_KEPT_MAX that are complete stay. */
void vocabularies_leave(vocabularies *ys, vocabulary *y);

const char *vocabulary_hash(const vocabulary *y);
uint32_t vocabulary_size(const vocabulary *y);      /* tokens in all, also before they are here */
const vocab *vocabulary_words(const vocabulary *y); /* NULL until it is complete */
const chat_template *vocabulary_template(const vocabulary *y);  /* once it is complete */

/* It is incomplete and nobody was asked for it. */
bool vocabulary_wanted(const vocabulary *y);
void vocabulary_ask(vocabulary *y, const void *sender);     /* `sender` is asked now */
/* The sender is gone: if it was asked, what it brought is forgotten. */
void vocabulary_forget(vocabulary *y, const void *sender);

/* A piece came from `sender`; one that was not asked for is ignored. *complete: with it the
 * vocabulary can be used. STATUS_UNSUPPORTED, STATUS_BAD_MESSAGE, …: it cannot, and its sender must
 * go. */
status vocabulary_take(vocabulary *y, const void *sender, const vocabulary_piece *piece,
                       bool *complete, failure *f);

#endif
