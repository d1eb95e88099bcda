/* The tokenizer of a model: its vocabulary, and the rules that make ids of a text. encode.h is the way of a text
 * through it.
 *
 * There is one kind, byte-level BPE (byte_bpe.h). Another one is a file beside that with the same functions;
 * tokenizer.c then chooses by the vocabulary's `kind`, and encode.c gives its stretches to that one. */
#ifndef TRIVIUM_TOKENIZER_H
#define TRIVIUM_TOKENIZER_H

#include <stdint.h>

#include "proto/base/status.h"
#include "tokenizerd/vocab/vocab.h"

typedef struct tokenizer tokenizer;

/* Whether there is a tokenizer for a vocabulary of this kind and split. STATUS_UNSUPPORTED: the sentence names
 * what is not known, and what is. */
status tokenizer_check(const vocab_meta *meta, failure *f);

/* The tokenizer of a finished vocabulary, which it owns from here on, also after a failure; *v becomes NULL.
 * It finds the vocabulary's special tokens. Read-only once it is made. STATUS_UNSUPPORTED, STATUS_BAD_MESSAGE
 * for a merge of texts that are no tokens, STATUS_NO_MEMORY. */
status tokenizer_new(tokenizer **out, vocab **v, failure *f);
void tokenizer_free(tokenizer **t);     /* and its vocabulary */

const vocab *tokenizer_vocab(const tokenizer *t);

/* BOS where a text begins with it: because the file says so, or it says nothing and that goes with its split.
 * -1: a text begins with its own first token. */
int32_t tokenizer_bos(const tokenizer *t);

/* ---- for encode.c ---- */

const struct byte_bpe *tokenizer_byte_bpe(const tokenizer *t);

#endif
