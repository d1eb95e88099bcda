/* The candidates of one draw: ids in ascending order, their logits, their weights in the softmax.
 *
 * A weight is e^(logit − largest logit) · 2^44, rounded to an integer. Sums of integers are exact in
 * any order, so no result depends on how a row is walked; N_VOCAB_MAX of them stay within 64 bits. A
 * logit that is 32 or more below the largest has weight 0.
 *
 * Candidates rank by logit, larger first; of equal logits the lower id comes first. */
#ifndef TRIVIUM_ROW_H
#define TRIVIUM_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "history.h"
#include "sampler_state.h"
#include "proto/base/status.h"
#include "samplerd/simd/passes.h"

/* A share that was typed is reached within this of it, relative. 0.9 is no binary number; and of logarithms
 * in float32, the shares that are hundredths or thousandths fall short by up to 1.2e-7, by somewhat more
 * where the others are too large. Of a share p above a half it is relative to the rest, 1 − p: a sum of that
 * much is not off by more than the rest is. It is never less than the other, which is absolute: what was
 * typed has that many digits. */
#define SHARE_TOLERANCE 1.8e-7
#define SHARE_TOLERANCE_LEAST 1e-9

typedef struct row {
    uint32_t n;                 /* candidates left; 0: nothing may be drawn */
    const int32_t *ids;         /* [n], ascending: all_ids until some are dropped, then kept_ids */
    double *logits;             /* [n] */
    uint64_t *weights;          /* [n], while `weighed` */
    double max;                 /* the largest logit, while `settled` */
    uint64_t total;             /* the sum of the weights, while `weighed` */
    bool settled, weighed;
    history past;               /* what the draw follows */
    uint64_t seed;              /* of the draw, */
    uint32_t step;              /* and its step */
    memory *memory;             /* what the rule that draws remembers */
    passes passes;
    int32_t *all_ids;           /* [capacity]: 0, 1, 2, … */
    int32_t *kept_ids;          /* [capacity] */
    uint32_t *members;          /* [capacity], scratch: the indices that a ranking is about, */
    uint8_t *buckets;           /* [capacity], and the bucket of each */
    double *keys;               /* [capacity], scratch of a step: a number for each candidate or id */
    uint32_t *lengths;          /* [lengths_capacity], scratch of a step: a number for each id so far */
    uint32_t lengths_capacity;
    uint32_t capacity;
} row;

/* A place in the ranking; no candidate need be there. */
typedef struct row_rank {
    double logit;
    int32_t id;
} row_rank;

void row_init(row *r, isa best);            /* without room; the machine has `best` (cpu_isa) */

/* Room for n_vocab candidates after n_ids ids. STATUS_NO_MEMORY. */
status row_reserve(row *r, uint32_t n_vocab, uint32_t n_ids);
void row_clear(row *r);                     /* frees what it owns; without room afterwards */

/* Every finite logit of [n_vocab] becomes a candidate; the row has room for them. STATUS_NO_CANDIDATE:
 * one is NaN or +inf, or none is finite. */
status row_load(row *r, const float *logits, uint32_t n_vocab, failure *f);

/* A logit that became −inf, banned or overflowed, is no candidate any more. For steps that count
 * candidates, or give each a new logit. */
void row_drop_banned(row *r);

/* To be called after logits were changed. */
void row_changed(row *r);

/* Find the largest logit. Where it is not finite, or any logit is NaN, the row is emptied: a step
 * that overflows leaves nothing to draw. */
void row_settle(row *r);

/* z / divisor, which is above 0. Where the largest quotient would leave double's range the row is moved
 * first, so that its largest logit is 0. */
void row_scale(row *r, double divisor);

/* Settle, then compute weights and total. */
void row_weigh(row *r);

/* Index of `id`; r->n when it is no candidate (any more). */
uint32_t row_find(const row *r, int32_t id);

row_rank row_rank_of(const row *r, uint32_t i);      /* i < r->n */
bool row_ranks_above(row_rank a, row_rank b);

/* The k-th candidate in order of rank, 1 ≤ k ≤ n. The row is settled. */
row_rank row_kth(row *r, uint32_t k);

/* The candidate at which the running sum of weights, in order of rank, reaches `mass`: the last one with
 * less than that ranked above it. 1 ≤ mass ≤ total; the row is weighed. */
row_rank row_crossing(row *r, uint64_t mass);

/* The members become the indices, ascending, of what ranks there or above. Returns how many they are. */
uint32_t row_select(row *r, row_rank last);

/* Keep what ranks there or above. Weights stay valid when the largest logit is kept. */
void row_keep(row *r, row_rank last);

/* Drop what ranks above. */
void row_drop_above(row *r, row_rank first);

/* Keep the candidates of the largest keys, of equals the lower ids, as few as have a weight of `mass` or
 * more. 1 ≤ mass ≤ total; the row is weighed. */
void row_keep_by_keys(row *r, uint64_t mass);

/* The first id, ascending, whose running sum of weights exceeds bits53 · 2^-53 × total. The row is
 * weighed and not empty. */
int32_t row_draw(const row *r, uint64_t bits53);

#endif
