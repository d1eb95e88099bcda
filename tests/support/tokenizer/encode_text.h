/* A text through a tokenizer in one call, for tests. */
#ifndef TRIVIUM_TEST_ENCODE_TEXT_H
#define TRIVIUM_TEST_ENCODE_TEXT_H

#include "tokenizerd/tokenizer/encode.h"

/* Encode what was added, slice_bytes at a time: the first failure of encoding_advance. */
status encode_rest(encoding *e, size_t slice_bytes, failure *f);

/* A text encoded; the caller frees it. Never NULL: a program whose text is refused ends there, with the reason on
 * stderr. */
encoding *encode_text(const tokenizer *t, const void *text, size_t n_bytes, bool special, size_t slice_bytes);

#endif
