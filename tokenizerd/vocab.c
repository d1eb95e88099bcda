#include "vocab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../proto/limits.h"
#include "byte_letters.h"
#include "byte_strings.h"

/* Bounds of what one modeld may make us keep. */
enum { TOKENS_BYTES_MAX = 64 * 1024 * 1024, MERGES_BYTES_MAX = 64 * 1024 * 1024 };

static const char *const end_names[] = {"<|im_end|>", "<|endoftext|>", "<|eot_id|>"};
enum { N_END_NAMES = sizeof end_names / sizeof end_names[0], N_END_IDS_MAX = 3 + N_END_NAMES };

struct vocab {
    vocab_meta meta;            /* its texts are owned */
    byte_strings *tokens;       /* raw bytes by id */
    uint8_t *types;             /* [n_tokens] token_type */
    bool *whole;                /* [n_tokens] see vocab_whole_piece */
    byte_strings *merges;       /* raw: left and right of each rule by turns; gone once finished */
    bpe *rules;
    pretokenizer *split;
    specials *user_defined, *all_specials;
    int32_t end_ids[N_END_IDS_MAX];
    size_t n_end_ids;
};

/* ---- a new vocabulary ---- */

static status check_special(const vocab_meta *meta, const char *name, int32_t id, failure *f) {
    if (id >= -1 && id < (int32_t)meta->n_tokens) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "the vocabulary's %s id %d is not in 0 … %u", name, (int)id,
                (unsigned)meta->n_tokens - 1);
}

static status check_meta(const vocab_meta *meta, failure *f) {
    if (strcmp(meta->kind, "gpt2") != 0)
        return fail(f, STATUS_UNSUPPORTED,
                    "the tokenizer kind \"%.64s\" is not supported; \"gpt2\" (byte-level BPE) is",
                    meta->kind);
    if (meta->n_tokens == 0 || meta->n_tokens > N_VOCAB_MAX)
        return fail(f, STATUS_BAD_REQUEST, "a vocabulary of %u tokens; it must have 1 … %d",
                    (unsigned)meta->n_tokens, (int)N_VOCAB_MAX);
    if (meta->n_merges > N_MERGES_MAX)
        return fail(f, STATUS_BAD_REQUEST, "a vocabulary of %u merges; at most %d are supported",
                    (unsigned)meta->n_merges, (int)N_MERGES_MAX);
    if (meta->chat_template_bytes > CHAT_TEMPLATE_BYTES_MAX)
        return fail(f, STATUS_BAD_REQUEST, "the chat template has %zu bytes; the most is %d",
                    meta->chat_template_bytes, (int)CHAT_TEMPLATE_BYTES_MAX);
    status st = check_special(meta, "bos", meta->bos, f);
    if (st == STATUS_OK) st = check_special(meta, "eos", meta->eos, f);
    if (st == STATUS_OK) st = check_special(meta, "eot", meta->eot, f);
    if (st == STATUS_OK) st = check_special(meta, "eom", meta->eom, f);
    return st;
}

/* NUL-terminated copy; NULL: no memory. */
static void *copy_bytes(const void *bytes, size_t n_bytes) {
    char *copy = malloc(n_bytes + 1);
    if (!copy) return NULL;
    if (n_bytes > 0) memcpy(copy, bytes, n_bytes);
    copy[n_bytes] = '\0';
    return copy;
}

static status allocate(vocab *v, const vocab_meta *meta, failure *f) {
    v->meta = *meta;
    v->meta.kind = copy_bytes(meta->kind, strlen(meta->kind));
    v->meta.split = copy_bytes(meta->split, strlen(meta->split));
    v->meta.chat_template = copy_bytes(meta->chat_template, meta->chat_template_bytes);
    v->tokens = byte_strings_new(meta->n_tokens, TOKENS_BYTES_MAX);
    v->merges = byte_strings_new((size_t)meta->n_merges * 2, MERGES_BYTES_MAX);
    v->types = calloc(meta->n_tokens, sizeof *v->types);
    v->whole = calloc(meta->n_tokens, sizeof *v->whole);
    bool all = v->meta.kind && v->meta.split && v->meta.chat_template && v->tokens && v->merges &&
               v->types && v->whole;
    return all ? STATUS_OK : fail(f, STATUS_NO_MEMORY, "no memory for a vocabulary");
}

status vocab_new(vocab **out, const vocab_meta *meta, failure *f) {
    *out = NULL;
    status st = check_meta(meta, f);
    if (st != STATUS_OK) return st;
    vocab *v = calloc(1, sizeof *v);
    st = v ? allocate(v, meta, f) : fail(f, STATUS_NO_MEMORY, "no memory for a vocabulary");
    if (st == STATUS_OK) st = pretokenizer_new(&v->split, meta->split, f);
    if (st != STATUS_OK) vocab_free(&v);
    *out = v;
    return st;
}

void vocab_free(vocab **v) {
    if (!*v) return;
    free((char *)(*v)->meta.kind);
    free((char *)(*v)->meta.split);
    free((uint8_t *)(*v)->meta.chat_template);
    byte_strings_free(&(*v)->tokens);
    byte_strings_free(&(*v)->merges);
    free((*v)->types);
    free((*v)->whole);
    bpe_free(&(*v)->rules);
    pretokenizer_free(&(*v)->split);
    specials_free(&(*v)->user_defined);
    specials_free(&(*v)->all_specials);
    free(*v);
    *v = NULL;
}

/* ---- its pieces ---- */

static status add_raw(byte_strings *list, const uint8_t *bytes, size_t n_bytes, failure *f) {
    status st = byte_strings_add(list, bytes, n_bytes);
    if (st == STATUS_TOO_LONG)
        return fail(f, STATUS_BAD_MESSAGE,
                    "the vocabulary has more tokens or merges than it announced, or too long ones");
    return st == STATUS_OK ? st : fail(f, st, "no memory for a vocabulary");
}

/* A text in byte-level letters, at most TOKEN_BYTES_MAX long. */
static status add_spelled(byte_strings *list, const uint8_t *text, size_t n_bytes, failure *f) {
    uint8_t raw[TOKEN_BYTES_MAX];
    size_t n_raw;
    if (byte_letters_undo(text, n_bytes, raw, &n_raw)) return add_raw(list, raw, n_raw, f);
    return fail(f, STATUS_BAD_MESSAGE,
                "a token or merge of the vocabulary has a letter that stands for no byte: \"%.*s\"",
                (int)(n_bytes < 64 ? n_bytes : 64), (const char *)text);
}

status vocab_add_token(vocab *v, const uint8_t *text, size_t n_bytes, token_type type, failure *f) {
    size_t id = byte_strings_count(v->tokens);
    if (type < TOKEN_NORMAL || type > TOKEN_BYTE)
        return fail(f, STATUS_BAD_MESSAGE, "token %zu has the unknown type %d", id, (int)type);
    if (n_bytes > TOKEN_BYTES_MAX)
        return fail(f, STATUS_BAD_MESSAGE, "token %zu has %zu bytes; the most is %d", id,
                    n_bytes, (int)TOKEN_BYTES_MAX);
    status st = type == TOKEN_NORMAL ? add_spelled(v->tokens, text, n_bytes, f)
                                     : add_raw(v->tokens, text, n_bytes, f);
    if (st == STATUS_OK) v->types[id] = (uint8_t)type;
    return st;
}

status vocab_add_merge(vocab *v, const uint8_t *text, size_t n_bytes, failure *f) {
    assert(v->merges);          /* not yet finished */
    const uint8_t *space = n_bytes > 0 ? memchr(text, ' ', n_bytes) : NULL;
    size_t n_left = space ? (size_t)(space - text) : 0;
    if (n_left == 0 || n_left + 1 == n_bytes || n_bytes > TOKEN_BYTES_MAX)
        return fail(f, STATUS_BAD_MESSAGE, "merge %zu is not two texts with a space between",
                    byte_strings_count(v->merges) / 2);
    status st = add_spelled(v->merges, text, n_left, f);
    if (st == STATUS_OK) st = add_spelled(v->merges, space + 1, n_bytes - n_left - 1, f);
    return st;
}

/* ---- its look-ups, once all pieces are there ---- */

static status index_tokens(vocab *v, failure *f) {
    status st = STATUS_OK;
    for (int others = 0; others < 2; others++)      /* normal tokens first: they win over equals */
        for (size_t id = 0; id < v->meta.n_tokens && st == STATUS_OK; id++)
            if ((v->types[id] != TOKEN_NORMAL) == others) st = byte_strings_index(v->tokens, id);
    return st == STATUS_OK ? st : fail(f, st, "no memory for a vocabulary");
}

/* A normal token's id; -1: none. */
static int32_t find_normal(const vocab *v, const uint8_t *bytes, size_t n_bytes) {
    int32_t id = vocab_find(v, bytes, n_bytes);
    return id >= 0 && v->types[id] == TOKEN_NORMAL ? id : -1;
}

static status build_rules(vocab *v, failure *f) {
    int32_t byte_ids[256];
    for (unsigned i = 0; i < 256; i++) byte_ids[i] = find_normal(v, &(uint8_t){(uint8_t)i}, 1);
    v->rules = bpe_new(byte_ids, v->meta.n_merges);
    if (!v->rules) return fail(f, STATUS_NO_MEMORY, "no memory for a vocabulary's merges");
    for (size_t rank = 0; rank < v->meta.n_merges; rank++) {
        size_t n_left, n_right;
        const uint8_t *left = byte_strings_at(v->merges, rank * 2, &n_left);
        const uint8_t *right = byte_strings_at(v->merges, rank * 2 + 1, &n_right);
        int32_t left_id = find_normal(v, left, n_left), right_id = find_normal(v, right, n_right);
        int32_t merged = find_normal(v, left, n_left + n_right);    /* the two are contiguous */
        if (left_id < 0 || right_id < 0 || merged < 0)
            return fail(f, STATUS_BAD_MESSAGE,
                        "merge %zu of the vocabulary needs a text that is no token", rank);
        bpe_add(v->rules, left_id, right_id, merged);
    }
    byte_strings_free(&v->merges);
    return STATUS_OK;
}

static bool is_whole(const vocab *v, int32_t id) {
    vocab_bytes token = vocab_token(v, id);
    if (v->types[id] != TOKEN_NORMAL || token.n_bytes == 0) return false;
    if (pretokenizer_ignores_merges(v->split)) return true;
    int32_t ids[BPE_SHORT_BYTES];
    if (token.n_bytes > BPE_SHORT_BYTES) return false;  /* rare; merging it gives the same */
    return bpe_short(v->rules, token.bytes, token.n_bytes, ids) == 1 && ids[0] == id;
}

static status collect_specials(vocab *v, failure *f) {
    int32_t *ids = malloc(v->meta.n_tokens * sizeof *ids);
    if (!ids) return fail(f, STATUS_NO_MEMORY, "no memory for a vocabulary");
    size_t n = 0;
    for (uint32_t id = 0; id < v->meta.n_tokens; id++)
        if (v->types[id] == TOKEN_USER_DEFINED) ids[n++] = (int32_t)id;
    v->user_defined = specials_new(v->tokens, ids, n);
    for (uint32_t id = 0; id < v->meta.n_tokens; id++)
        if (v->types[id] == TOKEN_CONTROL || v->types[id] == TOKEN_UNKNOWN) ids[n++] = (int32_t)id;
    v->all_specials = specials_new(v->tokens, ids, n);
    free(ids);
    if (v->user_defined && v->all_specials) return STATUS_OK;
    return fail(f, STATUS_NO_MEMORY, "no memory for a vocabulary");
}

static void add_end_id(vocab *v, int32_t id) {
    if (id >= 0 && !vocab_is_end(v, id)) v->end_ids[v->n_end_ids++] = id;
}

static void collect_end_ids(vocab *v) {
    add_end_id(v, v->meta.eos);
    add_end_id(v, v->meta.eot);
    add_end_id(v, v->meta.eom);
    for (size_t i = 0; i < N_END_NAMES; i++) {
        int32_t id = vocab_find(v, (const uint8_t *)end_names[i], strlen(end_names[i]));
        if (id >= 0 && v->types[id] == TOKEN_CONTROL) add_end_id(v, id);
    }
}

status vocab_finish(vocab *v, failure *f) {
    assert(v->merges);          /* not yet finished */
    size_t n_tokens = byte_strings_count(v->tokens), n_merges = byte_strings_count(v->merges) / 2;
    if (n_tokens != v->meta.n_tokens || n_merges != v->meta.n_merges)
        return fail(f, STATUS_BAD_MESSAGE, "the vocabulary has %zu of %u tokens, %zu of %u merges",
                    n_tokens, (unsigned)v->meta.n_tokens, n_merges, (unsigned)v->meta.n_merges);
    status st = index_tokens(v, f);
    if (st == STATUS_OK) st = build_rules(v, f);
    if (st == STATUS_OK) st = collect_specials(v, f);
    if (st != STATUS_OK) return st;
    for (uint32_t id = 0; id < v->meta.n_tokens; id++) v->whole[id] = is_whole(v, (int32_t)id);
    collect_end_ids(v);
    return STATUS_OK;
}

/* ---- what others ask ---- */

uint32_t vocab_size(const vocab *v) {
    return v->meta.n_tokens;
}

const vocab_meta *vocab_meta_of(const vocab *v) {
    return &v->meta;
}

vocab_bytes vocab_token(const vocab *v, int32_t id) {
    vocab_bytes token;
    token.bytes = byte_strings_at(v->tokens, (size_t)id, &token.n_bytes);
    return token;
}

token_type vocab_type(const vocab *v, int32_t id) {
    assert(id >= 0 && (uint32_t)id < v->meta.n_tokens);
    return (token_type)v->types[id];
}

bool vocab_is_end(const vocab *v, int32_t id) {
    for (size_t i = 0; i < v->n_end_ids; i++)
        if (v->end_ids[i] == id) return true;
    return false;
}

const int32_t *vocab_end_ids(const vocab *v, size_t *n) {
    *n = v->n_end_ids;
    return v->end_ids;
}

int32_t vocab_find(const vocab *v, const uint8_t *bytes, size_t n_bytes) {
    return (int32_t)byte_strings_find(v->tokens, bytes, n_bytes);
}

const specials *vocab_specials(const vocab *v, bool special) {
    return special ? v->all_specials : v->user_defined;
}

const pretokenizer *vocab_pretokenizer(const vocab *v) {
    return v->split;
}

const bpe *vocab_merges(const vocab *v) {
    return v->rules;
}

int32_t vocab_whole_piece(const vocab *v, const uint8_t *piece, size_t n_bytes) {
    int32_t id = vocab_find(v, piece, n_bytes);
    return id >= 0 && v->whole[id] ? id : -1;
}
