/* Byte-level BPE (GPT-2's kind): a text is split into pieces by the patterns that its vocabulary names, and the
 * bytes of each piece are merged by the vocabulary's rules, unless the piece is a token as a whole. */
#ifndef TRIVIUM_BYTE_BPE_H
#define TRIVIUM_BYTE_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "token_ids.h"
#include "tokenizerd/vocab/vocab.h"

typedef struct byte_bpe byte_bpe;       /* the rules of one vocabulary; read-only */

/* `v` is finished and borrowed; merges: of vocab_take_merges, read for the call. STATUS_UNSUPPORTED: the split
 * is not known; STATUS_BAD_MESSAGE: a merge needs a text that is no token; STATUS_NO_MEMORY. */
status byte_bpe_new(byte_bpe **out, const vocab *v, const byte_strings *merges, failure *f);
void byte_bpe_free(byte_bpe **b);

/* Whether the merges make just this token of its text. */
bool byte_bpe_makes(const byte_bpe *b, int32_t id);

/* The id that a piece (1 byte or more) becomes as a whole, because its merges make just that or because the
 * model ignores them; -1: it must be merged. */
int32_t byte_bpe_whole(const byte_bpe *b, const uint8_t *piece, size_t n_bytes);

/* ---- stretches: text between two special tokens, on its way to ids ---- */

typedef struct byte_bpe_stretch byte_bpe_stretch;

byte_bpe_stretch *byte_bpe_stretch_new(const byte_bpe *b);      /* empty. `b` is borrowed. NULL: no memory */
void byte_bpe_stretch_free(byte_bpe_stretch **s);

/* Begin with a text, once the last one is done: well-formed UTF-8, borrowed until it is done, too. */
void byte_bpe_stretch_start(byte_bpe_stretch *s, const uint8_t *text, size_t n_bytes);

/* The smallest piece of work, worth n_bytes_max at most if it can be divided: its ids go to `ids`, about what
 * it was worth in bytes (1 or more) is added to *n_spent. *done: nothing was left to do. STATUS_TOO_LONG,
 * STATUS_NO_MEMORY; after that only byte_bpe_stretch_free. */
status byte_bpe_stretch_step(byte_bpe_stretch *s, size_t n_bytes_max, token_ids *ids, size_t *n_spent,
                             bool *done, failure *f);

#endif
