/* The tokenizer of a GGUF file, for tests that need a real one. */
#ifndef TRIVIUM_TEST_LOAD_TOKENIZER_H
#define TRIVIUM_TEST_LOAD_TOKENIZER_H

#include "tokenizerd/tokenizer/tokenizer.h"

/* Fails as gguf_open, vocab_finish and tokenizer_new do; then *out is NULL. */
status load_tokenizer(tokenizer **out, const char *path, failure *f);

#endif
