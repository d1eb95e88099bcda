#include "sample_reply.h"

#include <assert.h>

/* Its candidates come after those of the rows before it. */
static void set_drawn(reply_room *room, uint32_t at, const sample_result *result) {
    Trivium__Drawn *drawn = &room->drawn[at];
    room->drawn_list[at] = drawn;
    trivium__drawn__init(drawn);
    drawn->id = result->id;
    drawn->logprob = result->logprob;
    drawn->state = (ProtobufCBinaryData){result->n_state_bytes, (uint8_t *)result->state};
    drawn->n_n_left = result->n_left_items;
    drawn->n_left = (uint32_t *)result->n_left;
    drawn->n_candidates = result->n_candidates;
    drawn->candidates = room->candidate_list + room->n_candidates;
    assert(result->n_candidates <= CANDIDATES_MAX - room->n_candidates);
    for (uint32_t i = 0; i < result->n_candidates; i++, room->n_candidates++) {
        Trivium__Candidate *candidate = drawn->candidates[i] = &room->candidates[room->n_candidates];
        trivium__candidate__init(candidate);
        candidate->id = result->candidates[i].id;
        candidate->logprob = result->candidates[i].logprob;
        candidate->probability = result->candidates[i].probability;
        candidate->removed_by = result->candidates[i].removed_by;
    }
}

/* The likeliest n of what there is. */
static void keep_candidates(Trivium__Drawn *drawn, uint32_t n) {
    if (drawn->n_candidates > n) drawn->n_candidates = n;
    if (n == 0) drawn->n_n_left = 0;
}

static void begin(Trivium__SampleReply *reply, const Trivium__SampleRequest *request) {
    trivium__sample_reply__init(reply);
    reply->ticket = request->ticket;
    reply->request = request->request;
    reply->attempt = request->attempt;
    reply->step = request->step;
}

void sample_reply_drawn(Trivium__SampleReply *reply, const Trivium__SampleRequest *request,
                        const sampled_rows *sampled, reply_room *room) {
    begin(reply, request);
    room->n_candidates = 0;
    for (uint32_t at = 0; at < sampled->n_rows; at++) {
        set_drawn(room, at, &sampled->results[at]);
        room->watched[at] = room->drawn[at];
        room->watched[at].state.len = 0;
        keep_candidates(&room->watched[at], request->n_watched);
        keep_candidates(&room->drawn[at], request->n_candidates);
    }
    reply->n_drawn = sampled->n_rows;
    reply->drawn = room->drawn_list;
}

void sample_reply_failed(Trivium__SampleReply *reply, const Trivium__SampleRequest *request,
                         Trivium__Error *error) {
    begin(reply, request);
    reply->error = error;
}

bool sample_reply_trace(Trivium__Glimpse *glimpse, const Trivium__SampleRequest *request, uint32_t at,
                        reply_room *room) {
    if (room->watched[at].n_candidates == 0) return false;
    trivium__glimpse__init(glimpse);
    glimpse->request = request->request;
    glimpse->ticket = request->ticket;
    glimpse->attempt = request->attempt;
    glimpse->step = request->step + at;
    glimpse->drawn = &room->watched[at];
    glimpse->strategy = request->strategy;
    return true;
}
