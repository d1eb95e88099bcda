#include "shared_vocabs.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"
#include "tokenizerd/chat/chat.h"

enum { TEMPLATE_FACTOR = 2 };       /* its text, and what is read of it */

struct shared_vocab {
    char hash[NAME_BYTES_MAX + 1];
    uint32_t n_tokens;              /* as its first user said: the same for all of them */
    const void *asked;              /* who is sending it; NULL: nobody */
    vocab_arrival *arrival;         /* what came of it so far; NULL: nothing, or all */
    tokenizer *tokenizer;           /* NULL: not complete yet */
    chat_template own;              /* of the model that speaks it, once it is complete */
    uint32_t n_users;
    uint64_t unused_since;          /* by the count of departures */
    shared_vocabs *home;
    size_t n_bytes;                 /* that it takes, of VOCABULARIES_BYTES_MAX */
    shared_vocab *next;
};

struct shared_vocabs {
    shared_vocab *first;
    size_t n_bytes;                 /* of all */
    uint64_t n_departures;
};

/* ---- which there are ---- */

shared_vocabs *shared_vocabs_new(void) {
    return calloc(1, sizeof(shared_vocabs));
}

static void forget(shared_vocab *y) {
    vocab_arrival_free(&y->arrival);
    tokenizer_free(&y->tokenizer);
    chat_template_clear(&y->own);
    y->asked = NULL;
    y->home->n_bytes -= y->n_bytes;
    y->n_bytes = 0;
}

static void drop(shared_vocabs *ys, shared_vocab *y) {
    shared_vocab **place = &ys->first;
    while (*place != y) place = &(*place)->next;
    *place = y->next;
    forget(y);
    free(y);
}

void shared_vocabs_free(shared_vocabs **ys) {
    if (!*ys) return;
    while ((*ys)->first) drop(*ys, (*ys)->first);
    free(*ys);
    *ys = NULL;
}

shared_vocab *shared_vocabs_find(const shared_vocabs *ys, const char *hash) {
    shared_vocab *y = ys->first;
    while (y && strcmp(y->hash, hash) != 0) y = y->next;
    return y;
}

shared_vocab *shared_vocabs_use(shared_vocabs *ys, const char *hash, uint32_t n_tokens) {
    shared_vocab *y = shared_vocabs_find(ys, hash);
    if (!y) {
        y = calloc(1, sizeof *y);
        if (!y) return NULL;
        y->home = ys;
        strcpy(y->hash, hash);
        y->n_tokens = n_tokens;
        y->next = ys->first;
        ys->first = y;
    }
    y->n_users++;
    return y;
}

/* The one that nobody has used for the longest time; NULL: all are used. *n_unused: how many there are. */
static shared_vocab *oldest_unused(const shared_vocabs *ys, size_t *n_unused) {
    shared_vocab *oldest = NULL;
    *n_unused = 0;
    for (shared_vocab *y = ys->first; y; y = y->next) {
        if (y->n_users > 0) continue;
        ++*n_unused;
        if (!oldest || y->unused_since < oldest->unused_since) oldest = y;
    }
    return oldest;
}

void shared_vocabs_leave(shared_vocabs *ys, shared_vocab *left) {
    left->n_users--;
    left->unused_since = ++ys->n_departures;
    if (left->n_users == 0 && !left->tokenizer) {
        drop(ys, left);
        return;
    }
    size_t n_unused;
    shared_vocab *oldest = oldest_unused(ys, &n_unused);
    if (n_unused > VOCABULARIES_KEPT_MAX) drop(ys, oldest);
}

const char *shared_vocab_hash(const shared_vocab *y) {
    return y->hash;
}

uint32_t shared_vocab_size(const shared_vocab *y) {
    return y->n_tokens;
}

const tokenizer *shared_vocab_tokenizer(const shared_vocab *y) {
    return y->tokenizer;
}

const chat_template *shared_vocab_template(const shared_vocab *y) {
    return &y->own;
}

/* ---- how they come ---- */

bool shared_vocab_wanted(const shared_vocab *y) {
    return !y->tokenizer && !y->asked;
}

void shared_vocab_ask(shared_vocab *y, const void *sender) {
    y->asked = sender;
}

void shared_vocab_forget(shared_vocab *y, const void *sender) {
    if (y->asked == sender) forget(y);
}

/* What is kept for nobody makes room for what runs. */
static status hold(shared_vocab *y, size_t n_bytes, failure *f) {
    shared_vocabs *ys = y->home;
    size_t n_unused;
    while (ys->n_bytes + n_bytes > VOCABULARIES_BYTES_MAX) {
        shared_vocab *oldest = oldest_unused(ys, &n_unused);
        if (!oldest)
            return fail(f, STATUS_NO_MEMORY, "the vocabularies in use take %zu of %d bytes: there is no room for another one",
                        ys->n_bytes - y->n_bytes, VOCABULARIES_BYTES_MAX);
        drop(ys, oldest);
    }
    ys->n_bytes += n_bytes;
    y->n_bytes += n_bytes;
    return STATUS_OK;
}

static size_t items_bytes(const vocab_bytes *items, size_t n_items) {
    size_t n_bytes = 0;
    for (size_t i = 0; i < n_items; i++) n_bytes += items[i].n_bytes;
    return n_bytes;
}

static status begin(shared_vocab *y, const vocab_piece *first, failure *f) {
    size_t n_bytes = vocab_table_bytes(first->n_tokens_all, first->n_merges_all);
    if (first->meta) n_bytes += first->meta->chat_template_bytes * TEMPLATE_FACTOR;
    status st = first->n_merges_all <= N_MERGES_MAX ? hold(y, n_bytes, f) : STATUS_OK;
    if (st == STATUS_OK) st = vocab_arrival_new(&y->arrival, first, y->n_tokens, f);
    return st == STATUS_OK ? tokenizer_check(first->meta, f) : st;
}

/* What a model needs of its vocabulary is made here, once for all modelds that bring the same one. */
static status complete_it(shared_vocab *y, failure *f) {
    vocab *v;
    tokenizer *t = NULL;
    status st = vocab_arrival_finish(&y->arrival, &v, f);
    if (st == STATUS_OK) st = tokenizer_new(&t, &v, f);
    if (st == STATUS_OK) st = chat_own_template(&y->own, tokenizer_vocab(t), f);
    if (st == STATUS_OK) y->tokenizer = t;
    else tokenizer_free(&t);
    return st;
}

status shared_vocab_take(shared_vocab *y, const void *sender, const vocab_piece *piece,
                         bool *complete, failure *f) {
    *complete = false;
    if (y->asked != sender || strcmp(piece->hash, y->hash) != 0) return STATUS_OK;
    bool is_last = false;
    status st = y->arrival ? STATUS_OK : begin(y, piece, f);
    if (st == STATUS_OK)
        st = hold(y, items_bytes(piece->tokens, piece->n_tokens) + items_bytes(piece->merges, piece->n_merges), f);
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
