/* The policy of the forward pass: how many rows of which sequence run in the next one. Pure.
 *
 * While one owner is alone, every sequence that decodes gets its one row; what a pass of about PASS_TARGET_MS holds
 * besides goes to the prompts, in equal shares: of owners, and of the prompts of each, so that a short prompt does
 * not wait for a long one, and one owner's do not wait for another's, however many.
 *
 * A text gets one row of a pass, so its pace is that of the passes, and whoever fills them slows everybody. So where
 * several owners are there and one of them has a text that decodes, passes are short:
 * - Each owner gets so many rows for texts that decode as all owners have such texts, but SHARED_ROWS at least: so many
 *   take about as long as reading the weights, which is what a pass of a single row takes. Its further texts take
 *   turns, those first that were in a pass the longest ago.
 * - All prompts and scores together get as many rows as one owner may have, or as the texts that decode have in this pass.
 * Whoever has a row with a sampler is there as well, else a pass that begins just before the id comes would be a long one.
 *
 * The choice decides when a row is computed, never its bits. */
#ifndef TRIVIUM_SCHEDULER_H
#define TRIVIUM_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/limits.h"

enum {
    PASS_TARGET_MS = 50,
    PREFILL_ROWS_FIRST = TINY_LIMITS ? 4 : 16, /* of prompts, before anything was measured */
    PREFILL_ROWS_MIN = TINY_LIMITS ? 2 : 4,    /* of prompts, however slow the machine is */
    SHARED_ROWS = TINY_LIMITS ? 2 : 4,         /* of one owner beside others, at least */
    GATHER_MAX_US = 10000,
};

typedef struct scheduler {
    uint32_t n_rows_max; /* of one forward pass */
    double rows_per_ms;  /* of recent passes */
    uint32_t rows_an_owner; /* that decode, in the pass that was shared out last; UINT32_MAX: without a bound */
} scheduler;

typedef struct demand {
    uint32_t n_rows; /* positions to compute; of a score, its next piece; 0: what it had computed is with a sampler */
    bool decodes;    /* one row, of a text that is being written */
    const void *owner; /* whose it is, only compared */
    uint64_t last_pass; /* that it was in: a number that grows with each */
} demand;

_Static_assert(BATCH_ROWS_MAX >= SEQUENCES_MAX + PREFILL_ROWS_MIN,
               "all that decode fit one pass, and prompts go on beside them");
_Static_assert(SHARED_ROWS >= PREFILL_ROWS_MIN, "prompts go on beside another owner's texts");

void scheduler_init(scheduler *s, uint32_t n_rows_max); /* 1 … BATCH_ROWS_MAX */

/* Rows for each demand, oldest first, into n_rows[n_demands]; returns their sum, at most
 * n_rows_max. */
uint32_t scheduler_share(scheduler *s, const demand *demands, uint32_t n_demands,
                         uint32_t *n_rows);

/* After a pass that took this long: how long the next one may wait for ids that samplers are about to
 * draw. One more row in a pass costs little, a pass for it alone reads all weights again. */
uint64_t scheduler_gather_us(uint64_t elapsed_us);

/* A pass of n_rows rows took this long. */
void scheduler_measure(scheduler *s, uint32_t n_rows, uint64_t elapsed_us);

#endif
