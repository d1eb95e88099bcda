#include "vocab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "byte_letters.h"
#include "byte_strings.h"
#include "end_tokens.h"
#include "ordinary.h"
#include "proto/base/limits.h"

/* Bounds of what one modeld may make us keep. */
enum { TOKENS_BYTES_MAX = 64 * 1024 * 1024, MERGES_BYTES_MAX = 64 * 1024 * 1024 };

_Static_assert(3 + KEYED_ENDS_MAX + END_TOKENS_MAX <= MODEL_END_IDS_MAX, "all that may end a text fit");

struct vocab {
    vocab_meta meta;            /* its texts are owned */
    byte_strings *tokens;       /* raw bytes by id */
    uint8_t *types;             /* [n_tokens] token_type; CONTROL for all that is known to end a text */
    byte_strings *merges;       /* raw: left and right of each rule by turns; NULL: they were taken */
    specials *words, *all_specials;     /* see vocab_specials; NULL: not yet known */
    int32_t end_ids[MODEL_END_IDS_MAX];
    size_t n_end_ids;
};

/* ---- a new vocabulary ---- */

static status check_special(const vocab_meta *meta, const char *name, int32_t id, failure *f) {
    if (id >= -1 && id < (int32_t)meta->n_tokens) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "the vocabulary's %s id %d is not in 0 … %u", name, (int)id,
                (unsigned)meta->n_tokens - 1);
}

static status check_meta(const vocab_meta *meta, failure *f) {
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
    if (st == STATUS_OK && meta->n_ends > KEYED_ENDS_MAX)
        st = fail(f, STATUS_BAD_REQUEST, "the vocabulary names %zu more end ids; the most is %d",
                  meta->n_ends, (int)KEYED_ENDS_MAX);
    for (size_t i = 0; st == STATUS_OK && i < meta->n_ends; i++)
        st = check_special(meta, "end", meta->ends[i], f);
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
    v->meta.ends = NULL;
    v->meta.kind = copy_bytes(meta->kind, strlen(meta->kind));
    v->meta.split = copy_bytes(meta->split, strlen(meta->split));
    v->meta.chat_template = copy_bytes(meta->chat_template, meta->chat_template_bytes);
    v->tokens = byte_strings_new(meta->n_tokens, TOKENS_BYTES_MAX);
    v->merges = byte_strings_new((size_t)meta->n_merges * 2, MERGES_BYTES_MAX);
    v->types = calloc(meta->n_tokens, sizeof *v->types);
    bool all = v->meta.kind && v->meta.split && v->meta.chat_template && v->tokens && v->merges && v->types;
    return all ? STATUS_OK : fail(f, STATUS_NO_MEMORY, "no memory for a vocabulary");
}

static void add_end_id(vocab *v, int32_t id) {
    if (id >= 0 && !vocab_is_end(v, id)) v->end_ids[v->n_end_ids++] = id;
}

static void add_keyed_ends(vocab *v, const vocab_meta *meta) {
    add_end_id(v, meta->eos);
    add_end_id(v, meta->eot);
    add_end_id(v, meta->eom);
    for (size_t i = 0; i < meta->n_ends; i++) add_end_id(v, meta->ends[i]);
}

status vocab_new(vocab **out, const vocab_meta *meta, failure *f) {
    *out = NULL;
    status st = check_meta(meta, f);
    if (st != STATUS_OK) return st;
    vocab *v = calloc(1, sizeof *v);
    st = v ? allocate(v, meta, f) : fail(f, STATUS_NO_MEMORY, "no memory for a vocabulary");
    if (st == STATUS_OK) add_keyed_ends(v, meta);
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
    specials_free(&(*v)->words);
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

status vocab_add_token(vocab *v, const uint8_t *text, size_t n_bytes, token_type type, failure *f) {
    size_t id = byte_strings_count(v->tokens);
    if (type < TOKEN_NORMAL || type > TOKEN_BYTE)
        return fail(f, STATUS_BAD_MESSAGE, "token %zu has the unknown type %d", id, (int)type);
    if (n_bytes > TOKEN_BYTES_MAX)
        return fail(f, STATUS_BAD_MESSAGE, "token %zu has %zu bytes; the most is %d", id,
                    n_bytes, (int)TOKEN_BYTES_MAX);
    uint8_t raw[TOKEN_BYTES_MAX];
    size_t n_raw;
    bool is_spelled = type == TOKEN_NORMAL && byte_letters_undo(text, n_bytes, raw, &n_raw);
    if (type == TOKEN_NORMAL && !is_spelled) type = TOKEN_FOREIGN;
    status st = is_spelled ? add_raw(v->tokens, raw, n_raw, f) : add_raw(v->tokens, text, n_bytes, f);
    if (st == STATUS_OK) v->types[id] = (uint8_t)type;
    return st;
}

status vocab_add_merge(vocab *v, const uint8_t *text, size_t n_bytes, failure *f) {
    assert(v->merges);          /* not taken yet */
    const uint8_t *space = n_bytes > 0 ? memchr(text, ' ', n_bytes) : NULL;
    size_t n_left = space ? (size_t)(space - text) : 0, n_right = n_bytes - n_left - 1;
    if (n_left == 0 || n_left + 1 == n_bytes || n_bytes > TOKEN_BYTES_MAX ||
        memchr(space + 1, ' ', n_right))
        return fail(f, STATUS_BAD_MESSAGE, "merge %zu is not two texts with a space between",
                    byte_strings_count(v->merges) / 2);
    uint8_t left[TOKEN_BYTES_MAX], right[TOKEN_BYTES_MAX];
    if (!byte_letters_undo(text, n_left, left, &n_left) ||
        !byte_letters_undo(space + 1, n_right, right, &n_right))
        n_left = n_right = 0;       /* no text has these letters: it keeps its rank and is no rule */
    status st = add_raw(v->merges, left, n_left, f);
    return st == STATUS_OK ? add_raw(v->merges, right, n_right, f) : st;
}

/* ---- once all pieces are there ---- */

static status index_tokens(vocab *v, failure *f) {
    status st = STATUS_OK;
    for (int others = 0; others < 2; others++)      /* normal tokens first: they win over equals */
        for (size_t id = 0; id < v->meta.n_tokens && st == STATUS_OK; id++)
            if ((v->types[id] != TOKEN_NORMAL) == others) st = byte_strings_index(v->tokens, id);
    return st == STATUS_OK ? st : fail(f, st, "no memory for a vocabulary");
}

status vocab_finish(vocab *v, failure *f) {
    assert(v->merges);          /* not taken yet */
    size_t n_tokens = byte_strings_count(v->tokens), n_merges = byte_strings_count(v->merges) / 2;
    if (n_tokens != v->meta.n_tokens || n_merges != v->meta.n_merges)
        return fail(f, STATUS_BAD_MESSAGE, "the vocabulary has %zu of %u tokens, %zu of %u merges",
                    n_tokens, (unsigned)v->meta.n_tokens, n_merges, (unsigned)v->meta.n_merges);
    return index_tokens(v, f);
}

/* A hash table has two to four words for each of its items. */
static size_t hash_bytes(size_t n_items) {
    size_t n_slots = 2;
    while (n_slots < 2 * n_items) n_slots *= 2;
    return n_slots * sizeof(uint64_t);
}

size_t vocab_table_bytes(size_t n_tokens, size_t n_merges) {
    size_t a_token = sizeof(size_t) + 2, a_merge = 2 * sizeof(size_t) + sizeof(int32_t);   /* places, types, rules */
    return n_tokens * a_token + hash_bytes(n_tokens) + n_merges * a_merge + hash_bytes(n_merges);
}

byte_strings *vocab_take_merges(vocab *v) {
    byte_strings *merges = v->merges;
    v->merges = NULL;
    return merges;
}

/* ---- its special tokens ---- */

static void add_named_ends(vocab *v, vocab_makes *makes, const void *tokenizer) {
    int32_t ids[END_TOKENS_MAX];
    uint64_t present = 0;
    for (size_t i = 0; end_token_text(i); i++) {
        const char *text = end_token_text(i);
        ids[i] = vocab_find(v, (const uint8_t *)text, strlen(text));
        if (ids[i] >= 0 && !makes(tokenizer, ids[i])) present |= UINT64_C(1) << i;
    }
    uint64_t ending = end_tokens_ending(present);
    for (size_t i = 0; end_token_text(i); i++) {
        if (!(ending >> i & 1)) continue;
        add_end_id(v, ids[i]);
        v->types[ids[i]] = TOKEN_CONTROL;
    }
}

static bool is_word(const vocab *v, const ordinary *texts, int32_t id) {
    vocab_bytes token = vocab_token(v, id);
    return v->types[id] == TOKEN_USER_DEFINED && ordinary_has(texts, token.bytes, token.n_bytes);
}

static bool is_special(const vocab *v, int32_t id) {
    uint8_t type = v->types[id];
    return type == TOKEN_USER_DEFINED || type == TOKEN_CONTROL || type == TOKEN_UNKNOWN;
}

static status collect_specials(vocab *v, failure *f) {
    int32_t *ids = malloc(v->meta.n_tokens * sizeof *ids), n_tokens = (int32_t)v->meta.n_tokens;
    ordinary *texts = ordinary_new();
    size_t n_words = 0, n = 0;
    for (int32_t id = 0; ids && texts && id < n_tokens; id++)
        if (is_word(v, texts, id)) ids[n_words++] = id;
    if (ids && texts) v->words = specials_new(v->tokens, ids, n_words);
    for (int32_t id = 0; ids && id < n_tokens; id++)
        if (is_special(v, id)) ids[n++] = id;
    if (ids) v->all_specials = specials_new(v->tokens, ids, n);
    ordinary_free(&texts);
    free(ids);
    if (v->words && v->all_specials) return STATUS_OK;
    return fail(f, STATUS_NO_MEMORY, "no memory for a vocabulary");
}

status vocab_find_specials(vocab *v, vocab_makes *makes, const void *tokenizer, failure *f) {
    assert(!v->all_specials);   /* once */
    add_named_ends(v, makes, tokenizer);
    return collect_specials(v, f);
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
    return special ? v->all_specials : v->words;
}
