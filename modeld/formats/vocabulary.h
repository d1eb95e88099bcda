/* The vocabulary that a model's file brings: read and checked once, then handed out as it lies there.
 * Byte-level BPE (tokenizer.ggml.model "gpt2") is what is supported. Keys: the GGUF specification. */
#ifndef TRIVIUM_VOCABULARY_H
#define TRIVIUM_VOCABULARY_H

#include <stdint.h>

#include "gguf.h"
#include "modeld/engine/model.h"

typedef struct vocabulary vocabulary;

/* `n_vocab` is the number of the embedding's rows. `g` is borrowed until vocabulary_free. On failure *out
 * is NULL; the sentence names file and key. Checked: kind; as many tokens and token types as n_vocab;
 * ids of special tokens in range; merges present, "left right" each; every length within limits.h. */
status vocabulary_read(vocabulary **out, const gguf *g, uint32_t n_vocab, failure *f);
void vocabulary_free(vocabulary **v);

const model_vocabulary *vocabulary_summary(const vocabulary *v);
model_bytes vocabulary_token(const vocabulary *v, uint32_t id);     /* id < n_tokens */
uint8_t vocabulary_token_type(const vocabulary *v, uint32_t id);    /* 1 normal … 6 byte; 1 where untold */
model_bytes vocabulary_merge(const vocabulary *v, uint32_t rank);   /* rank < n_merges */

#endif
