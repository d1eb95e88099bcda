#include "filters.h"

#include <math.h>

#include "proto/numeric/fmath.h"
#include "rng.h"

__extension__ typedef unsigned __int128 uint128;

#define STEPS_OF_2_22 0x1.8p30              /* added to a small number, rounds it to them */

/* A rank below every id of this logit: ties stay. */
static row_rank all_of(double logit) {
    return (row_rank){logit, INT32_MAX};
}

void filter_temperature(row *r, const step *one) {
    if (one->numbers[0] != 1.0) row_scale(r, one->numbers[0]);
}

/* The least weight of 1 or more that reaches a share, 0 < share ≤ 1. */
static uint64_t mass_of_share(double share, uint64_t total) {
    int exponent;
    double least = share - fmax(fmin(share, 1 - share) * SHARE_TOLERANCE, SHARE_TOLERANCE_LEAST);
    if (least <= 0) return 1;
    uint64_t mantissa = (uint64_t)(frexp(least, &exponent) * 0x1p53);
    int shift = 53 - exponent;                          /* least = mantissa · 2^-shift, exactly */
    uint128 product = (uint128)mantissa * total;        /* below 2^117 */
    if (shift > 127) return 1;
    return (uint64_t)((product + ((uint128)1 << shift) - 1) >> shift);
}

/* ln p of a candidate of a weighed row is its logit − largest − this. */
static double log_total_of(const row *r) {
    return fmath_log((double)r->total / (double)WEIGHT_ONE);
}

/* Over the candidates whose weight is not 0. */
static double entropy(const row *r) {
    double sum = 0, log_total = log_total_of(r);
    for (uint32_t i = 0; i < r->n; i++) {
        if (r->weights[i] == 0) continue;
        sum -= (double)r->weights[i] / (double)r->total * (r->logits[i] - r->max - log_total);
    }
    return sum > 0 ? sum : 0;
}

void filter_dynatemp(row *r, const step *one) {
    double low = one->numbers[0], high = one->numbers[1], exponent = one->numbers[2];
    row_drop_banned(r);
    row_weigh(r);
    if (r->n < 2) return;
    double share = entropy(r) / fmath_log(r->n);
    if (share > 1) share = 1;
    double raised = share > 0 ? fmath_pow(share, exponent) : exponent == 0;
    double temperature = low + (high - low) * raised;
    if (temperature != 1.0) row_scale(r, temperature);
}

void filter_top_n_sigma(row *r, const step *one) {
    double mean = 0, squares = 0;
    row_drop_banned(r);
    row_settle(r);
    if (r->n == 0) return;
    for (uint32_t i = 0; i < r->n; i++) mean += r->logits[i] - r->max;
    mean /= r->n;
    for (uint32_t i = 0; i < r->n; i++) {
        double distance = r->logits[i] - r->max - mean;
        squares += distance * distance;
    }
    row_keep(r, all_of(r->max - one->numbers[0] * sqrt(squares / r->n) * (1 + SHARE_TOLERANCE)));
}

void filter_top_k(row *r, const step *one) {
    double k = one->numbers[0];
    row_settle(r);
    if (k == 0 || k >= r->n) return;
    row_keep(r, all_of(row_kth(r, (uint32_t)k).logit));
}

void filter_typical_p(row *r, const step *one) {
    double p = one->numbers[0];
    if (p == 1.0) return;
    row_weigh(r);
    if (r->n == 0) return;
    double expected = entropy(r), log_total = log_total_of(r);
    for (uint32_t i = 0; i < r->n; i++) {
        double distance = fabs(r->logits[i] - r->max - log_total + expected);
        r->keys[i] = STEPS_OF_2_22 - (distance + STEPS_OF_2_22);
    }
    row_keep_by_keys(r, mass_of_share(p, r->total));
}

void filter_top_p(row *r, const step *one) {
    double p = one->numbers[0];
    if (p == 1.0) return;
    row_weigh(r);
    if (r->n == 0) return;
    row_keep(r, row_crossing(r, mass_of_share(p, r->total)));
}

void filter_min_p(row *r, const step *one) {
    double p = one->numbers[0];
    if (p == 0.0) return;
    row_settle(r);
    row_keep(r, all_of(r->max + fmath_log(p) - SHARE_TOLERANCE));
}

void filter_xtc(row *r, const step *one) {
    double probability = one->numbers[0], threshold = one->numbers[1];
    if (probability == 0 || threshold > 0.5) return;
    if (rng_uniform(r->seed, r->step, RNG_XTC) > probability) return;
    row_drop_banned(r);
    row_weigh(r);
    if (r->n < 2) return;
    uint64_t least = threshold > 0 ? mass_of_share(threshold, r->total) : 0;
    uint32_t n_likely = 0;
    for (uint32_t i = 0; i < r->n; i++) n_likely += r->weights[i] >= least;
    if (n_likely >= 2) row_drop_above(r, row_kth(r, n_likely));
}

void filter_greedy(row *r, const step *one) {
    (void)one;
    row_settle(r);
    if (r->n == 0) return;
    uint32_t first = 0;
    while (r->logits[first] != r->max) first++;
    row_keep(r, row_rank_of(r, first));
}
