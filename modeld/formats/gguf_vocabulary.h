/* The vocabulary that a model's file brings: read and checked once, then handed out as it lies there.
 * Byte-level BPE (tokenizer.ggml.model "gpt2") is what is supported. Keys: the GGUF specification. */
#ifndef TRIVIUM_GGUF_VOCABULARY_H
#define TRIVIUM_GGUF_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gguf.h"

/* Bytes that the model's file owns: valid as long as that is open. */
typedef struct model_bytes {
    const char *bytes;
    size_t n_bytes;
} model_bytes;

/* What the file says about its vocabulary, checked: n_tokens is the shape's n_vocab. */
typedef struct model_vocabulary {
    const char *kind;           /* tokenizer.ggml.model */
    const char *split;          /* tokenizer.ggml.pre; "" when absent */
    uint32_t n_tokens, n_merges;
    int32_t bos, eos, eot, eom; /* -1: none */
    bool add_bos, add_bos_told; /* told: the file has the key */
    const int32_t *ends;        /* [n_ends]: what other keys name as ends */
    size_t n_ends;              /* at most KEYED_ENDS_MAX */
    model_bytes chat_template;  /* empty when absent */
    char hash[33];              /* of all of it, hexadecimal */
} model_vocabulary;

typedef struct gguf_vocabulary gguf_vocabulary;

/* `n_vocab` is the number of the embedding's rows. `g` is borrowed until gguf_vocabulary_free. On failure *out
 * is NULL; the sentence names file and key. Checked: kind; as many tokens and token types as n_vocab;
 * ids of special tokens in range; merges present, "left right" each; every length within limits.h. */
status gguf_vocabulary_read(gguf_vocabulary **out, const gguf *g, uint32_t n_vocab, failure *f);
void gguf_vocabulary_free(gguf_vocabulary **v);

const model_vocabulary *gguf_vocabulary_summary(const gguf_vocabulary *v);
model_bytes gguf_vocabulary_token(const gguf_vocabulary *v, uint32_t id);      /* id < n_tokens */
uint8_t gguf_vocabulary_token_type(const gguf_vocabulary *v, uint32_t id);    /* 1 normal … 6 byte; 1 if unsaid */
model_bytes gguf_vocabulary_merge(const gguf_vocabulary *v, uint32_t rank);   /* rank < n_merges */

#endif
