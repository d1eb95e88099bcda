/* What was drawn, as the wire tells it: to whoever asked, and to those who watch. */
#ifndef TRIVIUM_SAMPLE_REPLY_H
#define TRIVIUM_SAMPLE_REPLY_H

#include "logits.pb-c.h"
#include "proto/base/limits.h"
#include "samplerd/rows/row_sampler.h"

/* Room for one answer. */
typedef struct reply_room {
    Trivium__Drawn drawn[SAMPLE_ROWS_MAX], *drawn_list[SAMPLE_ROWS_MAX];
    Trivium__Drawn watched[SAMPLE_ROWS_MAX];        /* the same rows, for those who watch */
    Trivium__Candidate candidates[CANDIDATES_MAX], *candidate_list[CANDIDATES_MAX];
    size_t n_candidates;                            /* of all rows */
} reply_room;

/* Fill `reply`: what `request` asked for was drawn. It borrows from all three. */
void sample_reply_drawn(Trivium__SampleReply *reply, const Trivium__SampleRequest *request,
                        const sampled_rows *sampled, reply_room *room);

/* The same for an error, which is borrowed. */
void sample_reply_failed(Trivium__SampleReply *reply, const Trivium__SampleRequest *request,
                         Trivium__Error *error);

/* Fill `glimpse` with row `at` of the same request, after sample_reply_drawn. It borrows from both. False: nobody
 * watches this row. */
bool sample_reply_trace(Trivium__Glimpse *glimpse, const Trivium__SampleRequest *request, uint32_t at,
                        reply_room *room);

#endif
