#include "vocabularies.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tokenizerd/chat/chat.h"

struct vocabulary {
    char hash[NAME_BYTES_MAX + 1];
    uint32_t n_tokens;              /* as its first user said: the same for all of them */
    const void *asked;              /* who is sending it; NULL: nobody */
    vocab_arrival *arrival;         /* what came of it so far; NULL: nothing, or all */
    tokenizer *tokenizer;           /* NULL: not complete yet */
    chat_template own;              /* of the model that speaks it, once it is complete */
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

static void forget(vocabulary *y) {
    vocab_arrival_free(&y->arrival);
    tokenizer_free(&y->tokenizer);
    chat_template_clear(&y->own);
    y->asked = NULL;
}

static void drop(vocabularies *ys, vocabulary *y) {
    vocabulary **place = &ys->first;
    while (*place != y) place = &(*place)->next;
    *place = y->next;
    forget(y);
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
        y->n_tokens = n_tokens;
        y->next = ys->first;
        ys->first = y;
    }
    y->n_users++;
    return y;
}

void vocabularies_leave(vocabularies *ys, vocabulary *left) {
    left->n_users--;
    left->unused_since = ++ys->n_departures;
    if (left->n_users == 0 && !left->tokenizer) {
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
    return y->n_tokens;
}

const tokenizer *vocabulary_tokenizer(const vocabulary *y) {
    return y->tokenizer;
}

const chat_template *vocabulary_template(const vocabulary *y) {
    return &y->own;
}

/* ---- how they come ---- */

bool vocabulary_wanted(const vocabulary *y) {
    return !y->tokenizer && !y->asked;
}

void vocabulary_ask(vocabulary *y, const void *sender) {
    y->asked = sender;
}

void vocabulary_forget(vocabulary *y, const void *sender) {
    if (y->asked == sender) forget(y);
}

static status begin(vocabulary *y, const vocabulary_piece *first, failure *f) {
    status st = vocab_arrival_new(&y->arrival, first, y->n_tokens, f);
    return st == STATUS_OK ? tokenizer_check(first->meta, f) : st;
}

/* What a model needs of its vocabulary is made here, once for all modelds that bring the same one. */
static status complete_it(vocabulary *y, failure *f) {
    vocab *v;
    tokenizer *t = NULL;
    status st = vocab_arrival_finish(&y->arrival, &v, f);
    if (st == STATUS_OK) st = tokenizer_new(&t, &v, f);
    if (st == STATUS_OK) st = chat_own_template(&y->own, tokenizer_vocab(t), f);
    if (st == STATUS_OK) y->tokenizer = t;
    else tokenizer_free(&t);
    return st;
}

status vocabulary_take(vocabulary *y, const void *sender, const vocabulary_piece *piece,
                       bool *complete, failure *f) {
    *complete = false;
    if (y->asked != sender || strcmp(piece->hash, y->hash) != 0) return STATUS_OK;
    bool is_last = false;
    status st = y->arrival ? STATUS_OK : begin(y, piece, f);
    if (st == STATUS_OK) st = vocab_arrival_add(y->arrival, piece, &is_last, f);
    if (st == STATUS_OK && is_last) st = complete_it(y, f);
    if (st != STATUS_OK) {          /* the sender stays the one who was asked until it is gone */
        vocab_arrival_free(&y->arrival);
        return st;
    }
    if (is_last) y->asked = NULL;
    *complete = is_last;
    return STATUS_OK;
}
