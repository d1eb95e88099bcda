#include "history.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_BITS = 64 };        /* id: bit id % 64 of word id / 64 */

status history_reserve(history *h, uint32_t n_vocab) {
    if (n_vocab <= h->n_vocab) return STATUS_OK;
    history_clear(h);
    h->n_words = (n_vocab + WORD_BITS - 1) / WORD_BITS;
    h->marks = malloc(h->n_words * sizeof *h->marks);
    h->counts = malloc(n_vocab * sizeof *h->counts);
    if (!h->marks || !h->counts) {
        history_clear(h);
        return STATUS_NO_MEMORY;
    }
    h->n_vocab = n_vocab;
    return STATUS_OK;
}

void history_clear(history *h) {
    free(h->marks);
    free(h->counts);
    *h = (history){0};
}

void history_follow(history *h, const int32_t *ids, uint32_t n_ids) {
    h->ids = ids;
    h->n_ids = n_ids;
    h->n_marked = h->n_counted = 0;
}

void history_extend(history *h, uint32_t n_ids) {
    assert(n_ids >= h->n_ids);
    h->n_ids = n_ids;
}

/* What is not marked yet. */
static void mark(history *h) {
    const int32_t *ids = h->ids;
    uint64_t *marks = h->marks;
    uint32_t n_ids = h->n_ids, n_vocab = h->n_vocab;
    if (h->n_marked == 0) memset(marks, 0, h->n_words * sizeof *marks);
    for (uint32_t i = h->n_marked; i < n_ids; i++) {
        uint32_t id = (uint32_t)ids[i];
        assert(id < n_vocab);
        marks[id / WORD_BITS] |= (uint64_t)1 << id % WORD_BITS;
    }
    h->n_marked = n_ids;
}

uint32_t history_list(history *h, uint32_t *ids) {
    uint32_t n = 0;
    mark(h);
    for (uint32_t i = 0; i < h->n_words; i++)
        for (uint64_t word = h->marks[i]; word != 0; word &= word - 1)
            ids[n++] = i * WORD_BITS + (uint32_t)__builtin_ctzll(word);
    return n;
}

static bool occurs(const int32_t *ids, uint32_t n_ids, int32_t id) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_ids; i++) n += ids[i] == id;
    return n > 0;
}

/* The counts of other ids may be anything. Of a text that went on, few are new. */
void history_count(history *h) {
    if (h->n_counted == 0) {
        for (uint32_t i = 0; i < h->n_ids; i++) h->counts[h->ids[i]] = 0;
        for (uint32_t i = 0; i < h->n_ids; i++) h->counts[h->ids[i]]++;
        h->n_counted = h->n_ids;
    }
    for (; h->n_counted < h->n_ids; h->n_counted++) {
        int32_t id = h->ids[h->n_counted];
        h->counts[id] = occurs(h->ids, h->n_counted, id) ? h->counts[id] + 1 : 1;
    }
}
