#include "dry.h"

#include <string.h>

#include "proto/numeric/fmath.h"

/* The exponent at which float32 would overflow: the rule's cap. */
#define LOG_LARGEST 88.7228391

/* The newest n ids, newest first. */
typedef struct tail {
    const int32_t *ids;         /* of the whole text, oldest first: [n_ids] */
    uint32_t n_ids, n;
} tail;

static int32_t id_at(const tail *t, uint32_t i) {
    return t->ids[t->n_ids - 1 - i];
}

/* How many ids of `breaker` stand at i and after: all of them, or 0. Its first id is the oldest. */
static uint32_t breaker_at(const tail *t, uint32_t i, const int32_t *breaker, uint32_t n) {
    if (n - 1 > i) return 0;
    for (uint32_t k = 0; k < n; k++)
        if (id_at(t, i - k) != breaker[k]) return 0;
    return n;
}

static uint32_t length_of(const int32_t *list) {
    uint32_t n = 0;
    while (list[n] != -1) n++;
    return n;
}

/* Ids that are newer than the newest breaker: that many may repeat. */
static uint32_t repeatable(const tail *t, const stage *one) {
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t longest = 0;
        for (size_t at = 0; at < one->n_list_ids;) {
            uint32_t n = length_of(one->lists + at), found = breaker_at(t, i, one->lists + at, n);
            if (found > longest) longest = found;
            at += n + 1;
        }
        if (longest > 0) return i - (longest - 1);
    }
    return t->n;
}

/* lengths[k]: on how many ids, from the newest back, the text agrees with itself k ids earlier (the Z
 * algorithm; Gusfield 1997). */
static void match_lengths(const tail *t, uint32_t *lengths) {
    uint32_t left = 0, right = 0;       /* the match that reaches furthest: [left, right) */
    lengths[0] = t->n;
    for (uint32_t k = 1; k < t->n; k++) {
        uint32_t n = 0;
        if (k < right) n = lengths[k - left] < right - k ? lengths[k - left] : right - k;
        while (k + n < t->n && id_at(t, n) == id_at(t, k + n)) n++;
        lengths[k] = n;
        if (k + n > right) {
            left = k;
            right = k + n;
        }
    }
}

static bool is_breaker(const stage *one, int32_t id) {
    for (size_t at = 0; at < one->n_list_ids;) {
        uint32_t n = length_of(one->lists + at);
        if (n == 1 && one->lists[at] == id) return true;
        at += n + 1;
    }
    return false;
}

static void lower(candidates *c, const stage *one, uint32_t at, uint32_t length) {
    double multiplier = one->numbers[0], base = one->numbers[1], excess = length - one->numbers[2];
    if (is_breaker(one, c->ids[at])) return;
    if (base > 1.000001) {
        double most = (double)(int64_t)(LOG_LARGEST / fmath_log(base));
        if (excess > most) excess = most;
    }
    c->logits[at] -= multiplier * fmath_pow(base, excess);
}

void dry_apply(candidates *c, const stage *one) {
    double allowed = one->numbers[2], last_n = one->numbers[3];
    tail t = {c->past.ids, c->past.n_ids, c->past.n_ids};
    if (last_n >= 0 && last_n < t.n) t.n = (uint32_t)last_n;
    if (one->numbers[0] == 0 || t.n <= allowed) return;
    uint32_t most = repeatable(&t, one);
    if (most < allowed) return;
    match_lengths(&t, c->lengths);
    double *longest = c->keys;          /* of each id: 1 + the length of the match that it would prolong */
    memset(longest, 0, c->capacity * sizeof *longest);
    for (uint32_t k = 1; k < t.n; k++) {
        double length = c->lengths[k] < most ? c->lengths[k] : most;
        int32_t id = id_at(&t, k - 1);
        if (length >= allowed && length + 1 > longest[id]) longest[id] = length + 1;
    }
    for (uint32_t i = 0; i < c->n; i++)
        if (longest[c->ids[i]] > 0) lower(c, one, i, (uint32_t)longest[c->ids[i]] - 1);
    candidates_changed(c);
}
