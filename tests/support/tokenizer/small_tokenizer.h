/* A tokenizer whose vocabulary fits on a page, for tests and fuzzing of what stands on one.
 *
 * Ids 0 … 255 are the bytes; then, in this order, one token a merge; then the special tokens. */
#ifndef TRIVIUM_TEST_SMALL_TOKENIZER_H
#define TRIVIUM_TEST_SMALL_TOKENIZER_H

#include <stddef.h>

#include "tokenizerd/tokenizer/tokenizer.h"

typedef struct small_special {
    const char *text;
    token_type type;
} small_special;

/* A merge's two sides as plain text: {"t", "h"}. */
typedef struct small_merge {
    const char *left, *right;
} small_merge;

typedef struct small_tokenizer_parts {
    const char *split;
    const small_merge *merges;
    size_t n_merges;
    const small_special *specials;
    size_t n_specials;
    int32_t eos;                /* -1: none */
    const small_special *bos;   /* one of the specials; NULL: none */
    bool add_bos;
    const char *chat_template;  /* NULL: none */
} small_tokenizer_parts;

enum { SMALL_FIRST_MERGE = 256 };

/* Never NULL: a test whose tokenizer cannot be built ends there, with the reason on stderr. */
tokenizer *small_tokenizer(const small_tokenizer_parts *parts);

/* One that most tests share: "gpt-2" patterns; merges to "th", "the", " the", "in", "ing", "aa" and
 * "aaaa"; "<|end|>" and "<|endless|>" are control tokens, "<tool>" is user-defined, "<?>" unknown,
 * "<pad>" unused. */
tokenizer *small_tokenizer_default(void);

/* The id of a text that must be a token. */
int32_t small_token(const vocab *v, const char *text);

#endif
