/* Writes random models of each architecture, of any shape and supported tensor type: real files,
 * small enough for unit tests, or large ones row by row. The same options give the same bytes on every
 * machine. Logits spread widely and tokens of text win, so that greedy texts vary and rarely end. */
#ifndef TRIVIUM_TESTS_TINY_MODEL_H
#define TRIVIUM_TESTS_TINY_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modeld/blocks/shape.h"
#include "modeld/formats/gguf.h"
#include "tiny_vocabulary.h"

typedef enum tiny_family {
    TINY_LLAMA,
    TINY_CHAPTER,               /* gpt2 as the chapter has it: no bias in attention */
    TINY_GPT2,                  /* gpt2 with every bias, query, key and value in one tensor */
} tiny_family;

/* What a file of the family llama says about its rotation; what is 0 or NULL has no key. */
typedef struct tiny_rope {
    const char *type;           /* llama.rope.scaling.type */
    double scale_linear;        /* llama.rope.scale_linear, the old key */
    uint32_t original_context;  /* …original_context_length */
    double factor, attention_factor, yarn_mix, yarn_fast, yarn_slow, yarn_log;  /* see TINY_ROPE_REALS */
    uint32_t llama3_context;    /* rope_freqs.weight as Llama 3.1 has it, made for this many positions before */
} tiny_rope;

/* A key llama.rope.scaling.KEY with a real number, and make_model's flag for it. */
typedef struct tiny_rope_real {
    const char *key, *flag, *what;
    size_t offset;              /* in tiny_rope */
} tiny_rope_real;

enum { N_TINY_ROPE_REALS = 6 };
extern const tiny_rope_real TINY_ROPE_REALS[N_TINY_ROPE_REALS];

typedef struct tiny_model_options {
    tiny_family family;
    const char *architecture;   /* general.architecture, and how keys begin; NULL: the family's */
    uint32_t n_experts;         /* ….expert_count; 0: no such key */
    uint32_t type;              /* tensor_type of the matrices; norms are float32 */
    uint32_t embedding_type;    /* of token_embd and, unless tied, output */
    uint64_t seed;
    model_shape shape;          /* 0: dim as below; head_dim dim / n_heads; rotation.n_dims head_dim */
    tiny_rope rope;
    bool tied;                  /* no output.weight: the embedding serves as one */
    const char *tokenizer;      /* tokenizer.ggml.model */
    const char *split;          /* tokenizer.ggml.pre: "gpt-2", "smollm", …; NULL: no such key */
    const char *add_bos;        /* tokenizer.ggml.add_bos_token: "true" or "false"; NULL: no such key */
    const tiny_token *tokens;   /* [n_tokens]: see tiny_vocabulary_make */
    size_t n_tokens;
    uint32_t bos, eos;          /* their ids */
    const char *chat_template;  /* NULL: no such key */
    const char *name;           /* general.name */
} tiny_model_options;

/* F32, 320 tokens, 256 positions, 2 layers, 4 heads (2 for keys and values), tied; dim and ffn are 0: 64
 * and 96, or 256 where the types have blocks of 256. */
tiny_model_options tiny_model_defaults(void);

/* STATUS_BAD_REQUEST: a shape that cannot be (rows that are no whole blocks, fewer tokens than
 * TINY_FIRST_MERGE, …); STATUS_IO: the file cannot be written. */
status tiny_model_write(const char *path, const tiny_model_options *options, failure *f);

#endif
