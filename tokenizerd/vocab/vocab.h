/* A vocabulary: id ⇄ bytes, special ids, merges; filled from the pieces that a modeld sends. */
#ifndef TRIVIUM_VOCAB_H
#define TRIVIUM_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "specials.h"
#include "tokenizerd/tokenizer/bpe.h"
#include "tokenizerd/tokenizer/pretokenize.h"

typedef struct vocab vocab;

typedef enum token_type {       /* as in GGUF */
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN,
    TOKEN_CONTROL,
    TOKEN_USER_DEFINED,
    TOKEN_UNUSED,
    TOKEN_BYTE,
    TOKEN_FOREIGN,              /* normal in the file, but spelled in letters that stand for no bytes:
                                 * no text becomes it, and it is written as it is spelled */
} token_type;

typedef struct vocab_meta {
    const char *kind;           /* "gpt2": byte-level BPE, the one kind that is supported */
    const char *split;          /* name of the split pattern, see pretokenize.h */
    uint32_t n_tokens, n_merges;
    int32_t bos, eos, eot, eom; /* -1: none */
    bool add_bos;               /* a text begins with BOS; of a vocabulary: as told, or by its split */
    bool add_bos_told;          /* the file says it; else what goes with `split` counts, unless add_bos */
    const int32_t *ends;        /* [n_ends], at most KEYED_ENDS_MAX, which end a text like eos, eot, eom;
                                 * NULL of a vocabulary: see vocab_end_ids */
    size_t n_ends;
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

/* Pieces come in order. `text` is in the file's spelling: byte-level letters for normal tokens, else they
 * are foreign; a merge of other letters is never met. STATUS_BAD_MESSAGE: too many, or too long. */
status vocab_add_token(vocab *v, const uint8_t *text, size_t n_bytes, token_type type, failure *f);
status vocab_add_merge(vocab *v, const uint8_t *text, size_t n_bytes, failure *f);

/* All pieces are there: build the look-ups. STATUS_BAD_MESSAGE when some are missing. */
status vocab_finish(vocab *v, failure *f);

uint32_t vocab_size(const vocab *v);
const vocab_meta *vocab_meta_of(const vocab *v);
vocab_bytes vocab_token(const vocab *v, int32_t id);        /* its raw bytes; id in range */
token_type vocab_type(const vocab *v, int32_t id);

/* What ends a text: the ids that keys of the file name, and tokens that are known as ends by their text
 * (end_tokens.h), whatever type the file gives them; here their type is control. */
bool vocab_is_end(const vocab *v, int32_t id);
const int32_t *vocab_end_ids(const vocab *v, size_t *n);

/* The id whose bytes these are exactly; normal before others, the lowest of equals. -1: none. */
int32_t vocab_find(const vocab *v, const uint8_t *bytes, size_t n_bytes);

/* ---- for encode.c; owned by the vocabulary ---- */

/* Tokens to look for before a text is split. User-defined ones that are words or blanks (ordinary.h) are
 * what the text says; those that may mark something, control and unknown ones only count in a text that
 * is `special`: whoever wrote it could do so. */
const specials *vocab_specials(const vocab *v, bool special);
const pretokenizer *vocab_pretokenizer(const vocab *v);
const bpe *vocab_merges(const vocab *v);

/* The id that a piece of text becomes as a whole, because its merges give just that or because the
 * model ignores them; -1: it must be merged. */
int32_t vocab_whole_piece(const vocab *v, const uint8_t *piece, size_t n_bytes);

#endif
