#include "candidates.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"
#include "proto/numeric/fmath.h"

_Static_assert(N_VOCAB_MAX <= UINT64_MAX / WEIGHT_ONE, "a row's total fits 64 bits");

enum {
    BUCKETS = 256,                          /* a bucket's number fits a byte */
    FEW = 48,                               /* so many are sorted at once */
};

__extension__ typedef unsigned __int128 uint128;

/* ---- memory ---- */

void row_init(row *r, isa best) {
    *r = (row){0};
    passes_init(&r->passes, best);
}

static void clear_candidates(row *r) {
    free(r->all_ids);
    free(r->kept_ids);
    free(r->logits);
    free(r->weights);
    free(r->members);
    free(r->buckets);
    free(r->keys);
    history_clear(&r->past);
    *r = (row){.passes = r->passes, .lengths = r->lengths,
               .lengths_capacity = r->lengths_capacity};
}

void row_clear(row *r) {
    clear_candidates(r);
    free(r->lengths);
    *r = (row){.passes = r->passes};
}

static bool reserve_lengths(row *r, uint32_t n_ids) {
    if (n_ids <= r->lengths_capacity) return true;
    free(r->lengths);
    r->lengths = malloc(n_ids * sizeof *r->lengths);
    r->lengths_capacity = r->lengths ? n_ids : 0;
    return r->lengths != NULL;
}

status row_reserve(row *r, uint32_t n_vocab, uint32_t n_ids) {
    if (!reserve_lengths(r, n_ids)) return STATUS_NO_MEMORY;
    if (n_vocab <= r->capacity) return STATUS_OK;
    clear_candidates(r);
    r->all_ids = malloc(n_vocab * sizeof *r->all_ids);
    r->kept_ids = malloc(n_vocab * sizeof *r->kept_ids);
    r->logits = malloc(n_vocab * sizeof *r->logits);
    r->weights = malloc(n_vocab * sizeof *r->weights);
    r->members = malloc(n_vocab * sizeof *r->members);
    r->buckets = malloc(n_vocab * sizeof *r->buckets);
    r->keys = malloc(n_vocab * sizeof *r->keys);
    bool all = r->all_ids && r->kept_ids && r->logits && r->weights && r->members && r->buckets &&
               r->keys;
    if (!all || history_reserve(&r->past, n_vocab) != STATUS_OK) {
        clear_candidates(r);
        return STATUS_NO_MEMORY;
    }
    for (uint32_t id = 0; id < n_vocab; id++) r->all_ids[id] = (int32_t)id;
    r->capacity = n_vocab;
    return STATUS_OK;
}

/* ---- logits and weights ---- */

/* What row_load does where not all logits are finite. */
static status load_finite(row *r, const float *logits, uint32_t n_vocab, failure *f) {
    r->ids = r->kept_ids;
    r->n = 0;
    r->max = -INFINITY;
    for (uint32_t id = 0; id < n_vocab; id++) {
        double logit = (double)logits[id];
        if (!(logit < INFINITY)) {
            r->n = 0;
            return fail(f, STATUS_NO_CANDIDATE, "the logit of id %u is %s", id,
                        isnan(logit) ? "not a number" : "infinite");
        }
        if (logit > r->max) r->max = logit;
        r->kept_ids[r->n] = (int32_t)id;
        r->logits[r->n] = logit;
        r->n += logit > -INFINITY;
    }
    if (r->n > 0) return STATUS_OK;
    return fail(f, STATUS_NO_CANDIDATE, "none of the %u logits is finite", n_vocab);
}

status row_load(row *r, const float *logits, uint32_t n_vocab, failure *f) {
    assert(n_vocab > 0 && n_vocab <= r->capacity);
    r->settled = true;
    r->weighed = false;
    r->ids = r->all_ids;
    r->n = n_vocab;
    if (r->passes.widen(r->logits, logits, n_vocab, &r->max)) return STATUS_OK;
    return load_finite(r, logits, n_vocab, f);
}

void row_changed(row *r) {
    r->settled = r->weighed = false;
}

void row_settle(row *r) {
    if (r->settled) return;
    r->max = r->passes.largest(r->logits, r->n);
    if (!isfinite(r->max)) r->n = 0;
    r->settled = true;
}

/* Rounded division keeps the order: the largest stays the largest. */
void row_scale(row *r, double divisor) {
    row_settle(r);
    double shift = isfinite(r->max / divisor) ? 0.0 : r->max;
    r->passes.scale(r->logits, shift, divisor, r->n);
    r->max = (r->max - shift) / divisor;
    r->weighed = false;
}

void row_weigh(row *r) {
    if (r->weighed) return;
    row_settle(r);
    r->total = r->passes.weigh(r->weights, r->logits, r->max, r->n);
    r->weighed = true;
}

uint32_t row_find(const row *r, int32_t id) {
    uint32_t low = 0, high = r->n;
    if (id < 0) return r->n;
    if ((uint32_t)id < r->n && r->ids[id] == id) return (uint32_t)id;   /* none before it is gone */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (r->ids[middle] < id) low = middle + 1;
        else high = middle;
    }
    return low < r->n && r->ids[low] == id ? low : r->n;
}

/* ---- ranking ---- */

bool row_ranks_above(row_rank a, row_rank b) {
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

row_rank row_rank_of(const row *r, uint32_t i) {
    return (row_rank){r->logits[i], r->ids[i]};
}

/* An integer that orders as the logit does; adding 0 makes −0 and +0 the same. */
static uint64_t order_key(double logit) {
    double canonical = logit + 0.0;
    uint64_t bits;
    memcpy(&bits, &canonical, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static uint64_t mass_of(const uint64_t *masses, uint32_t i) {
    return masses ? masses[i] : 1;
}

static void sort_by_rank(row *r, uint32_t n) {
    for (uint32_t i = 1; i < n; i++) {
        uint32_t moving = r->members[i], at = i;
        row_rank rank = row_rank_of(r, moving);
        for (; at > 0 && row_ranks_above(rank, row_rank_of(r, r->members[at - 1])); at--) {
            r->members[at] = r->members[at - 1];
        }
        r->members[at] = moving;
    }
}

/* Put the n members into buckets by their distance from the largest logit, in eighths; the last bucket
 * takes all that is far away. */
static void spread_by_distance(row *r, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        double eighths = (r->max - r->logits[r->members[i]]) * 8;
        r->buckets[i] = eighths < BUCKETS - 1 ? (uint8_t)eighths : BUCKETS - 1;
    }
}

/* Put the n members into buckets of equal width between their smallest and largest key, the largest
 * into bucket 0. These two differ in bucket, so the next narrowing does narrow. False: all are equal. */
static bool spread_by_key(row *r, uint32_t n) {
    uint64_t low = UINT64_MAX, high = 0;
    int shift = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t key = order_key(r->logits[r->members[i]]);
        if (key < low) low = key;
        if (key > high) high = key;
    }
    if (low == high) return false;
    while ((high - low) >> shift >= BUCKETS) shift++;
    for (uint32_t i = 0; i < n; i++) {
        r->buckets[i] = (uint8_t)((high - order_key(r->logits[r->members[i]])) >> shift);
    }
    return true;
}

/* Of the n members keep those of the bucket in which the running sum, begun with *above, reaches
 * limit. Returns how many these are; *above gets the mass that ranks above them. */
static uint32_t narrow(row *r, uint32_t n, const uint64_t *masses, uint64_t limit,
                       uint64_t *above) {
    uint64_t sums[BUCKETS] = {0};
    uint32_t bucket = 0, n_kept = 0;
    for (uint32_t i = 0; i < n; i++) sums[r->buckets[i]] += mass_of(masses, r->members[i]);
    for (; *above + sums[bucket] < limit; bucket++) {
        assert(bucket + 1 < BUCKETS);
        *above += sums[bucket];
    }
    for (uint32_t i = 0; i < n; i++) {
        r->members[n_kept] = r->members[i];
        n_kept += r->buckets[i] == bucket;
    }
    return n_kept;
}

/* The first rank at which the running sum of masses reaches limit. masses: [r->n], or NULL to count.
 * It is among the n members, and so is all that ranks above it. */
static row_rank cut(row *r, uint32_t n, const uint64_t *masses, uint64_t limit) {
    uint64_t above = 0;
    spread_by_distance(r, n);
    n = narrow(r, n, masses, limit, &above);
    while (n > FEW && spread_by_key(r, n)) n = narrow(r, n, masses, limit, &above);
    if (n <= FEW) sort_by_rank(r, n);       /* more are all equal: in order of id as they are */
    uint32_t i = 0;
    for (; above + mass_of(masses, r->members[i]) < limit; i++) {
        assert(i + 1 < n);
        above += mass_of(masses, r->members[i]);
    }
    return row_rank_of(r, r->members[i]);
}

/* The members are the candidates not below `lowest`. Returns how many they are. */
static uint32_t select_members(row *r, double lowest) {
    return r->passes.select(r->members, r->logits, lowest, r->n);
}

uint32_t row_select(row *r, row_rank last) {
    uint32_t n_members = select_members(r, last.logit), n = 0;
    for (uint32_t k = 0; k < n_members; k++) {
        r->members[n] = r->members[k];
        n += !row_ranks_above(last, row_rank_of(r, r->members[k]));
    }
    return n;
}

/* The upper end of a row is thin as a rule: look there first. */
row_rank row_kth(row *r, uint32_t k) {
    static const double distances[] = {4, 12, INFINITY};
    assert(r->settled && k > 0 && k <= r->n);
    uint32_t n = 0;
    for (int i = 0; n < k; i++) n = select_members(r, r->max - distances[i]);
    return cut(r, n, NULL, k);
}

/* All candidates of weight (total − mass) / n or less together weigh at most total − mass: without them
 * the others still reach `mass`. The margin is for the rounding of small weights. */
static double lowest_that_matters(const row *r, uint64_t mass) {
    uint64_t weight = (r->total - mass) / r->n;
    if (weight < 1024) return -INFINITY;
    return r->max + fmath_log((double)weight / (double)WEIGHT_ONE) - 0x1p-10;
}

row_rank row_crossing(row *r, uint64_t mass) {
    assert(r->weighed && mass > 0 && mass <= r->total);
    return cut(r, select_members(r, lowest_that_matters(r, mass)), r->weights, mass);
}

/* The n members are what is left. */
static void keep_members(row *r, uint32_t n) {
    uint64_t total = 0;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = r->members[k];
        r->kept_ids[k] = r->ids[i];
        r->logits[k] = r->logits[i];
        if (r->weighed) total += r->weights[k] = r->weights[i];
    }
    r->ids = r->kept_ids;
    r->n = n;
    r->total = total;
}

void row_keep(row *r, row_rank last) {
    keep_members(r, row_select(r, last));
}

void row_drop_banned(row *r) {
    uint32_t n = select_members(r, -DBL_MAX);
    if (n < r->n) keep_members(r, n);
}

void row_drop_above(row *r, row_rank first) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        r->members[n] = i;
        n += !row_ranks_above(row_rank_of(r, i), first);
    }
    keep_members(r, n);
    row_changed(r);
}

static void swap_keys(row *r) {
    double *logits = r->logits;
    r->logits = r->keys;
    r->keys = logits;
}

/* Keys take the logits' place while they are what ranks. */
void row_keep_by_keys(row *r, uint64_t mass) {
    assert(r->weighed && mass > 0 && mass <= r->total);
    double max = r->max;
    swap_keys(r);
    r->max = r->passes.largest(r->logits, r->n);
    uint32_t n = row_select(r, cut(r, select_members(r, -INFINITY), r->weights, mass));
    swap_keys(r);
    r->max = max;
    bool has_largest = false;
    for (uint32_t k = 0; k < n; k++) has_largest |= r->logits[r->members[k]] == max;
    keep_members(r, n);
    if (!has_largest) row_changed(r);
}

/* ---- the draw ---- */

int32_t row_draw(const row *r, uint64_t bits53) {
    assert(r->weighed && r->n > 0);
    uint64_t target = (uint64_t)((uint128)bits53 * r->total >> 53), running = 0;
    uint32_t i = 0;                         /* an integer exceeds x when it exceeds ⌊x⌋ */
    while ((running += r->weights[i]) <= target) i++;
    return r->ids[i];
}
