/* A small but real byte-level BPE vocabulary of any size, for tiny models: three control tokens, the 256
 * byte letters, then one token a merge: common pieces of English first, then endless words of a … z. */
#ifndef TRIVIUM_TESTS_TINY_VOCABULARY_H
#define TRIVIUM_TESTS_TINY_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>

enum {
    TINY_ENDOFTEXT,             /* <|endoftext|> */
    TINY_IM_START,              /* <|im_start|>, bos */
    TINY_IM_END,                /* <|im_end|>, eos */
    TINY_FIRST_BYTE,            /* the letter of byte b is token TINY_FIRST_BYTE + b */
    TINY_FIRST_MERGE = TINY_FIRST_BYTE + 256,
};

typedef struct tiny_vocabulary {
    char **tokens;              /* [n_tokens] */
    int32_t *types;             /* [n_tokens]: 1 normal, 3 control, and what is asked for */
    size_t n_tokens;
    char **merges;              /* [n_merges]: "left right"; merge i makes token TINY_FIRST_MERGE + i */
    size_t n_merges;
} tiny_vocabulary;

/* A token that a file may have: its text as the file spells it, and its type. */
typedef struct tiny_token {
    const char *text;
    int32_t type;
} tiny_token;

/* `others`: one that is a token already gets this type, the rest are the vocabulary's last ids, in order.
 * n_tokens ≥ TINY_FIRST_MERGE + n_others. No memory is the end of the program. */
void tiny_vocabulary_make(tiny_vocabulary *v, size_t n_tokens, const tiny_token *others, size_t n_others);
void tiny_vocabulary_free(tiny_vocabulary *v);

#endif
