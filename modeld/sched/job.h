/* What is asked of modeld: a text to continue, ids to score, a row to probe. Pure. */
#ifndef TRIVIUM_JOB_H
#define TRIVIUM_JOB_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "proto/chain/strategy.h"

enum { END_IDS_MAX = STOP_IDS_MAX + MODEL_END_IDS_MAX }; /* a request's stop ids and the model's end ids */

typedef enum sequence_kind { SEQUENCE_TEXT, SEQUENCE_SCORE, SEQUENCE_PROBE } sequence_kind;

/* What is asked, as the wire brought it: borrowed, unchecked. Texts are never NULL. */
typedef struct job {
    sequence_kind kind;
    void *owner;
    const uint8_t *request; /* [REQUEST_BYTES]; texts, as all up to `max_new_tokens` */
    uint32_t attempt, n_prompt;
    const char *session, *semantics;
    uint32_t change;
    const uint8_t *memory;
    size_t n_memory_bytes;
    const int32_t *end_ids;
    size_t n_end_ids;
    bool no_cache;    /* each step computes all positions anew */
    uint32_t max_new_tokens;
    uint64_t call;    /* scores and probes */
    const float *row; /* probes: [row_width] */
    size_t row_width;
    uint32_t first_step; /* probes */
    const int32_t *ids;
    size_t n_ids;
    const char *pool;
    const strategy *strategy; /* texts and probes; NULL is the empty chain */
    uint64_t seed;            /* texts and probes */
    uint32_t n_candidates;
    uint32_t n_watched; /* texts: candidates of each step for who watches */
    uint32_t wait_ms;
} job;

/* Every field against its range and, where its ids count, against the model: BAD_REQUEST, BAD_ID,
 * TOO_LONG, EMPTY_PROMPT, NO_CANDIDATE (a row of nothing), each with a sentence. */
status job_check(const job *j, uint32_t n_vocab, uint32_t n_ctx, failure *f);

#endif
