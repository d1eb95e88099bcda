#include "candidates.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"
#include "proto/numeric/bits.h"
#include "proto/numeric/fmath.h"

_Static_assert(N_VOCAB_MAX <= UINT64_MAX / WEIGHT_ONE, "the total of all weights fits 64 bits");

enum {
    BUCKETS = 256,                          /* a bucket's number fits a byte */
    FEW = 48,                               /* up to this many are sorted at once */
};

__extension__ typedef unsigned __int128 uint128;

/* ---- room ---- */

void candidates_init(candidates *c, isa best) {
    *c = (candidates){0};
    passes_init(&c->passes, best);
}

static void free_arrays(candidates *c) {
    free(c->all_ids);
    free(c->kept_ids);
    free(c->logits);
    free(c->weights);
    free(c->members);
    free(c->buckets);
    free(c->keys);
    history_clear(&c->past);
    *c = (candidates){.passes = c->passes, .lengths = c->lengths,
                      .lengths_capacity = c->lengths_capacity};
}

void candidates_clear(candidates *c) {
    free_arrays(c);
    free(c->lengths);
    *c = (candidates){.passes = c->passes};
}

static bool reserve_lengths(candidates *c, uint32_t n_ids) {
    if (n_ids <= c->lengths_capacity) return true;
    free(c->lengths);
    c->lengths = malloc(n_ids * sizeof *c->lengths);
    c->lengths_capacity = c->lengths ? n_ids : 0;
    return c->lengths != NULL;
}

status candidates_reserve(candidates *c, uint32_t n_vocab, uint32_t n_ids) {
    if (!reserve_lengths(c, n_ids)) return STATUS_NO_MEMORY;
    if (n_vocab <= c->capacity) return STATUS_OK;
    free_arrays(c);
    c->all_ids = malloc(n_vocab * sizeof *c->all_ids);
    c->kept_ids = malloc(n_vocab * sizeof *c->kept_ids);
    c->logits = malloc(n_vocab * sizeof *c->logits);
    c->weights = malloc(n_vocab * sizeof *c->weights);
    c->members = malloc(n_vocab * sizeof *c->members);
    c->buckets = malloc(n_vocab * sizeof *c->buckets);
    c->keys = malloc(n_vocab * sizeof *c->keys);
    bool all = c->all_ids && c->kept_ids && c->logits && c->weights && c->members && c->buckets &&
               c->keys;
    if (!all || history_reserve(&c->past, n_vocab) != STATUS_OK) {
        free_arrays(c);
        return STATUS_NO_MEMORY;
    }
    for (uint32_t id = 0; id < n_vocab; id++) c->all_ids[id] = (int32_t)id;
    c->capacity = n_vocab;
    return STATUS_OK;
}

/* ---- logits and weights ---- */

/* What candidates_load does where not all logits are finite. */
static status load_finite(candidates *c, const float *logits, uint32_t n_vocab, failure *f) {
    c->ids = c->kept_ids;
    c->n = 0;
    c->max = -INFINITY;
    for (uint32_t id = 0; id < n_vocab; id++) {
        double logit = (double)logits[id];
        if (!(logit < INFINITY)) {
            c->n = 0;
            return fail(f, STATUS_NO_CANDIDATE, "the logit of id %u is %s", id,
                        isnan(logit) ? "not a number" : "infinite");
        }
        if (logit > c->max) c->max = logit;
        c->kept_ids[c->n] = (int32_t)id;
        c->logits[c->n] = logit;
        c->n += logit > -INFINITY;
    }
    if (c->n > 0) return STATUS_OK;
    return fail(f, STATUS_NO_CANDIDATE, "none of the %u logits is finite", n_vocab);
}

status candidates_load(candidates *c, const float *logits, uint32_t n_vocab, failure *f) {
    assert(n_vocab > 0 && n_vocab <= c->capacity);
    c->settled = true;
    c->weighed = false;
    c->ids = c->all_ids;
    c->n = n_vocab;
    if (c->passes.widen(c->logits, logits, n_vocab, &c->max)) return STATUS_OK;
    return load_finite(c, logits, n_vocab, f);
}

void candidates_load_left(candidates *c, const int32_t *ids, const double *logits, uint32_t n) {
    assert(n > 0 && n <= c->capacity);
    memcpy(c->kept_ids, ids, n * sizeof *ids);
    memcpy(c->logits, logits, n * sizeof *logits);
    c->ids = c->kept_ids;
    c->n = n;
    candidates_changed(c);
}

void candidates_changed(candidates *c) {
    c->settled = c->weighed = false;
}

void candidates_settle(candidates *c) {
    if (c->settled) return;
    c->max = c->passes.largest(c->logits, c->n);
    if (!isfinite(c->max)) c->n = 0;
    c->settled = true;
}

/* Rounded division keeps the order: the largest stays the largest. */
void candidates_scale(candidates *c, double divisor) {
    candidates_settle(c);
    double shift = isfinite(c->max / divisor) ? 0.0 : c->max;
    c->passes.scale(c->logits, shift, divisor, c->n);
    c->max = (c->max - shift) / divisor;
    c->weighed = false;
}

void candidates_weigh(candidates *c) {
    if (c->weighed) return;
    candidates_settle(c);
    c->total = c->passes.weigh(c->weights, c->logits, c->max, c->n);
    c->weighed = true;
}

uint32_t candidates_find(const candidates *c, int32_t id) {
    uint32_t low = 0, high = c->n;
    if (id < 0) return c->n;
    if ((uint32_t)id < c->n && c->ids[id] == id) return (uint32_t)id;   /* none before it is gone */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (c->ids[middle] < id) low = middle + 1;
        else high = middle;
    }
    return low < c->n && c->ids[low] == id ? low : c->n;
}

/* ---- ranking ---- */

bool candidate_ranks_above(candidate_rank a, candidate_rank b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

candidate_rank candidate_rank_of(const candidates *c, uint32_t i) {
    return (candidate_rank){c->logits[i], c->ids[i]};
}

/* An integer that orders as the logit does; adding 0 makes −0 and +0 the same. */
static uint64_t order_key(double logit) {
    uint64_t bits = double_bits(logit + 0.0);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static uint64_t mass_of(const uint64_t *masses, uint32_t i) {
    return masses ? masses[i] : 1;
}

static void sort_by_rank(candidates *c, uint32_t n) {
    for (uint32_t i = 1; i < n; i++) {
        uint32_t moving = c->members[i], at = i;
        candidate_rank rank = candidate_rank_of(c, moving);
        for (; at > 0; at--) {
            if (!candidate_ranks_above(rank, candidate_rank_of(c, c->members[at - 1]))) break;
            c->members[at] = c->members[at - 1];
        }
        c->members[at] = moving;
    }
}

/* Put the n members into buckets by their distance from the largest logit, in eighths; the last bucket
 * takes all that is far away. */
static void spread_by_distance(candidates *c, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        double eighths = (c->max - c->logits[c->members[i]]) * 8;
        c->buckets[i] = eighths < BUCKETS - 1 ? (uint8_t)eighths : BUCKETS - 1;
    }
}

/* Put the n members into buckets of equal width between their smallest and largest key, the largest
 * into bucket 0. These two differ in bucket, so the next narrowing does narrow. False: all are equal. */
static bool spread_by_key(candidates *c, uint32_t n) {
    uint64_t low = UINT64_MAX, high = 0;
    int shift = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t key = order_key(c->logits[c->members[i]]);
        if (key < low) low = key;
        if (key > high) high = key;
    }
    if (low == high) return false;
    while ((high - low) >> shift >= BUCKETS) shift++;
    for (uint32_t i = 0; i < n; i++) {
        c->buckets[i] = (uint8_t)((high - order_key(c->logits[c->members[i]])) >> shift);
    }
    return true;
}

/* Of the n members keep those of the bucket in which the running sum, begun with *above, reaches
 * limit. Returns how many these are; *above gets the mass that ranks above them. */
static uint32_t narrow(candidates *c, uint32_t n, const uint64_t *masses, uint64_t limit,
                       uint64_t *above) {
    uint64_t sums[BUCKETS] = {0};
    uint32_t bucket = 0, n_kept = 0;
    for (uint32_t i = 0; i < n; i++) sums[c->buckets[i]] += mass_of(masses, c->members[i]);
    for (; *above + sums[bucket] < limit; bucket++) {
        assert(bucket + 1 < BUCKETS);
        *above += sums[bucket];
    }
    for (uint32_t i = 0; i < n; i++) {
        c->members[n_kept] = c->members[i];
        n_kept += c->buckets[i] == bucket;
    }
    return n_kept;
}

/* The first rank at which the running sum of masses reaches limit. masses: [c->n], or NULL to count.
 * It is among the n members, and so is all that ranks above it. */
static candidate_rank cut(candidates *c, uint32_t n, const uint64_t *masses, uint64_t limit) {
    uint64_t above = 0;
    spread_by_distance(c, n);
    n = narrow(c, n, masses, limit, &above);
    while (n > FEW && spread_by_key(c, n)) n = narrow(c, n, masses, limit, &above);
    if (n <= FEW) sort_by_rank(c, n);       /* more are all equal: in order of id as they are */
    uint32_t i = 0;
    for (; above + mass_of(masses, c->members[i]) < limit; i++) {
        assert(i + 1 < n);
        above += mass_of(masses, c->members[i]);
    }
    return candidate_rank_of(c, c->members[i]);
}

/* The members are the candidates not below `lowest`. Returns how many they are. */
static uint32_t select_members(candidates *c, double lowest) {
    return c->passes.select(c->members, c->logits, lowest, c->n);
}

uint32_t candidates_select(candidates *c, candidate_rank last) {
    uint32_t n_members = select_members(c, last.logit), n = 0;
    for (uint32_t k = 0; k < n_members; k++) {
        c->members[n] = c->members[k];
        n += !candidate_ranks_above(last, candidate_rank_of(c, c->members[k]));
    }
    return n;
}

/* Few stand at the upper end as a rule: look there first. */
candidate_rank candidates_kth(candidates *c, uint32_t k) {
    static const double distances[] = {4, 12, INFINITY};
    assert(c->settled && k > 0 && k <= c->n);
    uint32_t n = 0;
    for (int i = 0; n < k; i++) n = select_members(c, c->max - distances[i]);
    return cut(c, n, NULL, k);
}

/* All candidates of weight (total − mass) / n or less together weigh at most total − mass: without them
 * the others still reach `mass`. The margin is for the rounding of small weights. */
static double lowest_that_matters(const candidates *c, uint64_t mass) {
    uint64_t weight = (c->total - mass) / c->n;
    if (weight < 1024) return -INFINITY;
    return c->max + fmath_log((double)weight / (double)WEIGHT_ONE) - 0x1p-10;
}

candidate_rank candidates_crossing(candidates *c, uint64_t mass) {
    assert(c->weighed && mass > 0 && mass <= c->total);
    return cut(c, select_members(c, lowest_that_matters(c, mass)), c->weights, mass);
}

/* The n members are what is left. */
static void keep_members(candidates *c, uint32_t n) {
    uint64_t total = 0;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = c->members[k];
        c->kept_ids[k] = c->ids[i];
        c->logits[k] = c->logits[i];
        if (c->weighed) total += c->weights[k] = c->weights[i];
    }
    c->ids = c->kept_ids;
    c->n = n;
    c->total = total;
}

void candidates_keep(candidates *c, candidate_rank last) {
    keep_members(c, candidates_select(c, last));
}

void candidates_drop_banned(candidates *c) {
    uint32_t n = select_members(c, -DBL_MAX);
    if (n < c->n) keep_members(c, n);
}

void candidates_drop_above(candidates *c, candidate_rank first) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        c->members[n] = i;
        n += !candidate_ranks_above(candidate_rank_of(c, i), first);
    }
    keep_members(c, n);
    candidates_changed(c);
}

static void swap_keys(candidates *c) {
    double *logits = c->logits;
    c->logits = c->keys;
    c->keys = logits;
}

/* Keys take the logits' place while they are what ranks. */
void candidates_keep_by_keys(candidates *c, uint64_t mass) {
    assert(c->weighed && mass > 0 && mass <= c->total);
    double max = c->max;
    swap_keys(c);
    c->max = c->passes.largest(c->logits, c->n);
    uint32_t n = candidates_select(c, cut(c, select_members(c, -INFINITY), c->weights, mass));
    swap_keys(c);
    c->max = max;
    bool has_largest = false;
    for (uint32_t k = 0; k < n; k++) has_largest |= c->logits[c->members[k]] == max;
    keep_members(c, n);
    if (!has_largest) candidates_changed(c);
}

/* ---- the draw ---- */

int32_t candidates_draw(const candidates *c, uint64_t bits53) {
    assert(c->weighed && c->n > 0);
    uint64_t target = (uint64_t)((uint128)bits53 * c->total >> 53), running = 0;
    uint32_t i = 0;                         /* an integer exceeds x when it exceeds ⌊x⌋ */
    while ((running += c->weights[i]) <= target) i++;
    return c->ids[i];
}
