#include "vocab_arrival.h"

#include <stdlib.h>

#include "proto/base/limits.h"

struct vocab_arrival {
    vocab *v;
    uint32_t n_tokens_all, n_merges_all;
    uint32_t n_tokens, n_merges;    /* that are here */
    size_t n_bytes;
};

status vocab_arrival_new(vocab_arrival **out, const vocab_piece *first, uint32_t n_tokens, failure *f) {
    *out = NULL;
    if (!first->meta)
        return fail(f, STATUS_BAD_MESSAGE, "the first piece of a vocabulary must say its kind");
    if (first->n_tokens_all != n_tokens)
        return fail(f, STATUS_BAD_MESSAGE,
                    "the vocabulary has %u tokens, the model's rows are %u wide", first->n_tokens_all,
                    n_tokens);
    if (first->n_merges_all > N_MERGES_MAX)
        return fail(f, STATUS_BAD_MESSAGE, "a vocabulary may have %d merges, not %u", N_MERGES_MAX,
                    first->n_merges_all);
    vocab_arrival *a = calloc(1, sizeof *a);
    if (!a) return fail(f, STATUS_NO_MEMORY, "no memory for a vocabulary");
    vocab_meta meta = *first->meta;
    meta.n_tokens = a->n_tokens_all = n_tokens;
    meta.n_merges = a->n_merges_all = first->n_merges_all;
    status st = vocab_new(&a->v, &meta, f);
    if (st == STATUS_OK) *out = a;
    else free(a);
    return st;
}

void vocab_arrival_free(vocab_arrival **a) {
    if (!*a) return;
    vocab_free(&(*a)->v);
    free(*a);
    *a = NULL;
}

static status count_bytes(vocab_arrival *a, const vocab_bytes *items, size_t n_items, failure *f) {
    for (size_t i = 0; i < n_items; i++) a->n_bytes += items[i].n_bytes;
    if (a->n_bytes > VOCABULARY_BYTES_MAX)
        return fail(f, STATUS_BAD_MESSAGE, "a vocabulary may have %d bytes", VOCABULARY_BYTES_MAX);
    return STATUS_OK;
}

status vocab_arrival_add(vocab_arrival *a, const vocab_piece *p, bool *complete, failure *f) {
    *complete = false;
    if (p->n_tokens_all != a->n_tokens_all || p->n_merges_all != a->n_merges_all)
        return fail(f, STATUS_BAD_MESSAGE, "the pieces of the vocabulary disagree about its size");
    if ((p->n_tokens > 0 && p->first_token != a->n_tokens) ||
        (p->n_merges > 0 && p->first_merge != a->n_merges) ||
        p->n_tokens > a->n_tokens_all - a->n_tokens || p->n_merges > a->n_merges_all - a->n_merges)
        return fail(f, STATUS_BAD_MESSAGE, "the pieces of the vocabulary are out of order");
    status st = count_bytes(a, p->tokens, p->n_tokens, f);
    if (st == STATUS_OK) st = count_bytes(a, p->merges, p->n_merges, f);
    for (size_t i = 0; st == STATUS_OK && i < p->n_tokens; i++)
        st = vocab_add_token(a->v, p->tokens[i].bytes, p->tokens[i].n_bytes, (token_type)p->types[i], f);
    for (size_t i = 0; st == STATUS_OK && i < p->n_merges; i++)
        st = vocab_add_merge(a->v, p->merges[i].bytes, p->merges[i].n_bytes, f);
    if (st != STATUS_OK) return st;
    a->n_tokens += (uint32_t)p->n_tokens;
    a->n_merges += (uint32_t)p->n_merges;
    *complete = a->n_tokens == a->n_tokens_all && a->n_merges == a->n_merges_all;
    return STATUS_OK;
}

status vocab_arrival_finish(vocab_arrival **a, vocab **out, failure *f) {
    status st = vocab_finish((*a)->v, f);
    *out = NULL;
    if (st == STATUS_OK) {
        *out = (*a)->v;
        (*a)->v = NULL;
    }
    vocab_arrival_free(a);
    return st;
}
