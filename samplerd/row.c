#include "row.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../proto/limits.h"
#include "../proto/rt/fmath.h"

static const double WEIGHTLESS = -32.0;     /* e^-32 · 2^44 rounds to 0 */
_Static_assert(N_VOCAB_MAX <= UINT64_MAX / ROW_WEIGHT_ONE, "a row's total fits 64 bits");

enum {
    BUCKETS = 256,                          /* a bucket's number fits a byte */
    FEW = 48,                               /* so many are sorted at once */
};

__extension__ typedef unsigned __int128 uint128;

/* ---- memory ---- */

status row_reserve(row *r, uint32_t n_vocab) {
    if (n_vocab <= r->capacity) return STATUS_OK;
    row_clear(r);
    r->ids = malloc(n_vocab * sizeof *r->ids);
    r->logits = malloc(n_vocab * sizeof *r->logits);
    r->weights = malloc(n_vocab * sizeof *r->weights);
    r->members = malloc(n_vocab * sizeof *r->members);
    r->buckets = malloc(n_vocab * sizeof *r->buckets);
    bool all = r->ids && r->logits && r->weights && r->members && r->buckets;
    if (!all || history_reserve(&r->past, n_vocab) != STATUS_OK) {
        row_clear(r);
        return STATUS_NO_MEMORY;
    }
    r->capacity = n_vocab;
    return STATUS_OK;
}

void row_clear(row *r) {
    free(r->ids);
    free(r->logits);
    free(r->weights);
    free(r->members);
    free(r->buckets);
    history_clear(&r->past);
    *r = (row){0};
}

/* ---- logits and weights ---- */

status row_load(row *r, const float *logits, uint32_t n_vocab, failure *f) {
    assert(n_vocab <= r->capacity);
    r->n = 0;
    r->max = -INFINITY;
    r->settled = true;
    r->weighed = false;
    for (uint32_t id = 0; id < n_vocab; id++) {
        double logit = (double)logits[id];
        if (!(logit < INFINITY)) {
            return fail(f, STATUS_NO_CANDIDATE, "the logit of id %u is %s", id,
                        isnan(logit) ? "not a number" : "infinite");
        }
        if (logit > r->max) r->max = logit;
        r->ids[r->n] = (int32_t)id;
        r->logits[r->n] = logit;
        r->n += logit > -INFINITY;
    }
    if (r->n > 0) return STATUS_OK;
    return fail(f, STATUS_NO_CANDIDATE, "none of the %u logits is finite", n_vocab);
}

void row_changed(row *r) {
    r->settled = r->weighed = false;
}

void row_settle(row *r) {
    if (r->settled) return;
    bool usable = true;
    r->max = -INFINITY;
    for (uint32_t i = 0; i < r->n; i++) {
        usable &= r->logits[i] < INFINITY;
        if (r->logits[i] > r->max) r->max = r->logits[i];
    }
    if (!usable || r->max == -INFINITY) r->n = 0;
    r->settled = true;
}

/* `below`: logit − largest logit. Adding 2^52 rounds to an integer; the low 52 bits hold it. */
static uint64_t weight_of(double below) {
    if (below <= WEIGHTLESS) return 0;
    double shifted = fmath_exp(below) * (double)ROW_WEIGHT_ONE + 0x1p52;
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return bits & (((uint64_t)1 << 52) - 1);
}

void row_weigh(row *r) {
    if (r->weighed) return;
    row_settle(r);
    uint64_t total = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        r->weights[i] = weight_of(r->logits[i] - r->max);
        total += r->weights[i];
    }
    r->total = total;
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

/* The candidates that are not below `lowest` become members, each in a bucket by its distance from the
 * largest logit, in eighths; the last bucket takes all that is far away. Returns how many there are. */
static uint32_t spread_by_distance(row *r, double lowest) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        r->members[n] = i;
        n += r->logits[i] >= lowest;
    }
    for (uint32_t i = 0; i < n; i++) {
        double eighths = (r->max - r->logits[r->members[i]]) * 8;
        r->buckets[i] = eighths < BUCKETS - 1 ? (uint8_t)eighths : BUCKETS - 1;
    }
    return n;
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

/* The first rank at which the running sum of masses reaches limit. masses: [n], or NULL to count. What
 * is below `lowest` is known to rank after it. */
static row_rank cut(row *r, const uint64_t *masses, uint64_t limit, double lowest) {
    uint64_t above = 0;
    uint32_t n = spread_by_distance(r, lowest);
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

row_rank row_kth(row *r, uint32_t k) {
    assert(r->settled && k > 0 && k <= r->n);
    return cut(r, NULL, k, -INFINITY);
}

/* All candidates of weight (total − mass) / n or less together weigh at most total − mass: without them
 * the others still reach `mass`. The margin is for the rounding of small weights. */
static double lowest_that_matters(const row *r, uint64_t mass) {
    uint64_t weight = (r->total - mass) / r->n;
    if (weight < 1024) return -INFINITY;
    return r->max + fmath_log((double)weight / (double)ROW_WEIGHT_ONE) - 0x1p-10;
}

row_rank row_crossing(row *r, uint64_t mass) {
    assert(r->weighed && mass > 0 && mass <= r->total);
    return cut(r, r->weights, mass, lowest_that_matters(r, mass));
}

void row_keep(row *r, row_rank last) {
    uint32_t n = 0;
    uint64_t total = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        if (row_ranks_above(last, row_rank_of(r, i))) continue;
        r->ids[n] = r->ids[i];
        r->logits[n] = r->logits[i];
        if (r->weighed) {
            r->weights[n] = r->weights[i];
            total += r->weights[i];
        }
        n++;
    }
    r->n = n;
    r->total = total;
}

/* ---- the draw ---- */

int32_t row_draw(const row *r, uint64_t bits53) {
    assert(r->weighed && r->n > 0);
    uint64_t target = (uint64_t)((uint128)bits53 * r->total >> 53), running = 0;
    uint32_t i = 0;                         /* an integer exceeds x when it exceeds ⌊x⌋ */
    while ((running += r->weights[i]) <= target) i++;
    return r->ids[i];
}
