#include "bpe.h"

#include <assert.h>
#include <stdbool.h>
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

/* ---- long pieces: the ids of all places, and a tree of which pair is the best ----
 *
 * A token takes as many places as bytes were merged into it: its id stands at the first of them, and the
 * second and the last hold its length as a negative number, so that its neighbours are found without links.
 * The places are divided into leaves; a node of the tree knows the lowest rank of a pair that begins below it.
 * With that a byte of the piece takes BPE_RUN_BYTES_A_BYTE of memory at most. */

enum { LEAF_PLACES = 32 };

struct bpe_run {
    const bpe *rules;
    const uint8_t *piece;       /* [n_bytes] */
    uint32_t n_bytes, n_read;
    uint32_t n;                 /* places so far: bytes read that have an id */
    int32_t *ids;               /* [n_bytes] */
    uint32_t n_leaves, n_leaves_ready;
    uint32_t *ranks;            /* [2 × n_leaves] the tree: 1 is the root, 2i and 2i + 1 lie below i */
    bool grown;                 /* the tree has all its nodes */
    uint32_t n_tokens;          /* that are left */
    uint32_t out;               /* the next place for bpe_run_ids */
};

_Static_assert(sizeof(int32_t) + 2 * 2 * sizeof(uint32_t) / LEAF_PLACES <= BPE_RUN_BYTES_A_BYTE,
               "ids, and a tree of up to twice as many leaves as there need be");

bpe_run *bpe_run_new(const bpe *b, const uint8_t *piece, size_t n_bytes) {
    assert(n_bytes > 0 && n_bytes <= BPE_RUN_BYTES_MAX);
    bpe_run *run = calloc(1, sizeof *run);
    if (!run) return NULL;
    run->rules = b;
    run->piece = piece;
    run->n_bytes = (uint32_t)n_bytes;
    run->n_leaves = 1;
    while ((size_t)run->n_leaves * LEAF_PLACES < n_bytes) run->n_leaves *= 2;
    size_t tree_bytes = (size_t)run->n_leaves * 2 * sizeof *run->ranks;
    run->ids = malloc(n_bytes * sizeof *run->ids);
    run->ranks = malloc(tree_bytes);
    if (!run->ids || !run->ranks) {
        bpe_run_free(&run);
        return NULL;
    }
    memset(run->ranks, 0xFF, tree_bytes);       /* NO_RANK */
    return run;
}

void bpe_run_free(bpe_run **run) {
    if (!*run) return;
    free((*run)->ids);
    free((*run)->ranks);
    free(*run);
    *run = NULL;
}

/* The place after the token at this one; run->n: it is the last. */
static inline uint32_t next_place(const bpe_run *run, uint32_t place) {
    uint32_t after = place + 1;
    return after < run->n && run->ids[after] < 0 ? place + (uint32_t)-run->ids[after] : after;
}

/* The place of the token before this one, which is not the first. */
static inline uint32_t previous_place(const bpe_run *run, uint32_t place) {
    int32_t before = run->ids[place - 1];
    return before < 0 ? place - (uint32_t)-before : place - 1;
}

/* Of the pair that begins here. */
static uint32_t pair_rank(const bpe_run *run, uint32_t place) {
    uint32_t right = next_place(run, place);
    return right < run->n ? rank_of(run->rules, run->ids[place], run->ids[right]) : NO_RANK;
}

/* The lowest rank of a pair that begins in the leaf, and the first place that has it. */
static uint32_t leaf_best(const bpe_run *run, uint32_t leaf, uint32_t *best_place) {
    uint32_t place = leaf * LEAF_PLACES, end = place + LEAF_PLACES, best = NO_RANK;
    if (end > run->n) end = run->n;
    while (place < end && run->ids[place] < 0) place++;
    for (; place < end; place = next_place(run, place)) {
        uint32_t rank = pair_rank(run, place);
        if (rank >= best) continue;
        best = rank;
        *best_place = place;
    }
    return best;
}

static inline uint32_t lower(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* The pairs of a leaf have changed: what lies above it hears of that. */
static void leaf_update(bpe_run *run, uint32_t leaf) {
    uint32_t place, rank = leaf_best(run, leaf, &place), i = run->n_leaves + leaf;
    while (run->ranks[i] != rank) {
        run->ranks[i] = rank;
        if (i == 1) return;
        rank = lower(rank, run->ranks[i ^ 1]);
        i /= 2;
    }
}

/* The token at `right` becomes part of that at `place`, its left neighbour. */
static void places_join(bpe_run *run, uint32_t place, uint32_t right, int32_t merged) {
    uint32_t after = next_place(run, right);
    int32_t length = (int32_t)(after - place);
    run->ids[place] = merged;
    run->ids[right] = run->ids[place + 1] = run->ids[after - 1] = -length;
    run->n_tokens--;
}

/* False: there is nothing left to merge. */
static bool merge_best(bpe_run *run) {
    uint32_t i = 1, rank = run->ranks[1], place = 0;
    if (rank == NO_RANK) return false;
    while (i < run->n_leaves) i = 2 * i + (run->ranks[2 * i] != rank);
    uint32_t leaf = i - run->n_leaves;
    leaf_best(run, leaf, &place);
    uint32_t right = next_place(run, place), before = place;
    places_join(run, place, right, run->rules->merged[rank]);
    if (place > 0) before = previous_place(run, place);
    leaf_update(run, leaf);
    if (right / LEAF_PLACES != leaf) leaf_update(run, right / LEAF_PLACES);
    if (before / LEAF_PLACES != leaf) leaf_update(run, before / LEAF_PLACES);
    return true;
}

static void read_byte(bpe_run *run) {
    int32_t id = run->rules->byte_ids[run->piece[run->n_read++]];
    if (id >= 0) run->ids[run->n++] = id;
    run->n_tokens = run->n;
}

static void tree_grow(bpe_run *run) {
    for (uint32_t i = run->n_leaves; i-- > 1;) run->ranks[i] = lower(run->ranks[2 * i], run->ranks[2 * i + 1]);
    run->grown = true;
}

size_t bpe_run_advance(bpe_run *run, size_t n_steps) {
    size_t n_done = 0;
    while (n_done < n_steps) {
        if (run->n_read < run->n_bytes) {
            read_byte(run);
            n_done++;
        } else if ((size_t)run->n_leaves_ready * LEAF_PLACES < run->n) {
            uint32_t place, leaf = run->n_leaves_ready++;
            run->ranks[run->n_leaves + leaf] = leaf_best(run, leaf, &place);
            n_done += LEAF_PLACES;
        } else if (!run->grown) {
            tree_grow(run);
        } else if (merge_best(run)) {
            n_done++;
        } else {
            break;
        }
    }
    return n_done;
}

size_t bpe_run_count(const bpe_run *run) {
    return run->n_tokens;
}

size_t bpe_run_ids(bpe_run *run, int32_t *ids, size_t n_ids_max) {
    size_t n = 0;
    for (; n < n_ids_max && run->out < run->n; run->out = next_place(run, run->out)) ids[n++] = run->ids[run->out];
    return n;
}
