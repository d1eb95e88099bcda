#include "bpe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"

/* ---- rules: a hash table of 64-bit entries, left id | right id | rank ---- */

enum { ID_BITS = 22, RANK_BITS = 20 };
#define FREE_ENTRY UINT64_MAX
#define NO_RANK UINT32_MAX

_Static_assert(2 * ID_BITS + RANK_BITS == 64, "an entry is one word");
_Static_assert(N_VOCAB_MAX < 1 << ID_BITS, "ids fit, and no pair of ids looks like a free entry");
_Static_assert(N_MERGES_MAX <= 1 << RANK_BITS, "ranks fit");

struct bpe {
    int32_t byte_ids[256];
    uint64_t *entries;          /* [1 << (64 - shift)] open addressing, at most half full */
    unsigned shift;
    int32_t *merged;            /* [n_rules_max] by rank */
    uint32_t n_rules, n_rules_max;
};

bpe *bpe_new(const int32_t byte_ids[256], uint32_t n_rules) {
    assert(n_rules <= N_MERGES_MAX);
    bpe *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    memcpy(b->byte_ids, byte_ids, sizeof b->byte_ids);
    b->n_rules_max = n_rules;
    b->shift = 63;
    while (((size_t)1 << (64 - b->shift)) < (size_t)n_rules * 2) b->shift--;
    size_t entries_bytes = ((size_t)1 << (64 - b->shift)) * sizeof *b->entries;
    b->entries = malloc(entries_bytes);
    b->merged = malloc(((size_t)n_rules + 1) * sizeof *b->merged);
    if (!b->entries || !b->merged) {
        bpe_free(&b);
        return NULL;
    }
    memset(b->entries, 0xFF, entries_bytes);
    return b;
}

void bpe_free(bpe **b) {
    if (!*b) return;
    free((*b)->entries);
    free((*b)->merged);
    free(*b);
    *b = NULL;
}

static inline uint64_t pair_of(int32_t left, int32_t right) {
    return (uint64_t)left << ID_BITS | (uint64_t)right;
}

/* The entry of this pair, or the free one where it belongs. */
static inline uint64_t *find_entry(const bpe *b, uint64_t pair) {
    size_t mask = ((size_t)1 << (64 - b->shift)) - 1;
    size_t i = (size_t)((pair * 0x9E3779B97F4A7C15u) >> b->shift);      /* Fibonacci hashing */
    while (b->entries[i] != FREE_ENTRY && b->entries[i] >> RANK_BITS != pair) i = (i + 1) & mask;
    return &b->entries[i];
}

static inline uint32_t rank_of(const bpe *b, int32_t left, int32_t right) {
    uint64_t entry = *find_entry(b, pair_of(left, right));
    return entry == FREE_ENTRY ? NO_RANK : (uint32_t)(entry & ((1u << RANK_BITS) - 1));
}

void bpe_add(bpe *b, int32_t left, int32_t right, int32_t merged) {
    assert(b->n_rules < b->n_rules_max);
    assert(left >= 0 && left < N_VOCAB_MAX && right >= 0 && right < N_VOCAB_MAX);
    uint32_t rank = b->n_rules++;
    b->merged[rank] = merged;
    uint64_t pair = pair_of(left, right);
    uint64_t *entry = find_entry(b, pair);
    if (*entry == FREE_ENTRY) *entry = pair << RANK_BITS | rank;
}

/* ids of the bytes that have one; returns how many. */
static size_t ids_of_bytes(const bpe *b, const uint8_t *piece, size_t n_bytes, int32_t *ids) {
    size_t n = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        ids[n] = b->byte_ids[piece[i]];
        n += ids[n] >= 0;
    }
    return n;
}

/* ---- short pieces: look for the best pair again after each merge ---- */

size_t bpe_short(const bpe *b, const uint8_t *piece, size_t n_bytes, int32_t *ids) {
    assert(n_bytes <= BPE_SHORT_BYTES);
    uint32_t ranks[BPE_SHORT_BYTES];    /* of the pair that begins at i */
    size_t n = ids_of_bytes(b, piece, n_bytes, ids);
    for (size_t i = 0; i + 1 < n; i++) ranks[i] = rank_of(b, ids[i], ids[i + 1]);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (ranks[i] < ranks[best]) best = i;
        if (ranks[best] == NO_RANK) break;
        ids[best] = b->merged[ranks[best]];
        n--;
        memmove(ids + best + 1, ids + best + 2, (n - best - 1) * sizeof *ids);
        memmove(ranks + best, ranks + best + 1, (n - best - 1) * sizeof *ranks);
        if (best > 0) ranks[best - 1] = rank_of(b, ids[best - 1], ids[best]);
        if (best + 1 < n) ranks[best] = rank_of(b, ids[best], ids[best + 1]);
    }
    return n;
}

/* ---- long pieces: a linked list of ids and a heap of pairs by (rank, position) ---- */

#define NOWHERE UINT32_MAX
enum { DEAD = -1 };

struct bpe_run {
    const bpe *rules;
    uint32_t n;                 /* places in the list */
    uint32_t n_seen;            /* pairs that begin before this place were put into the heap */
    int32_t *ids;               /* [n] DEAD: merged into a place to the left */
    uint32_t *next, *previous;  /* [n] places of the living neighbours, NOWHERE at the ends */
    uint64_t *heap;             /* rank << 32 | place of the left id; an entry may be out of date */
    size_t n_heap;              /* below 2n: n - 1 pairs at first, a merge takes one and adds two */
};

bpe_run *bpe_run_new(const bpe *b, const uint8_t *piece, size_t n_bytes) {
    assert(n_bytes > 0 && n_bytes < UINT32_MAX);
    bpe_run *run = calloc(1, sizeof *run);
    if (!run) return NULL;
    run->rules = b;
    run->ids = malloc(n_bytes * sizeof *run->ids);
    run->next = malloc(n_bytes * sizeof *run->next);
    run->previous = malloc(n_bytes * sizeof *run->previous);
    run->heap = malloc(n_bytes * 2 * sizeof *run->heap);
    if (!run->ids || !run->next || !run->previous || !run->heap) {
        bpe_run_free(&run);
        return NULL;
    }
    run->n = (uint32_t)ids_of_bytes(b, piece, n_bytes, run->ids);
    return run;
}

void bpe_run_free(bpe_run **run) {
    if (!*run) return;
    free((*run)->ids);
    free((*run)->next);
    free((*run)->previous);
    free((*run)->heap);
    free(*run);
    *run = NULL;
}

static void heap_push(bpe_run *run, uint64_t key) {
    size_t i = run->n_heap++;
    while (i > 0 && run->heap[(i - 1) / 2] > key) {
        run->heap[i] = run->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    run->heap[i] = key;
}

static uint64_t heap_pop(bpe_run *run) {
    uint64_t top = run->heap[0], last = run->heap[--run->n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < run->n_heap; i = child) {
        if (child + 1 < run->n_heap && run->heap[child + 1] < run->heap[child]) child++;
        if (run->heap[child] >= last) break;
        run->heap[i] = run->heap[child];
    }
    run->heap[i] = last;
    return top;
}

/* Put the pair that begins at this place into the heap, when it has a rule. */
static void push_pair(bpe_run *run, uint32_t place) {
    if (place == NOWHERE || run->next[place] == NOWHERE) return;
    uint32_t rank = rank_of(run->rules, run->ids[place], run->ids[run->next[place]]);
    if (rank != NO_RANK) heap_push(run, (uint64_t)rank << 32 | place);
}

static void link_place(bpe_run *run, uint32_t place) {
    run->previous[place] = place > 0 ? place - 1 : NOWHERE;
    run->next[place] = place + 1 < run->n ? place + 1 : NOWHERE;
    push_pair(run, place);
}

static void merge_best(bpe_run *run) {
    uint64_t key = heap_pop(run);
    uint32_t place = (uint32_t)key, rank = (uint32_t)(key >> 32), right = run->next[place];
    if (run->ids[place] == DEAD || right == NOWHERE ||
        rank_of(run->rules, run->ids[place], run->ids[right]) != rank)
        return;                 /* a neighbour was merged away since */
    run->ids[place] = run->rules->merged[rank];
    run->ids[right] = DEAD;
    run->next[place] = run->next[right];
    if (run->next[place] != NOWHERE) run->previous[run->next[place]] = place;
    push_pair(run, run->previous[place]);
    push_pair(run, place);
}

size_t bpe_run_advance(bpe_run *run, size_t n_steps) {
    size_t n_done = 0;
    for (; n_done < n_steps; n_done++) {
        if (run->n_seen < run->n) link_place(run, run->n_seen++);
        else if (run->n_heap > 0) merge_best(run);
        else break;
    }
    return n_done;
}

size_t bpe_run_count(const bpe_run *run) {
    size_t n = 0;
    for (uint32_t place = 0; place < run->n; place++) n += run->ids[place] != DEAD;
    return n;
}

void bpe_run_ids(const bpe_run *run, int32_t *ids) {
    size_t n = 0;
    for (uint32_t place = 0; place < run->n; place++)
        if (run->ids[place] != DEAD) ids[n++] = run->ids[place];
}
