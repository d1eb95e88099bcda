#include "filters.h"

#include <math.h>

#include "../proto/rt/fmath.h"

__extension__ typedef unsigned __int128 uint128;

/* A rank below every id of this logit: ties stay. */
static row_rank all_of(double logit) {
    return (row_rank){logit, INT32_MAX};
}

void filter_temperature(row *r, const step *one) {
    if (one->numbers[0] != 1.0) row_scale(r, one->numbers[0]);
}

void filter_top_k(row *r, const step *one) {
    double k = one->numbers[0];
    row_settle(r);
    if (k == 0 || k >= r->n) return;
    row_keep(r, all_of(row_kth(r, (uint32_t)k).logit));
}

/* The least integer that is ≥ p × total, for 0 < p ≤ 1. */
static uint64_t mass_limit(double p, uint64_t total) {
    int exponent;
    uint64_t mantissa = (uint64_t)(frexp(p, &exponent) * 0x1p53);
    int shift = 53 - exponent;                          /* p = mantissa · 2^-shift, exactly */
    uint128 product = (uint128)mantissa * total;        /* below 2^117 */
    if (shift > 127) return 1;
    return (uint64_t)((product + (((uint128)1 << shift) - 1)) >> shift);
}

void filter_top_p(row *r, const step *one) {
    double p = one->numbers[0];
    if (p == 1.0) return;
    row_weigh(r);
    if (r->n == 0) return;
    row_keep(r, row_crossing(r, mass_limit(p, r->total)));
}

void filter_min_p(row *r, const step *one) {
    double p = one->numbers[0];
    if (p == 0.0) return;
    row_settle(r);
    row_keep(r, all_of(r->max + fmath_log(p)));
}

void filter_greedy(row *r, const step *one) {
    (void)one;
    row_settle(r);
    if (r->n == 0) return;
    uint32_t first = 0;
    while (r->logits[first] != r->max) first++;
    row_keep(r, row_rank_of(r, first));
}
