/* Stages that change the logits of certain ids: those that a bias names, or those of the text so far
 * (prompt and generated). Each is the function of its stage in chain.c's table. An id that is no
 * candidate any more is passed over. */
#ifndef TRIVIUM_PENALTIES_H
#define TRIVIUM_PENALTIES_H

#include "proto/chain/strategy.h"
#include "candidates.h"

/* Add each bias to its id's logit; −inf bans the id. */
void penalty_logit_bias(candidates *c, const stage *one);

/* For each id so far, once: a positive logit is divided by the penalty, any other multiplied. 1 is off. */
void penalty_repetition(candidates *c, const stage *one);

/* Subtract the penalty, once for each id so far. */
void penalty_presence(candidates *c, const stage *one);

/* Subtract the penalty times the number of occurrences of the id so far. */
void penalty_frequency(candidates *c, const stage *one);

#endif
