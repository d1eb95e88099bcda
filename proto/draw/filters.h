/* Stages that look at the candidates alone: they scale their logits, or drop the unlikely. Each is the function
 * of its stage in chain.c's table. Something always stays; where none is left, none comes back. In what
 * follows p is a candidate's probability at this place of the chain, H = −Σ p ln p the entropy. */
#ifndef TRIVIUM_FILTERS_H
#define TRIVIUM_FILTERS_H

#include "proto/chain/strategy.h"
#include "candidates.h"

/* z / T. Where the largest quotient would leave double's range all are moved first, so that the
 * largest logit is 0: the softmax is the same, and its limit for T → 0 is the greedy choice. */
void filter_temperature(candidates *c, const stage *one);

/* z / T with T = low + (high − low) · (H / ln n)^exponent over the n candidates there are. */
void filter_dynatemp(candidates *c, const stage *one);

/* Keep every logit ≥ the largest − n · σ, the standard deviation of all; n within SHARE_TOLERANCE. */
void filter_top_n_sigma(candidates *c, const stage *one);

/* Keep every logit ≥ the k-th largest. 0, and a k not below the number of candidates, keep all. */
void filter_top_k(candidates *c, const stage *one);

/* In order of |−ln p − H|, of equals by id, keep as few as reach the given probability together. Distances
 * are counted in steps of 2^-22, so that rounding makes none of equals the nearest. 1 is off. Meister et
 * al. 2022, "Locally typical sampling". */
void filter_typical_p(candidates *c, const stage *one);

/* Drop a candidate when the probability of all that rank above it reaches p; equal logits rank by id.
 * The comparison is exact, of integer weights against p less its tolerance, times the total. 1 is
 * off. */
void filter_top_p(candidates *c, const stage *one);

/* Keep every logit ≥ the largest + ln p − SHARE_TOLERANCE. 0 is off. */
void filter_min_p(candidates *c, const stage *one);

/* With the given chance, where two or more have a p that reaches the threshold, drop all of these but the
 * one that ranks last. The chance is drawn from RNG_XTC. A threshold above 0.5 is off. */
void filter_xtc(candidates *c, const stage *one);

/* Keep the largest logit, of equals the lowest id. */
void filter_greedy(candidates *c, const stage *one);

#endif
