/* What a tokenizerd is told of its texts and calls.
 *
 * Each of these either leaves or costs the tokenizerd its place, as tokens_link_send has it: no word is
 * lost on one that stays. Where none is joined they do nothing. */
#ifndef TRIVIUM_MODELD_TOKENS_ANSWER_H
#define TRIVIUM_MODELD_TOKENS_ANSWER_H

#include "modeld/sched/sequence.h"
#include "tokens_link.h"

typedef struct told_token {
    uint32_t step, change; /* which strategy drew it */
    const char *semantics; /* of the sampler that did */
    double forward_ms, sample_ms;
    Trivium__Drawn *drawn;
} told_token;

typedef struct told_end {
    sequence_end why;
    const failure *failure; /* read where `why` is END_ERROR */
    double queue_ms, prefill_ms;
    uint32_t n_cached;
} told_end;

void tokens_answer_token(tokens_link *to, text_name text, const told_token *token);
void tokens_answer_retuned(tokens_link *to, text_name text, uint32_t change, uint32_t first_step);
/* The last word on a text. */
void tokens_answer_closed(tokens_link *to, text_name text, const told_end *end);

/* The last word on a call, one of these. logprobs: [n_ids]; probabilities: [row_width]; `last` is what
 * was drawn from the last row, with the candidates that were asked for. */
void tokens_answer_scored(tokens_link *to, uint64_t call, const double *logprobs, size_t n_ids,
                          const Trivium__Drawn *last);
void tokens_answer_probed(tokens_link *to, uint64_t call, int32_t id, const double *probabilities,
                          size_t row_width);
void tokens_answer_failed(tokens_link *to, uint64_t call, const failure *f);

/* For whoever watches; dropped where it would have to wait. */
void tokens_answer_glimpse(tokens_link *to, Trivium__Glimpse *g);

#endif
