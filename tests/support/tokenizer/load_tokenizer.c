#include "load_tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "modeld/formats/gguf.h"
#include "proto/base/limits.h"

/* What a vocabulary is made of, views into the file. */
typedef struct sources {
    const gguf_view *tokens, *merges;
    const int32_t *types;
    size_t n_tokens, n_merges, n_types;
} sources;

/* NUL-terminated copy; *out is NULL when the call fails. */
static status read_name(const gguf *g, const char *key, char **out, failure *f) {
    const char *text;
    size_t n_bytes;
    *out = NULL;
    status st = gguf_text(g, key, &text, &n_bytes, f);
    if (st != STATUS_OK) return st;
    *out = strndup(text, n_bytes);
    return *out ? STATUS_OK : fail(f, STATUS_NO_MEMORY, "no memory for %s", key);
}

static status read_special(const gguf *g, const char *key, int32_t *out, failure *f) {
    uint64_t id = UINT64_MAX;
    status st = gguf_uint_or(g, key, 0, INT32_MAX, UINT64_MAX, &id, f);
    *out = id == UINT64_MAX ? -1 : (int32_t)id;
    return st;
}

static status read_sources(const gguf *g, sources *s, failure *f) {
    status st = gguf_texts(g, "tokenizer.ggml.tokens", &s->tokens, &s->n_tokens, f);
    if (st == STATUS_OK && gguf_has(g, "tokenizer.ggml.merges"))      /* other kinds have none */
        st = gguf_texts(g, "tokenizer.ggml.merges", &s->merges, &s->n_merges, f);
    if (st == STATUS_OK) st = gguf_ints(g, "tokenizer.ggml.token_type", &s->types, &s->n_types, f);
    if (st == STATUS_OK && s->n_types != s->n_tokens)
        st = fail(f, STATUS_BAD_MESSAGE, "the file has %zu tokens and %zu types", s->n_tokens,
                  s->n_types);
    return st;
}

static status read_meta(const gguf *g, vocab_meta *meta, failure *f) {
    status st = read_special(g, "tokenizer.ggml.bos_token_id", &meta->bos, f);
    if (st == STATUS_OK) st = read_special(g, "tokenizer.ggml.eos_token_id", &meta->eos, f);
    if (st == STATUS_OK) st = read_special(g, "tokenizer.ggml.eot_token_id", &meta->eot, f);
    if (st == STATUS_OK) st = read_special(g, "tokenizer.ggml.eom_token_id", &meta->eom, f);
    meta->add_bos_told = gguf_has(g, "tokenizer.ggml.add_bos_token");
    if (st == STATUS_OK)
        st = gguf_bool_or(g, "tokenizer.ggml.add_bos_token", false, &meta->add_bos, f);
    if (st != STATUS_OK || !gguf_has(g, "tokenizer.chat_template")) return st;
    const char *text;
    st = gguf_text(g, "tokenizer.chat_template", &text, &meta->chat_template_bytes, f);
    meta->chat_template = st == STATUS_OK ? (const uint8_t *)text : NULL;
    return st;
}

static status fill(vocab *v, const sources *s, failure *f) {
    status st = STATUS_OK;
    for (size_t i = 0; i < s->n_tokens && st == STATUS_OK; i++)
        st = vocab_add_token(v, (const uint8_t *)s->tokens[i].bytes, s->tokens[i].n_bytes,
                             (token_type)s->types[i], f);
    for (size_t i = 0; i < s->n_merges && st == STATUS_OK; i++)
        st = vocab_add_merge(v, (const uint8_t *)s->merges[i].bytes, s->merges[i].n_bytes, f);
    return st == STATUS_OK ? vocab_finish(v, f) : st;
}

status load_tokenizer(tokenizer **out, const char *path, failure *f) {
    *out = NULL;
    gguf *g = NULL;
    char *kind = NULL, *split = NULL;
    sources s = {0};
    status st = gguf_open(&g, path, f);
    if (st == STATUS_OK) st = read_name(g, "tokenizer.ggml.model", &kind, f);
    if (st == STATUS_OK && gguf_has(g, "tokenizer.ggml.pre"))
        st = read_name(g, "tokenizer.ggml.pre", &split, f);
    if (st == STATUS_OK) st = read_sources(g, &s, f);
    vocab *v = NULL;
    vocab_meta meta = {.kind = kind, .split = split ? split : ""};
    if (st == STATUS_OK) st = read_meta(g, &meta, f);
    meta.n_tokens = (uint32_t)s.n_tokens;
    meta.n_merges = (uint32_t)s.n_merges;
    if (st == STATUS_OK) st = tokenizer_check(&meta, f);
    if (st == STATUS_OK) st = vocab_new(&v, &meta, f);
    if (st == STATUS_OK) st = fill(v, &s, f);
    if (st == STATUS_OK) st = tokenizer_new(out, &v, f);
    vocab_free(&v);
    free(kind);
    free(split);
    gguf_close(&g);
    return st;
}
