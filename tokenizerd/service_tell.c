/* What the owner of a request is told: Started, Chunks, Done. */
#include <stdlib.h>

#include "service_parts.h"

_Static_assert((int)FINISH_STOP == (int)TRIVIUM__FINISH_REASON__FINISH_STOP &&
                   (int)FINISH_LENGTH == (int)TRIVIUM__FINISH_REASON__FINISH_LENGTH &&
                   (int)FINISH_CANCELLED == (int)TRIVIUM__FINISH_REASON__FINISH_CANCELLED &&
                   (int)FINISH_SUPERSEDED == (int)TRIVIUM__FINISH_REASON__FINISH_SUPERSEDED &&
                   (int)FINISH_ERROR == (int)TRIVIUM__FINISH_REASON__FINISH_ERROR,
               "the ends of a request have the wire's numbers");

void tell_done(service *s, peer *client, Trivium__Done *done, const failure *why) {
    Trivium__Error error;
    if (done->reason == TRIVIUM__FINISH_REASON__FINISH_ERROR) {
        error = error_to_wire(why);
        done->error = &error;
    }
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_DONE;
    m.done = done;
    client_tell(s, client, &m, NULL, 0);
}

static void tell_chunk(service *s, const request *r, Trivium__Chunk *chunk,
                       const stream_text *shown) {
    chunk->request = bytes_to_wire(r->id, sizeof r->id);
    chunk->attempt = r->attempt;
    chunk->text = bytes_to_wire(shown->bytes, shown->n_bytes);
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_CHUNK;
    m.chunk = chunk;
    client_tell(s, r->owner, &m, NULL, 0);
}

Trivium__Candidate **candidates_with_text(const vocab *v, const Trivium__Drawn *drawn) {
    size_t n = drawn->n_candidates;
    Trivium__Candidate **list = malloc(n * (sizeof *list + sizeof **list));
    if (!list) return NULL;
    Trivium__Candidate *copies = (Trivium__Candidate *)(list + n);
    for (size_t i = 0; i < n; i++) {
        copies[i] = *drawn->candidates[i];
        copies[i].text = (ProtobufCBinaryData){0, NULL};
        list[i] = &copies[i];
        if (copies[i].id < 0 || (uint32_t)copies[i].id >= vocab_size(v)) continue;
        vocab_bytes text = vocab_token(v, copies[i].id);
        size_t n_bytes = text.n_bytes < CANDIDATE_TEXT_BYTES_MAX ? text.n_bytes
                                                                 : CANDIDATE_TEXT_BYTES_MAX;
        copies[i].text = bytes_to_wire(text.bytes, n_bytes);
    }
    return list;
}

void tell_token(service *s, const request *r, const Trivium__Token *m, const stream_text *shown) {
    Trivium__Drawn told = *m->drawn, *drawn = &told;
    Trivium__Candidate **candidates = NULL;
    const vocab *v = served_model_vocab(r->model);
    if (told.n_candidates > 0) candidates = candidates_with_text(v, m->drawn);
    if (candidates) told.candidates = candidates;
    Trivium__Chunk chunk = TRIVIUM__CHUNK__INIT;
    chunk.step = m->step;
    chunk.n_drawn = 1;
    chunk.drawn = &drawn;
    chunk.semantics = m->semantics;
    chunk.forward_ms = m->forward_ms;
    chunk.sample_ms = m->sample_ms;
    tell_chunk(s, r, &chunk, shown);
    free(candidates);
}

void tell_started(service *s, const request *r) {
    Trivium__Started started = TRIVIUM__STARTED__INIT;
    started.request = bytes_to_wire(r->id, sizeof r->id);
    started.attempt = r->attempt;
    started.model = (char *)r->model_name;
    started.fingerprint = (char *)r->fingerprint;
    started.seed = r->seed;
    started.n_prompt = (uint32_t)r->n_prompt;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_STARTED;
    m.started = &started;
    client_tell(s, r->owner, &m, &(wire_raw){r->ids, r->n_prompt * sizeof *r->ids}, 1);
}

void tell_rest(service *s, request *r) {
    stream_text rest;
    Trivium__Chunk chunk = TRIVIUM__CHUNK__INIT;
    chunk.step = request_step(r);
    if (request_rest(r, &rest) == STATUS_OK && rest.n_bytes > 0) tell_chunk(s, r, &chunk, &rest);
}

Trivium__Timings timings_of(const request *r, uint64_t now_us) {
    Trivium__Timings t = TRIVIUM__TIMINGS__INIT;
    uint64_t opened_us = r->opened_us ? r->opened_us : now_us;
    t.queue_ms = (double)(opened_us - r->created_us) / 1000 + r->queue_ms;
    t.prefill_ms = r->prefill_ms;
    if (r->prefill_ms == 0 && r->first_token_us)
        t.prefill_ms = (double)(r->first_token_us - opened_us) / 1000;
    t.decode_ms = (double)(r->last_token_us - r->first_token_us) / 1000;
    t.forward_ms = r->forward_ms;
    t.sample_ms = r->sample_ms;
    t.n_cached = r->n_cached;
    return t;
}
