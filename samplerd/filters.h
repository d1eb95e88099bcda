/* Steps that look at a row alone: they scale it, or drop candidates from its lower end. Each is the
 * function of its row in strategy.h's table. The largest logit always stays; an empty row stays so. */
#ifndef TRIVIUM_FILTERS_H
#define TRIVIUM_FILTERS_H

#include "../proto/strategy.h"
#include "row.h"

/* z / T. Where the largest quotient would leave double's range the row is moved first, so that its
 * largest logit is 0: the softmax is the same, and its limit for T → 0 is the greedy choice. */
void filter_temperature(row *r, const step *one);

/* Keep every logit ≥ the k-th largest. 0, and a k not below the number of candidates, keep all. */
void filter_top_k(row *r, const step *one);

/* Drop a candidate when the probability of all that rank above it is ≥ p; equal logits rank by id.
 * The comparison is exact, of integer weights against p × total. 1 is off. */
void filter_top_p(row *r, const step *one);

/* Keep every logit ≥ the largest + ln p. 0 is off. */
void filter_min_p(row *r, const step *one);

/* Keep the largest logit, of equals the lowest id. */
void filter_greedy(row *r, const step *one);

#endif
