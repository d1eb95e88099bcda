/* The last word on a sequence, to whoever asked; then it is gone, and what it held is free for others.
 *
 * A sequence has exactly one; none is said to a tokenizerd that has left. */
#ifndef TRIVIUM_MODELD_ENDINGS_H
#define TRIVIUM_MODELD_ENDINGS_H

#include "modeld/links/sample_answer.h"
#include "modeld/sched/sequences.h"
#include "proto/net/loop.h"

/* All are borrowed. */
typedef struct endings {
    sequences *sequences;
    wakeup *turn; /* there is room for others now */
    uint64_t *n_texts; /* that were told their end: counted here */
} endings;

/* A text, for this reason; or a text or call, by a failure: `f` is read when the end is END_ERROR. */
void endings_tell(const endings *e, sequence *q, sequence_end end, const failure *f);
/* A score, all of whose rows are scored. */
void endings_scored(const endings *e, sequence *q, const sample_answer *last);
void endings_probed(const endings *e, sequence *q, const sample_answer *answer);
/* Nobody is to be told: its tokenizerd is gone, or does not want the call any more. */
void endings_untold(const endings *e, sequence *q);

#endif
