/* A vocabulary: the tokens of a model, id ⇄ bytes, which of them are special, and what else its file says of
 * its texts. It is filled token by token; a tokenizer (tokenizer.h) takes it from there. */
#ifndef TRIVIUM_VOCAB_H
#define TRIVIUM_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "byte_strings.h"
#include "proto/base/status.h"
#include "specials.h"

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

typedef struct vocab_meta {     /* what the file says */
    const char *kind, *split;   /* which tokenizer the texts need, see tokenizer.h */
    uint32_t n_tokens, n_merges;
    int32_t bos, eos, eot, eom; /* -1: none */
    bool add_bos;               /* a text begins with BOS */
    bool add_bos_told;          /* the file says whether; else it also does if that goes with `split` */
    const int32_t *ends;        /* [n_ends], at most KEYED_ENDS_MAX, which end a text like eos, eot, eom;
                                 * NULL in the meta of a vocabulary: see vocab_end_ids */
    size_t n_ends;
    const uint8_t *chat_template;
    size_t chat_template_bytes;
} vocab_meta;

typedef struct vocab_bytes {
    const uint8_t *bytes;
    size_t n_bytes;
} vocab_bytes;

/* Texts are copied; nothing is borrowed after the call. STATUS_BAD_REQUEST for a size or a special id out of
 * its bounds, STATUS_NO_MEMORY. */
status vocab_new(vocab **out, const vocab_meta *meta, failure *f);
void vocab_free(vocab **v);

/* Tokens come in the order of their ids, merges in the order of their ranks, as two texts with a space
 * between. `text` is in the file's spelling: a normal token in other letters than byte-level ones becomes
 * foreign; a merge of such letters is never met. STATUS_BAD_MESSAGE: too many, or too long. */
status vocab_add_token(vocab *v, const uint8_t *text, size_t n_bytes, token_type type, failure *f);
status vocab_add_merge(vocab *v, const uint8_t *text, size_t n_bytes, failure *f);

/* All of them are there: build the look-ups. STATUS_BAD_MESSAGE when some are missing, STATUS_NO_MEMORY. */
status vocab_finish(vocab *v, failure *f);

/* The most memory that a vocabulary of so many tokens and merges takes beside their bytes, with the rules that a
 * tokenizer makes of it. */
size_t vocab_table_bytes(size_t n_tokens, size_t n_merges);

/* ---- for the tokenizer that takes a finished vocabulary ---- */

/* The raw bytes of the merges, left and right by turns in the order of ranks; both are empty in a merge that
 * is never met. They are the caller's from here on. */
byte_strings *vocab_take_merges(vocab *v);

/* Whether the tokenizer makes this token of its text, unmarked as it is. */
typedef bool vocab_makes(const void *tokenizer, int32_t id);

/* Find the tokens that end a text and those that are looked for before a text is split. A token that is known
 * as an end by its text is one unless the tokenizer makes it: HTML has its </s>, too. STATUS_NO_MEMORY. */
status vocab_find_specials(vocab *v, vocab_makes *makes, const void *tokenizer, failure *f);

/* ---- what it answers ---- */

uint32_t vocab_size(const vocab *v);
const vocab_meta *vocab_meta_of(const vocab *v);            /* its texts are the vocabulary's own */
vocab_bytes vocab_token(const vocab *v, int32_t id);        /* its raw bytes; id in range */
token_type vocab_type(const vocab *v, int32_t id);

/* What ends a text: the ids that keys of the file name, and tokens that are known as ends by their text
 * (end_tokens.h), whatever type the file gives them; here their type is control. */
bool vocab_is_end(const vocab *v, int32_t id);
const int32_t *vocab_end_ids(const vocab *v, size_t *n);

/* The id whose bytes these are exactly; normal before others, the lowest of equals. -1: none. */
int32_t vocab_find(const vocab *v, const uint8_t *bytes, size_t n_bytes);

/* Tokens to look for before a text is split. User-defined ones that are words or blanks (ordinary.h) are
 * what the text says; those that may mark something, control and unknown ones only count in a text that
 * is `special`: whoever wrote it could do so. */
const specials *vocab_specials(const vocab *v, bool special);

#endif
