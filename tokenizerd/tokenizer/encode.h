/* A text's way to ids, in slices: special tokens are looked for first; the tokenizer's rules encode the stretches
 * between them. */
#ifndef TRIVIUM_ENCODE_H
#define TRIVIUM_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "tokenizer.h"

typedef struct encoding encoding;

/* An encoding of nothing yet. `t` is borrowed, and so is the text: well-formed UTF-8, of which encoding_add says
 * how long it is; both must outlive it. NULL: no memory. */
encoding *encoding_new(const tokenizer *t, const uint8_t *text);
void encoding_free(encoding **e);

/* The next n_bytes of the text, which are well-formed by themselves, are to be encoded, before that begins. All
 * that is added is one text, split and merged as such; only special tokens, which count in parts that are
 * `special`, lie within one of them. STATUS_NO_MEMORY. */
status encoding_add(encoding *e, size_t n_bytes, bool special);
status encoding_add_id(encoding *e, int32_t id);            /* a ready id, such as BOS */

/* Encode about n_bytes more: pieces, or a part of the merges of a long one. Finding where a piece ends is divided
 * between the split patterns, not within one: of one word of TEXT_BYTES_MAX that takes 15 to 90 ms by most, 110 by "tekken"
 * (capital letters), 210 by "deepseek-llm" (Korean). *done when all is encoded. STATUS_TOO_LONG past TOKENIZE_IDS_MAX ids,
 * STATUS_NO_MEMORY; after a failure only encoding_free. */
status encoding_advance(encoding *e, size_t n_bytes, bool *done, failure *f);

const int32_t *encoding_ids(const encoding *e, size_t *n_ids);      /* owned by the encoding */

#endif
