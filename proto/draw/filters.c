#include "filters.h"

#include <math.h>

#include "proto/numeric/fmath.h"
#include "rng.h"

__extension__ typedef unsigned __int128 uint128;

#define STEPS_OF_2_22 0x1.8p30              /* added to a small number, rounds it to them */

/* A rank below every id of this logit: ties stay. */
static candidate_rank all_of(double logit) {
    return (candidate_rank){logit, INT32_MAX};
}

void filter_temperature(candidates *c, const stage *one) {
    if (one->numbers[0] != 1.0) candidates_scale(c, one->numbers[0]);
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

/* ln p of a candidate, when they are weighed, is its logit − largest − this. */
static double log_total_of(const candidates *c) {
    return fmath_log((double)c->total / (double)WEIGHT_ONE);
}

/* Over the candidates whose weight is not 0. */
static double entropy(const candidates *c) {
    double sum = 0, log_total = log_total_of(c);
    for (uint32_t i = 0; i < c->n; i++) {
        if (c->weights[i] == 0) continue;
        sum -= (double)c->weights[i] / (double)c->total * (c->logits[i] - c->max - log_total);
    }
    return sum > 0 ? sum : 0;
}

void filter_dynatemp(candidates *c, const stage *one) {
    double low = one->numbers[0], high = one->numbers[1], exponent = one->numbers[2];
    candidates_drop_banned(c);
    candidates_weigh(c);
    if (c->n < 2) return;
    double share = entropy(c) / fmath_log(c->n);
    if (share > 1) share = 1;
    double raised = share > 0 ? fmath_pow(share, exponent) : exponent == 0;
    double temperature = low + (high - low) * raised;
    if (temperature != 1.0) candidates_scale(c, temperature);
}

void filter_top_n_sigma(candidates *c, const stage *one) {
    double mean = 0, squares = 0;
    candidates_drop_banned(c);
    candidates_settle(c);
    if (c->n == 0) return;
    for (uint32_t i = 0; i < c->n; i++) mean += c->logits[i] - c->max;
    mean /= c->n;
    for (uint32_t i = 0; i < c->n; i++) {
        double distance = c->logits[i] - c->max - mean;
        squares += distance * distance;
    }
    candidates_keep(c, all_of(c->max - one->numbers[0] * sqrt(squares / c->n) * (1 + SHARE_TOLERANCE)));
}

void filter_top_k(candidates *c, const stage *one) {
    double k = one->numbers[0];
    candidates_settle(c);
    if (k == 0 || k >= c->n) return;
    candidates_keep(c, all_of(candidates_kth(c, (uint32_t)k).logit));
}

void filter_typical_p(candidates *c, const stage *one) {
    double p = one->numbers[0];
    if (p == 1.0) return;
    candidates_weigh(c);
    if (c->n == 0) return;
    double expected = entropy(c), log_total = log_total_of(c);
    for (uint32_t i = 0; i < c->n; i++) {
        double distance = fabs(c->logits[i] - c->max - log_total + expected);
        c->keys[i] = STEPS_OF_2_22 - (distance + STEPS_OF_2_22);
    }
    candidates_keep_by_keys(c, mass_of_share(p, c->total));
}

void filter_top_p(candidates *c, const stage *one) {
    double p = one->numbers[0];
    if (p == 1.0) return;
    candidates_weigh(c);
    if (c->n == 0) return;
    candidates_keep(c, candidates_crossing(c, mass_of_share(p, c->total)));
}

void filter_min_p(candidates *c, const stage *one) {
    double p = one->numbers[0];
    if (p == 0.0) return;
    candidates_settle(c);
    candidates_keep(c, all_of(c->max + fmath_log(p) - SHARE_TOLERANCE));
}

void filter_xtc(candidates *c, const stage *one) {
    double probability = one->numbers[0], threshold = one->numbers[1];
    if (probability == 0 || threshold > 0.5) return;
    if (rng_uniform(c->seed, c->step, RNG_XTC) > probability) return;
    candidates_drop_banned(c);
    candidates_weigh(c);
    if (c->n < 2) return;
    uint64_t least = threshold > 0 ? mass_of_share(threshold, c->total) : 0;
    uint32_t n_likely = 0;
    for (uint32_t i = 0; i < c->n; i++) n_likely += c->weights[i] >= least;
    if (n_likely >= 2) candidates_drop_above(c, candidates_kth(c, n_likely));
}

void filter_greedy(candidates *c, const stage *one) {
    (void)one;
    candidates_settle(c);
    if (c->n == 0) return;
    uint32_t first = 0;
    while (c->logits[first] != c->max) first++;
    candidates_keep(c, candidate_rank_of(c, first));
}
