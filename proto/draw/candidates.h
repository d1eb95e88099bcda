/* The candidates of one draw: what is left of a row of logits. Ids in ascending order, their logits, their
 * weights in the softmax.
 *
 * A weight is e^(logit − largest logit) · 2^44, rounded to an integer. Sums of integers are exact in
 * any order, so no result depends on the order in which they are visited; N_VOCAB_MAX of them stay within 64 bits. A
 * logit that is 32 or more below the largest has weight 0.
 *
 * Candidates rank by logit, larger first; of equal logits the lower id comes first. */
#ifndef TRIVIUM_CANDIDATES_H
#define TRIVIUM_CANDIDATES_H

#include <stdbool.h>
#include <stdint.h>

#include "history.h"
#include "sampler_state.h"
#include "proto/base/status.h"
#include "proto/draw/simd/passes.h"

/* A share that was typed counts as reached from this far below it on, relative. 0.9 is no binary number; and
 * where logits are logarithms in float32, shares of hundredths or thousandths fall short by up to 1.2e-7, by
 * somewhat more where the other shares come out too large. For a share p above a half it is relative to the
 * rest, 1 − p: a sum of that much is not off by more than the rest is. It is never less than
 * SHARE_TOLERANCE_LEAST, which is absolute: what was typed has that many digits. */
#define SHARE_TOLERANCE 1.8e-7
#define SHARE_TOLERANCE_LEAST 1e-9

typedef struct candidates {
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
    sampler_state *state;       /* what the rule that draws remembers */
    passes passes;
    int32_t *all_ids;           /* [capacity]: 0, 1, 2, … */
    int32_t *kept_ids;          /* [capacity] */
    uint32_t *members;          /* [capacity], scratch: the indices that a ranking is about, */
    uint8_t *buckets;           /* [capacity], and the bucket of each */
    double *keys;               /* [capacity], scratch of a stage: a number for each candidate or id */
    uint32_t *lengths;          /* [lengths_capacity], scratch of a stage: a number for each id so far */
    uint32_t lengths_capacity;
    uint32_t capacity;
} candidates;

/* A place in the ranking; no candidate need be there. */
typedef struct candidate_rank {
    double logit;
    int32_t id;
} candidate_rank;

void candidates_init(candidates *c, isa best);  /* without room; the machine has `best` (cpu_isa) */

/* Room for n_vocab candidates after n_ids ids. STATUS_NO_MEMORY. */
status candidates_reserve(candidates *c, uint32_t n_vocab, uint32_t n_ids);
void candidates_clear(candidates *c);       /* frees what it owns; without room afterwards */

/* Every finite logit of [n_vocab] becomes a candidate; there is room for them. STATUS_NO_CANDIDATE:
 * one is NaN or +inf, or none is finite. */
status candidates_load(candidates *c, const float *logits, uint32_t n_vocab, failure *f);

/* The candidates are these n, of [n_vocab] for which there is room: ids ascend, and all logits are finite. */
void candidates_load_left(candidates *c, const int32_t *ids, const double *logits, uint32_t n);

/* A logit that became −inf, banned or overflowed, is no candidate any more. For stages that count
 * candidates, or give each a new logit. */
void candidates_drop_banned(candidates *c);

/* To be called after logits were changed. */
void candidates_changed(candidates *c);

/* Find the largest logit. Where it is not finite, or any logit is NaN, none is left: a stage that
 * overflows leaves nothing to draw. */
void candidates_settle(candidates *c);

/* z / divisor, which is above 0. Where the largest quotient would leave double's range all are moved first,
 * so that the largest logit is 0. */
void candidates_scale(candidates *c, double divisor);

/* Settle, then compute weights and total. */
void candidates_weigh(candidates *c);

/* Index of `id`; c->n when it is no candidate (any more). */
uint32_t candidates_find(const candidates *c, int32_t id);

candidate_rank candidate_rank_of(const candidates *c, uint32_t i);      /* i < c->n */
bool candidate_ranks_above(candidate_rank a, candidate_rank b);

/* The k-th candidate in order of rank, 1 ≤ k ≤ n. They are settled. */
candidate_rank candidates_kth(candidates *c, uint32_t k);

/* The candidate at which the running sum of weights, in order of rank, reaches `mass`: the last one with
 * less than that ranked above it. 1 ≤ mass ≤ total; they are weighed. */
candidate_rank candidates_crossing(candidates *c, uint64_t mass);

/* The members become the indices, ascending, of what ranks there or above. Returns how many they are. */
uint32_t candidates_select(candidates *c, candidate_rank last);

/* Keep what ranks there or above. Weights stay valid when the largest logit is kept. */
void candidates_keep(candidates *c, candidate_rank last);

/* Drop what ranks above. */
void candidates_drop_above(candidates *c, candidate_rank first);

/* Keep the candidates of the largest keys, of equals the lower ids, as few as have a weight of `mass` or
 * more. 1 ≤ mass ≤ total; they are weighed. */
void candidates_keep_by_keys(candidates *c, uint64_t mass);

/* The first id, ascending, whose running sum of weights exceeds bits53 · 2^-53 × total. They are
 * weighed, and one at least is left. */
int32_t candidates_draw(const candidates *c, uint64_t bits53);

#endif
