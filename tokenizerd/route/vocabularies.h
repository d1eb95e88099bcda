/* The vocabularies that modelds brought, by hash, and what is made of each once it is here: its tokenizer, and what
 * its chat template says. Those that no model speaks any more are kept for a while, so that a re-join is cheap.
 * Pure: no sockets. */
#ifndef TRIVIUM_VOCABULARIES_H
#define TRIVIUM_VOCABULARIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "tokenizerd/chat/chat_template.h"
#include "tokenizerd/tokenizer/tokenizer.h"
#include "tokenizerd/vocab/vocab_arrival.h"

typedef struct vocabularies vocabularies;
typedef struct vocabulary vocabulary;

vocabularies *vocabularies_new(void);       /* NULL: no memory */
void vocabularies_free(vocabularies **ys);  /* and all of them, used or not */

/* The vocabulary of this hash (at most NAME_BYTES_MAX bytes), NULL: unknown. */
vocabulary *vocabularies_find(const vocabularies *ys, const char *hash);

/* Use it: the known one, or a new one of n_tokens that nobody has sent yet. NULL: no memory. */
vocabulary *vocabularies_use(vocabularies *ys, const char *hash, uint32_t n_tokens);

/* One user fewer. Of the unused ones the latest VOCABULARIES_KEPT_MAX that are complete stay. */
void vocabularies_leave(vocabularies *ys, vocabulary *y);

const char *vocabulary_hash(const vocabulary *y);
uint32_t vocabulary_size(const vocabulary *y);      /* tokens in all, also before they are here */
const tokenizer *vocabulary_tokenizer(const vocabulary *y);     /* NULL until it is complete */
const chat_template *vocabulary_template(const vocabulary *y);  /* once it is complete */

bool vocabulary_wanted(const vocabulary *y);                /* it is incomplete and nobody is asked for it */
void vocabulary_ask(vocabulary *y, const void *sender);     /* `sender` is asked for it */
void vocabulary_forget(vocabulary *y, const void *sender);  /* who is gone: what it brought is forgotten, if asked */

/* A piece came from `sender`; one that was not asked for is ignored. *complete: with it the vocabulary can be
 * used. Any failure (STATUS_UNSUPPORTED, STATUS_BAD_MESSAGE, STATUS_NO_MEMORY): it cannot, and its sender must
 * go. */
status vocabulary_take(vocabulary *y, const void *sender, const vocabulary_piece *piece,
                       bool *complete, failure *f);

#endif
