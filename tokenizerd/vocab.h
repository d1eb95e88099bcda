/* A vocabulary: id ⇄ bytes, special ids, merges; filled from the pieces that a modeld sends. */
#ifndef TRIVIUM_VOCAB_H
#define TRIVIUM_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../proto/rt/status.h"
#include "bpe.h"
#include "pretokenize.h"
#include "specials.h"

typedef struct vocab vocab;

typedef enum token_type {       /* as in GGUF */
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN,
    TOKEN_CONTROL,
    TOKEN_USER_DEFINED,
    TOKEN_UNUSED,
    TOKEN_BYTE,
} token_type;

typedef struct vocab_meta {
    const char *kind;           /* "gpt2": byte-level BPE, the one kind that is supported */
    const char *split;          /* name of the split pattern, see pretokenize.h */
    uint32_t n_tokens, n_merges;
    int32_t bos, eos, eot, eom; /* -1: none */
    bool add_bos;
    const uint8_t *chat_template;   /* copied */
    size_t chat_template_bytes;
} vocab_meta;

typedef struct vocab_bytes {
    const uint8_t *bytes;
    size_t n_bytes;
} vocab_bytes;

/* STATUS_UNSUPPORTED (the sentence names kind or split and what is known), STATUS_BAD_REQUEST for a
 * special id outside the vocabulary, STATUS_NO_MEMORY. Nothing is borrowed after the call. */
status vocab_new(vocab **out, const vocab_meta *meta, failure *f);
void vocab_free(vocab **v);

/* Pieces come in order. `text` is in the file's spelling: byte-level letters for normal tokens.
 * STATUS_BAD_MESSAGE: too many, too long, or a letter that stands for no byte. */
status vocab_add_token(vocab *v, const uint8_t *text, size_t n_bytes, token_type type, failure *f);
status vocab_add_merge(vocab *v, const uint8_t *text, size_t n_bytes, failure *f);

/* All pieces are there: build the look-ups. STATUS_BAD_MESSAGE when some are missing. */
status vocab_finish(vocab *v, failure *f);

uint32_t vocab_size(const vocab *v);
const vocab_meta *vocab_meta_of(const vocab *v);
vocab_bytes vocab_token(const vocab *v, int32_t id);        /* its raw bytes; id in range */
token_type vocab_type(const vocab *v, int32_t id);
bool vocab_is_end(const vocab *v, int32_t id);              /* eos, eot, eom, <|im_end|>, <|endoftext|>, <|eot_id|> */
const int32_t *vocab_end_ids(const vocab *v, size_t *n);

/* The id whose bytes these are exactly; normal before others, the lowest of equals. -1: none. */
int32_t vocab_find(const vocab *v, const uint8_t *bytes, size_t n_bytes);

/* ---- for encode.c; owned by the vocabulary ---- */

/* Tokens to look for before a text is split: user-defined ones, and with `special` also control and
 * unknown ones. */
const specials *vocab_specials(const vocab *v, bool special);
const pretokenizer *vocab_pretokenizer(const vocab *v);
const bpe *vocab_merges(const vocab *v);

/* The id that a piece of text becomes as a whole, because its merges give just that or because the
 * model ignores them; -1: it must be merged. */
int32_t vocab_whole_piece(const vocab *v, const uint8_t *piece, size_t n_bytes);

#endif
