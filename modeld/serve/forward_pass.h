/* One forward pass after the other: who takes part with how many rows, and where the logits go.
 *
 * A pass is filled and begun, computed by the engine while messages are served, and ended when the engine's
 * descriptor is readable. Between begin and end the rows and pages of those who take part belong to the engine:
 * a sequence that is closed meanwhile stays until the end. */
#ifndef TRIVIUM_FORWARD_PASS_H
#define TRIVIUM_FORWARD_PASS_H

#include <stdbool.h>
#include <stdint.h>

#include "modeld/engine/engine.h"
#include "modeld/sched/sequences.h"

typedef struct forward_pass forward_pass;

/* Should sequences that came from there (their `from`) compute nothing for now? */
typedef bool forward_pass_rests(const void *from);

/* All are borrowed. NULL: no memory. */
forward_pass *forward_pass_new(engine *e, kv_cache *cache, sequences *t, forward_pass_rests *rests);
void forward_pass_free(forward_pass **p); /* after its engine, before its sequences. NULL is fine */

/* Choose rows of those sequences that have some to compute, as the scheduler shares them out, make their rows
 * of logits ready to be written, and let the engine begin. Returns how many rows that are; 0: there is nothing
 * to compute. */
uint32_t forward_pass_begin(forward_pass *p);
bool forward_pass_runs(const forward_pass *p);

/* It is computed: each sequence gets what it waited for. */
void forward_pass_end(forward_pass *p);

/* The next pass should wait for ids that are drawn before this time; as of the last pass. */
uint64_t forward_pass_gather_until_us(const forward_pass *p);
/* Is this one's id likely to come before then, and has its owner not as many rows already as it may have? */
bool forward_pass_awaits(const forward_pass *p, const sequence *q);

#endif
