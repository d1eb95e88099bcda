/* Text to pieces: the split patterns of a named rule, applied in turn. Each pattern cuts every
 * piece of the one before it into its matches and what lies between them. Text is taken as it is: no
 * normalization.
 *
 * Pieces are found one after the other, in time linear in the text, so a long text can be split in
 * slices. */
#ifndef TRIVIUM_PRETOKENIZE_H
#define TRIVIUM_PRETOKENIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"

/* The compiled patterns of a rule; read-only. */
typedef struct pretokenizer pretokenizer;

/* name: tokenizer.ggml.pre, see split_patterns.c. STATUS_UNSUPPORTED (the sentence lists what is
 * known), STATUS_NO_MEMORY. */
status pretokenizer_new(pretokenizer **out, const char *name, failure *f);
void pretokenizer_free(pretokenizer **p);

/* A piece that is a token is taken whole, whatever the merges give. */
bool pretokenizer_ignores_merges(const pretokenizer *p);

/* One text being split. */
typedef struct splitter splitter;

splitter *splitter_new(const pretokenizer *p);      /* `p` is borrowed. NULL: no memory */
void splitter_free(splitter **s);

/* Begin with a text: well-formed UTF-8, borrowed until its last piece. */
void splitter_start(splitter *s, const uint8_t *text, size_t n_bytes);

/* The next piece; pieces are not empty, and in order they are the text. *n_bytes is 0 when there
 * are no more, or when it paused: a pattern has looked through much, and the next call goes on with the
 * next pattern. STATUS_TOO_LONG when PCRE2 gives up at one of its limits, STATUS_NO_MEMORY. */
status splitter_next(splitter *s, const uint8_t **piece, size_t *n_bytes, failure *f);
bool splitter_paused(const splitter *s);

#endif
