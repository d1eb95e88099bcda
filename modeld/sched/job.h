/* What is asked of modeld: a text to continue, ids to score, a row to probe. Pure. */
#ifndef TRIVIUM_JOB_H
#define TRIVIUM_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "proto/chain/strategy.h"

enum { END_IDS_MAX = STOP_IDS_MAX + MODEL_END_IDS_MAX }; /* a request's stop ids and the model's end ids */

typedef enum sequence_kind { SEQUENCE_TEXT, SEQUENCE_SCORE, SEQUENCE_PROBE } sequence_kind;

typedef struct text_job {
    const uint8_t *request; /* [REQUEST_BYTES] */
    uint32_t attempt, n_prompt;
    uint32_t number; /* tells it from other owners' texts of the same id, among those of `from` */
    const char *session, *semantics; /* never NULL */
    const strategy *strategy;        /* NULL is the empty chain */
    uint32_t change;
    uint64_t seed;
    const uint8_t *sampler_state;
    size_t n_sampler_state_bytes;
    const int32_t *end_ids;
    size_t n_end_ids;
    bool no_cache; /* each step computes all positions anew */
    int32_t priority;
    uint32_t max_new_tokens;
    uint32_t n_candidates;
    uint32_t n_watched; /* candidates of each step, for whoever watches */
} text_job;

typedef struct score_job {
    uint64_t call;
    uint32_t n_candidates; /* of the last row */
} score_job;

typedef struct probe_job {
    uint64_t call;
    const float *row; /* [row_width] */
    size_t row_width;
    uint32_t step;
    const strategy *strategy; /* NULL is the empty chain */
    uint64_t seed;
} probe_job;

/* What is asked, as the wire brought it: borrowed, unchecked. */
typedef struct job {
    sequence_kind kind;
    void *from;         /* the link that it came through */
    const char *owner;  /* whose it will be; NULL is "" */
    const int32_t *ids; /* a text's, to be scored, or a probe's history */
    size_t n_ids;
    const char *pool; /* never NULL */
    uint32_t wait_ms;
    size_t n_unread_bytes; /* of answers, that were not read yet on the other side of its link; 0 for a text */
    const char *traceparent; /* NULL or "": none */
    union {
        text_job text;
        score_job score;
        probe_job probe;
    };
} job;

uint64_t job_call(const job *j); /* not of a text */

/* Every field against its range and, where its ids count, against the model: BAD_REQUEST, BAD_ID,
 * TOO_LONG, EMPTY_PROMPT, NO_CANDIDATE (a row of nothing), each with a sentence. */
status job_check(const job *j, uint32_t n_vocab, uint32_t n_ctx, failure *f);

#endif
