/* A text through a tokenizer in one call, for tests. */
#ifndef TRIVIUM_TEST_ENCODE_TEXT_H
#define TRIVIUM_TEST_ENCODE_TEXT_H

#include "tokenizerd/text/ids_text.h"
#include "tokenizerd/tokenizer/encode.h"

/* Encode what was added, slice_bytes at a time: the first failure of encoding_advance. */
status encode_rest(encoding *e, size_t slice_bytes, failure *f);

/* A text encoded; the caller frees it. Never NULL: a program whose text is refused ends there, with the reason on
 * stderr. */
encoding *encode_text(const tokenizer *t, const void *text, size_t n_bytes, bool special, size_t slice_bytes);

/* The text of ids, which the caller frees. Never NULL: a program whose ids have none ends there. */
uint8_t *text_of_ids(const vocab *v, const int32_t *ids, size_t n_ids, size_t n_at_once, size_t *n_bytes);

#endif
