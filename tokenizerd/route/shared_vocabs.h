/* The vocabularies that modelds brought, by hash. All modelds and models with the same one share it, and what is
 * made of it once it is here: its tokenizer, and what its chat template says. Those that no model uses any more
 * are kept for a while, so that a re-join is cheap. Pure: no sockets. */
#ifndef TRIVIUM_SHARED_VOCABS_H
#define TRIVIUM_SHARED_VOCABS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "tokenizerd/chat/chat_template.h"
#include "tokenizerd/tokenizer/tokenizer.h"
#include "tokenizerd/vocab/vocab_arrival.h"

typedef struct shared_vocabs shared_vocabs;
typedef struct shared_vocab shared_vocab;

shared_vocabs *shared_vocabs_new(void);         /* NULL: no memory */
void shared_vocabs_free(shared_vocabs **ys);    /* and all of them, used or not */

/* The vocabulary of this hash (at most NAME_BYTES_MAX bytes), NULL: unknown. */
shared_vocab *shared_vocabs_find(const shared_vocabs *ys, const char *hash);

/* Use it: the known one, or a new one of n_tokens that nobody has sent yet. NULL: no memory. */
shared_vocab *shared_vocabs_use(shared_vocabs *ys, const char *hash, uint32_t n_tokens);

/* One user fewer. Of the unused ones the latest VOCABULARIES_KEPT_MAX that are complete stay, as long as
 * VOCABULARIES_BYTES_MAX is not wanted for those that are used. */
void shared_vocabs_leave(shared_vocabs *ys, shared_vocab *y);

const char *shared_vocab_hash(const shared_vocab *y);
uint32_t shared_vocab_size(const shared_vocab *y);                  /* tokens in all, also before they are here */
const tokenizer *shared_vocab_tokenizer(const shared_vocab *y);     /* NULL until it is complete */
const chat_template *shared_vocab_template(const shared_vocab *y);  /* once it is complete */

/* It is incomplete and nobody is asked for it. */
bool shared_vocab_wanted(const shared_vocab *y);
void shared_vocab_ask(shared_vocab *y, const void *sender);     /* `sender` is asked for it now */
/* The sender is gone: if it was asked, what it brought is forgotten. */
void shared_vocab_forget(shared_vocab *y, const void *sender);

/* A piece came from `sender`; one that was not asked for is ignored. *complete: with it the vocabulary can be
 * used. Any failure (STATUS_UNSUPPORTED, STATUS_BAD_MESSAGE, STATUS_NO_MEMORY): it cannot, and its sender must
 * go. */
status shared_vocab_take(shared_vocab *y, const void *sender, const vocab_piece *piece,
                         bool *complete, failure *f);

#endif
