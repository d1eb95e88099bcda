/* One forward pass: who takes part with how many rows, the computation, and where its logits go.
 *
 * Three steps, in this order: fill, run, hand out. Only the first and the last look at sequences; in
 * between a pass knows rows, pages and addresses. */
#ifndef TRIVIUM_FORWARD_PASS_H
#define TRIVIUM_FORWARD_PASS_H

#include <stdint.h>

#include "modeld/engine/model.h"
#include "modeld/sched/sequences.h"

typedef struct forward_pass forward_pass;

/* Model and cache are borrowed. NULL: no memory. */
forward_pass *forward_pass_new(model *m, kv_cache *cache);
void forward_pass_free(forward_pass **p); /* NULL is fine */

/* Choose rows of those sequences that have some to compute, as the scheduler shares them out, and make
 * their rows of logits ready to be written. Returns how many rows that are; 0: there is nothing to run. */
uint32_t forward_pass_fill(forward_pass *p, sequences *t);

/* Compute them. Touches nothing of a sequence but the logits that its rows go to. */
void forward_pass_run(forward_pass *p);

/* Each sequence gets what it waited for. */
void forward_pass_hand_out(forward_pass *p, sequences *t);

/* The next pass should wait for ids that are drawn before this time; as of the last pass. */
uint64_t forward_pass_gather_until_us(const forward_pass *p);

#endif
