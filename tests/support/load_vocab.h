/* A vocabulary straight from a GGUF file, for tests that need a real one. */
#ifndef TRIVIUM_TEST_LOAD_VOCAB_H
#define TRIVIUM_TEST_LOAD_VOCAB_H

#include "tokenizerd/vocab/vocab.h"

/* As gguf_open and vocab_finish fail; then *out is NULL. */
status load_vocab(vocab **out, const char *path, failure *f);

#endif
