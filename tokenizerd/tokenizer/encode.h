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

/* An encoding of nothing yet. `t` is borrowed and must outlive it. NULL: no memory. */
encoding *encoding_new(const tokenizer *t);
void encoding_free(encoding **e);

/* Append a text (copied) to what is to be encoded, before that begins or when it is done. Texts that are
 * added one after the other are one text, split and merged as such; only special tokens, which count in
 * texts that are `special`, lie within one of them. STATUS_TOO_LONG past TEXT_BYTES_MAX in all,
 * STATUS_NOT_UTF8, STATUS_NO_MEMORY; after the last only encoding_free. */
status encoding_add(encoding *e, const uint8_t *text, size_t n_bytes, bool special, failure *f);
status encoding_add_id(encoding *e, int32_t id);            /* a ready id, such as BOS */

/* Encode about n_bytes more: pieces, or a part of the merges of a long one (finding where a piece ends is
 * not divided: some 20 ms a megabyte). *done when all is encoded. STATUS_TOO_LONG past TOKENIZE_IDS_MAX
 * ids, STATUS_NO_MEMORY; after a failure only encoding_free. */
status encoding_advance(encoding *e, size_t n_bytes, bool *done, failure *f);

const int32_t *encoding_ids(const encoding *e, size_t *n_ids);      /* owned by the encoding */

#endif
