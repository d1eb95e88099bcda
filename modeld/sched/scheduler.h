/* The policy of the forward pass: how many rows of which sequence run in the next one. Pure.
 *
 * Every sequence that decodes gets its one row; what a pass of about PASS_TARGET_MS holds besides
 * goes to the prompts, in equal shares: of owners, and of the prompts of each, so that a short prompt does not
 * wait for a long one, and one owner's do not wait for another's, however many. The choice decides when a row is
 * computed, never its bits. */
#ifndef TRIVIUM_SCHEDULER_H
#define TRIVIUM_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/limits.h"

enum {
    PASS_TARGET_MS = 50,
    PREFILL_ROWS_FIRST = TINY_LIMITS ? 4 : 16, /* of prompts, before anything was measured */
    PREFILL_ROWS_MIN = TINY_LIMITS ? 2 : 4,    /* of prompts, however slow the machine is */
    GATHER_MAX_US = 10000,
};

typedef struct scheduler {
    uint32_t n_rows_max; /* of one forward pass */
    double rows_per_ms;  /* of recent passes */
} scheduler;

typedef struct demand {
    uint32_t n_rows; /* positions to compute; of a score, its next piece */
    bool decodes;    /* one row, of a text that is being written */
    const void *owner; /* whose it is, only compared */
} demand;

_Static_assert(BATCH_ROWS_MAX >= SEQUENCES_MAX + PREFILL_ROWS_MIN,
               "all that decode fit one pass, and prompts go on beside them");

void scheduler_init(scheduler *s, uint32_t n_rows_max); /* 1 … BATCH_ROWS_MAX */

/* Rows for each demand, oldest first, into n_rows[n_demands]; returns their sum, at most
 * n_rows_max. */
uint32_t scheduler_share(const scheduler *s, const demand *demands, uint32_t n_demands,
                         uint32_t *n_rows);

/* After a pass that took this long: how long the next one may wait for ids that samplers are about to
 * draw. One more row in a pass costs little, a pass for it alone reads all weights again. */
uint64_t scheduler_gather_us(uint64_t elapsed_us);

/* A pass of n_rows rows took this long. */
void scheduler_measure(scheduler *s, uint32_t n_rows, uint64_t elapsed_us);

#endif
