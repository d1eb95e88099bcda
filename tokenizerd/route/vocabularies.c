#include "vocabularies.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"

struct vocabulary {
    char hash[NAME_BYTES_MAX + 1];
    vocab *words;                   /* NULL before the first piece */
    chat_template own;              /* of the model that speaks it, once it is complete */
    bool complete;
    uint32_t n_tokens_all;          /* as its first user said: the same for all of them */
    uint32_t n_merges_all, n_tokens, n_merges;
    size_t n_bytes;
    const void *asked;              /* who is sending it; NULL: nobody */
    uint32_t n_users;
    uint64_t unused_since;          /* by the count of departures */
    vocabulary *next;
};

struct vocabularies {
    vocabulary *first;
    uint64_t n_departures;
};

/* ---- which there are ---- */

vocabularies *vocabularies_new(void) {
    return calloc(1, sizeof(vocabularies));
}

static void forget_words(vocabulary *y) {
    vocab_free(&y->words);
    chat_template_clear(&y->own);
    y->complete = false;
    y->n_tokens = y->n_merges = 0;
    y->n_bytes = 0;
    y->asked = NULL;
}

static void drop(vocabularies *ys, vocabulary *y) {
    vocabulary **place = &ys->first;
    while (*place != y) place = &(*place)->next;
    *place = y->next;
    forget_words(y);
    free(y);
}

void vocabularies_free(vocabularies **ys) {
    if (!*ys) return;
    while ((*ys)->first) drop(*ys, (*ys)->first);
    free(*ys);
    *ys = NULL;
}

vocabulary *vocabularies_find(const vocabularies *ys, const char *hash) {
    vocabulary *y = ys->first;
    while (y && strcmp(y->hash, hash) != 0) y = y->next;
    return y;
}

vocabulary *vocabularies_use(vocabularies *ys, const char *hash, uint32_t n_tokens) {
    vocabulary *y = vocabularies_find(ys, hash);
    if (!y) {
        y = calloc(1, sizeof *y);
        if (!y) return NULL;
        strcpy(y->hash, hash);
        y->n_tokens_all = n_tokens;
        y->next = ys->first;
        ys->first = y;
    }
    y->n_users++;
    return y;
}

void vocabularies_leave(vocabularies *ys, vocabulary *left) {
    left->n_users--;
    left->unused_since = ++ys->n_departures;
    if (left->n_users == 0 && !left->complete) {
        drop(ys, left);
        return;
    }
    size_t n_unused = 0;
    vocabulary *oldest = NULL;
    for (vocabulary *y = ys->first; y; y = y->next) {
        if (y->n_users > 0) continue;
        n_unused++;
        if (!oldest || y->unused_since < oldest->unused_since) oldest = y;
    }
    if (n_unused > VOCABULARIES_KEPT_MAX) drop(ys, oldest);
}

const char *vocabulary_hash(const vocabulary *y) {
    return y->hash;
}

uint32_t vocabulary_size(const vocabulary *y) {
    return y->n_tokens_all;
}

const vocab *vocabulary_words(const vocabulary *y) {
    return y->complete ? y->words : NULL;
}

const chat_template *vocabulary_template(const vocabulary *y) {
    return &y->own;
}

/* ---- how they come ---- */

bool vocabulary_wanted(const vocabulary *y) {
    return !y->complete && !y->asked;
}

void vocabulary_ask(vocabulary *y, const void *sender) {
    y->asked = sender;
}

void vocabulary_forget(vocabulary *y, const void *sender) {
    if (y->asked == sender) forget_words(y);
}

static status begin(vocabulary *y, const vocabulary_piece *p, failure *f) {
    if (!p->meta)
        return fail(f, STATUS_BAD_MESSAGE, "the first piece of a vocabulary must say its kind");
    if (p->n_tokens_all != y->n_tokens_all)
        return fail(f, STATUS_BAD_MESSAGE,
                    "the vocabulary has %u tokens, the model's rows are %u wide", p->n_tokens_all,
                    y->n_tokens_all);
    if (p->n_merges_all > N_MERGES_MAX)
        return fail(f, STATUS_BAD_MESSAGE, "a vocabulary may have %d merges, not %u", N_MERGES_MAX,
                    p->n_merges_all);
    vocab_meta meta = *p->meta;
    meta.n_tokens = y->n_tokens_all;
    meta.n_merges = y->n_merges_all = p->n_merges_all;
    return vocab_new(&y->words, &meta, f);
}

static status count_bytes(vocabulary *y, const vocab_bytes *items, size_t n_items, failure *f) {
    for (size_t i = 0; i < n_items; i++) y->n_bytes += items[i].n_bytes;
    if (y->n_bytes > VOCABULARY_BYTES_MAX)
        return fail(f, STATUS_BAD_MESSAGE, "a vocabulary may have %d bytes", VOCABULARY_BYTES_MAX);
    return STATUS_OK;
}

static status extend(vocabulary *y, const vocabulary_piece *p, failure *f) {
    if (p->n_tokens_all != y->n_tokens_all || p->n_merges_all != y->n_merges_all)
        return fail(f, STATUS_BAD_MESSAGE, "the pieces of the vocabulary disagree about its size");
    if ((p->n_tokens > 0 && p->first_token != y->n_tokens) ||
        (p->n_merges > 0 && p->first_merge != y->n_merges) ||
        p->n_tokens > y->n_tokens_all - y->n_tokens || p->n_merges > y->n_merges_all - y->n_merges)
        return fail(f, STATUS_BAD_MESSAGE, "the pieces of the vocabulary are out of order");
    status st = count_bytes(y, p->tokens, p->n_tokens, f);
    if (st == STATUS_OK) st = count_bytes(y, p->merges, p->n_merges, f);
    for (size_t i = 0; st == STATUS_OK && i < p->n_tokens; i++)
        st = vocab_add_token(y->words, p->tokens[i].bytes, p->tokens[i].n_bytes,
                             (token_type)p->types[i], f);
    for (size_t i = 0; st == STATUS_OK && i < p->n_merges; i++)
        st = vocab_add_merge(y->words, p->merges[i].bytes, p->merges[i].n_bytes, f);
    y->n_tokens += (uint32_t)p->n_tokens;
    y->n_merges += (uint32_t)p->n_merges;
    return st;
}

status vocabulary_take(vocabulary *y, const void *sender, const vocabulary_piece *piece,
                       bool *complete, failure *f) {
    *complete = false;
    if (y->asked != sender || strcmp(piece->hash, y->hash) != 0) return STATUS_OK;
    status st = y->words ? STATUS_OK : begin(y, piece, f);
    if (st == STATUS_OK) st = extend(y, piece, f);
    if (st != STATUS_OK) return st; /* the sender stays the one who was asked until it is gone */
    if (y->n_tokens < y->n_tokens_all || y->n_merges < y->n_merges_all) return STATUS_OK;
    st = vocab_finish(y->words, f);
    if (st == STATUS_OK) st = chat_own_template(&y->own, y->words, f);
    if (st != STATUS_OK) return st;
    y->asked = NULL;
    *complete = y->complete = true;
    return STATUS_OK;
}
