/* What a tokenizerd is told of its texts and calls.
 *
 * Each of these either leaves or costs the tokenizerd its place, as tokenizerd_link_send has it: no word to
 * one that stays is lost. Where none is joined they do nothing. */
#ifndef TRIVIUM_MODELD_TOKENIZERD_ANSWER_H
#define TRIVIUM_MODELD_TOKENIZERD_ANSWER_H

#include "modeld/sched/sequence.h"
#include "tokenizerd_link.h"

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

void tokenizerd_answer_token(tokenizerd_link *to, text_name text, const told_token *token);
/* It waits for pages, or no longer. */
void tokenizerd_answer_queued(tokenizerd_link *to, text_name text, bool over);
void tokenizerd_answer_retuned(tokenizerd_link *to, text_name text, uint32_t change, uint32_t first_step);
/* The last word on a text. */
void tokenizerd_answer_closed(tokenizerd_link *to, text_name text, const told_end *end);

/* The last word on a call, one of these. logprobs: [n_ids]; probabilities: [row_width]; `last` is what
 * was drawn from the last row, with the candidates that were asked for. */
void tokenizerd_answer_scored(tokenizerd_link *to, uint64_t call, const double *logprobs, size_t n_ids,
                              const Trivium__Drawn *last);
void tokenizerd_answer_probed(tokenizerd_link *to, uint64_t call, int32_t id, const double *probabilities,
                              size_t row_width);
void tokenizerd_answer_failed(tokenizerd_link *to, uint64_t call, const failure *f);

/* Of a drain_worker: it is done. n_texts ended since, n_left go on elsewhere. */
void tokenizerd_answer_drained(tokenizerd_link *to, uint64_t call, uint32_t n_texts, uint32_t n_left);

/* For whoever watches; dropped where it would have to wait. */
void tokenizerd_answer_trace(tokenizerd_link *to, Trivium__Glimpse *g);

#endif
