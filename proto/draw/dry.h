/* "Don't repeat yourself": where the text so far ends as it did before, lower the id that followed then.
 *
 * The rule is that of llama.cpp (p-e-w 2024): of the last last_n ids, newest first, L0 is the newest. Before
 * the newest breaker in them nothing repeats. For each earlier place that agrees with the end on r ids, r
 * being allowed_length or more, the id that followed there loses multiplier · base^(r − allowed_length), the
 * largest of all such places counting; a breaker of one id loses nothing. */
#ifndef TRIVIUM_DRY_H
#define TRIVIUM_DRY_H

#include "proto/chain/strategy.h"
#include "candidates.h"

/* The function of its stage in chain.c's table. Its time is linear in the number of ids; so is the search
 * for the newest breaker, once for each breaker. */
void dry_apply(candidates *c, const stage *one);

#endif
