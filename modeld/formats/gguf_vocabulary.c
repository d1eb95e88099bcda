#include "gguf_vocabulary.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"

enum { TYPE_NORMAL = 1, TYPE_LAST = 6 };

struct gguf_vocabulary {
    model_vocabulary summary;
    char kind[NAME_BYTES_MAX + 1], split[NAME_BYTES_MAX + 1];
    const gguf_view *tokens;        /* [n_tokens], the gguf's */
    const gguf_view *merges;        /* [n_merges], the gguf's */
    const int32_t *types;           /* [n_tokens], the gguf's; NULL: all normal */
    int32_t ends[KEYED_ENDS_MAX];
};

/* A short name, copied and NUL-terminated: visible ASCII, so that any message may show it. */
static status read_name(const gguf *g, const char *key, char out[NAME_BYTES_MAX + 1], failure *f) {
    const char *text;
    size_t n_bytes;
    status st = gguf_text(g, key, &text, &n_bytes, f);
    if (st != STATUS_OK) return st;
    bool fits = n_bytes <= NAME_BYTES_MAX;
    for (size_t i = 0; fits && i < n_bytes; i++) fits = text[i] > ' ' && text[i] <= '~';
    if (!fits)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "key %s is not a name of at most %d visible ASCII letters", key,
                           NAME_BYTES_MAX);
    memcpy(out, text, n_bytes);
    out[n_bytes] = '\0';
    return STATUS_OK;
}

static status read_kind(gguf_vocabulary *v, const gguf *g, failure *f) {
    status st = read_name(g, "tokenizer.ggml.model", v->kind, f);
    if (st == STATUS_OK && gguf_has(g, "tokenizer.ggml.pre"))
        st = read_name(g, "tokenizer.ggml.pre", v->split, f);
    if (st != STATUS_OK) return st;
    if (strcmp(v->kind, "gpt2") != 0)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "the vocabulary is of kind \"%s\" (tokenizer.ggml.model), which is not "
                           "supported; \"gpt2\" is, byte-level BPE", v->kind);
    v->summary.kind = v->kind;
    v->summary.split = v->split;
    return STATUS_OK;
}

/* An array of texts, none longer than n_bytes_max. */
static status read_texts(const gguf *g, const char *key, size_t n_bytes_max, const gguf_view **views,
                         size_t *n, failure *f) {
    status st = gguf_texts(g, key, views, n, f);
    for (size_t i = 0; st == STATUS_OK && i < *n; i++)
        if ((*views)[i].n_bytes > n_bytes_max)
            return gguf_refuse(g, f, STATUS_TOO_LONG,
                               "item %zu of key %s has %zu bytes, more than %zu", i, key,
                               (*views)[i].n_bytes, n_bytes_max);
    return st;
}

static status read_tokens(gguf_vocabulary *v, const gguf *g, uint32_t n_vocab, failure *f) {
    size_t n = 0;
    status st = read_texts(g, "tokenizer.ggml.tokens", TOKEN_BYTES_MAX, &v->tokens, &n, f);
    if (st != STATUS_OK) return st;
    if (n != n_vocab)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                           "the vocabulary (tokenizer.ggml.tokens) has %zu tokens, but the "
                           "embedding has %u rows", n, n_vocab);
    v->summary.n_tokens = n_vocab;
    return STATUS_OK;
}

static status read_types(gguf_vocabulary *v, const gguf *g, failure *f) {
    static const char key[] = "tokenizer.ggml.token_type";
    size_t n = 0;
    if (!gguf_has(g, key)) return STATUS_OK;
    status st = gguf_ints(g, key, &v->types, &n, f);
    if (st != STATUS_OK) return st;
    if (n != v->summary.n_tokens)
        return gguf_refuse(g, f, STATUS_UNSUPPORTED, "key %s has %zu items for %u tokens", key, n,
                           v->summary.n_tokens);
    for (size_t i = 0; i < n; i++)
        if (v->types[i] < TYPE_NORMAL || v->types[i] > TYPE_LAST)
            return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                               "key %s says %d for token %zu, not %d to %d", key, v->types[i], i,
                               TYPE_NORMAL, TYPE_LAST);
    return STATUS_OK;
}

/* "left right": one blank with something on either side. */
static bool is_merge(gguf_view merge) {
    const char *blank = memchr(merge.bytes, ' ', merge.n_bytes);
    if (!blank || blank == merge.bytes) return false;
    size_t n_right = merge.n_bytes - (size_t)(blank - merge.bytes) - 1;
    return n_right > 0 && !memchr(blank + 1, ' ', n_right);
}

static status read_merges(gguf_vocabulary *v, const gguf *g, failure *f) {
    static const char key[] = "tokenizer.ggml.merges";
    size_t n = 0;
    status st = read_texts(g, key, 2 * TOKEN_BYTES_MAX + 1, &v->merges, &n, f);
    if (st != STATUS_OK) return st;
    if (n > N_MERGES_MAX)
        return gguf_refuse(g, f, STATUS_TOO_LONG, "key %s has %zu items, more than %d", key, n,
                           N_MERGES_MAX);
    for (size_t i = 0; i < n; i++)
        if (!is_merge(v->merges[i]))
            return gguf_refuse(g, f, STATUS_UNSUPPORTED,
                               "item %zu of key %s is not two tokens with a blank between", i, key);
    v->summary.n_merges = (uint32_t)n;
    return STATUS_OK;
}

static status read_special(gguf_vocabulary *v, const gguf *g, failure *f) {
    const struct { const char *key; int32_t *id; } specials[] = {
        {"tokenizer.ggml.bos_token_id", &v->summary.bos},
        {"tokenizer.ggml.eos_token_id", &v->summary.eos},
        {"tokenizer.ggml.eot_token_id", &v->summary.eot},
        {"tokenizer.ggml.eom_token_id", &v->summary.eom},
    };
    for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++) {
        uint64_t id = 0;
        *specials[i].id = -1;
        if (!gguf_has(g, specials[i].key)) continue;
        status st = gguf_uint(g, specials[i].key, 0, v->summary.n_tokens - 1, &id, f);
        if (st != STATUS_OK) return st;
        *specials[i].id = (int32_t)id;
    }
    static const char add_bos[] = "tokenizer.ggml.add_bos_token";
    v->summary.add_bos_told = gguf_has(g, add_bos);
    return gguf_bool_or(g, add_bos, false, &v->summary.add_bos, f);
}

static status read_end_list(gguf_vocabulary *v, const gguf *g, failure *f) {
    static const char key[] = "tokenizer.ggml.eos_token_ids";
    const int32_t *ids;
    size_t n = 0, room = KEYED_ENDS_MAX - v->summary.n_ends;
    if (!gguf_has(g, key)) return STATUS_OK;
    status st = gguf_ints(g, key, &ids, &n, f);
    if (st != STATUS_OK) return st;
    if (n > room)
        return gguf_refuse(g, f, STATUS_TOO_LONG, "key %s has %zu items, more than %zu", key, n,
                           room);
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] >= v->summary.n_tokens)
            return gguf_refuse(g, f, STATUS_BAD_REQUEST, "item %zu of key %s is %d, not 0 to %u", i,
                               key, ids[i], v->summary.n_tokens - 1);
        v->ends[v->summary.n_ends++] = ids[i];
    }
    return STATUS_OK;
}

/* Tokens that separate a file from the next one, or fill a gap: what follows them is another text. */
static status read_ends(gguf_vocabulary *v, const gguf *g, failure *f) {
    static const char *const keys[] = {"tokenizer.ggml.fim_pad_token_id",
                                       "tokenizer.ggml.fim_rep_token_id",
                                       "tokenizer.ggml.fim_sep_token_id"};
    v->summary.ends = v->ends;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        uint64_t id = 0;
        if (!gguf_has(g, keys[i])) continue;
        status st = gguf_uint(g, keys[i], 0, v->summary.n_tokens - 1, &id, f);
        if (st != STATUS_OK) return st;
        v->ends[v->summary.n_ends++] = (int32_t)id;
    }
    return read_end_list(v, g, f);
}

static status read_chat_template(gguf_vocabulary *v, const gguf *g, failure *f) {
    static const char key[] = "tokenizer.chat_template";
    model_bytes *text = &v->summary.chat_template;
    *text = (model_bytes){"", 0};
    if (!gguf_has(g, key)) return STATUS_OK;
    status st = gguf_text(g, key, &text->bytes, &text->n_bytes, f);
    if (st == STATUS_OK && text->n_bytes > CHAT_TEMPLATE_BYTES_MAX)
        return gguf_refuse(g, f, STATUS_TOO_LONG, "key %s has %zu bytes, more than %d", key,
                           text->n_bytes, CHAT_TEMPLATE_BYTES_MAX);
    return st;
}

status gguf_vocabulary_read(gguf_vocabulary **out, const gguf *g, uint32_t n_vocab, failure *f) {
    assert(n_vocab >= 1 && n_vocab <= N_VOCAB_MAX);
    *out = NULL;
    gguf_vocabulary *v = calloc(1, sizeof *v);
    if (!v) return gguf_refuse(g, f, STATUS_NO_MEMORY, "no memory for the vocabulary");
    status st = read_kind(v, g, f);
    if (st == STATUS_OK) st = read_tokens(v, g, n_vocab, f);
    if (st == STATUS_OK) st = read_types(v, g, f);
    if (st == STATUS_OK) st = read_merges(v, g, f);
    if (st == STATUS_OK) st = read_special(v, g, f);
    if (st == STATUS_OK) st = read_ends(v, g, f);
    if (st == STATUS_OK) st = read_chat_template(v, g, f);
    if (st != STATUS_OK) {
        gguf_vocabulary_free(&v);
        return st;
    }
    gguf_tokenizer_hash(g, v->summary.hash);
    *out = v;
    return STATUS_OK;
}

void gguf_vocabulary_free(gguf_vocabulary **v) {
    free(*v);
    *v = NULL;
}

const model_vocabulary *gguf_vocabulary_summary(const gguf_vocabulary *v) {
    return &v->summary;
}

model_bytes gguf_vocabulary_token(const gguf_vocabulary *v, uint32_t id) {
    assert(id < v->summary.n_tokens);
    return (model_bytes){v->tokens[id].bytes, v->tokens[id].n_bytes};
}

uint8_t gguf_vocabulary_token_type(const gguf_vocabulary *v, uint32_t id) {
    assert(id < v->summary.n_tokens);
    return v->types ? (uint8_t)v->types[id] : TYPE_NORMAL;
}

model_bytes gguf_vocabulary_merge(const gguf_vocabulary *v, uint32_t rank) {
    assert(rank < v->summary.n_merges);
    return (model_bytes){v->merges[rank].bytes, v->merges[rank].n_bytes};
}
