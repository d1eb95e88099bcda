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

/* All of it; empty where the vocabulary has no such id. */
static vocab_bytes text_of(const vocab *v, int32_t id) {
    bool is_known = id >= 0 && (uint32_t)id < vocab_size(v);
    return is_known ? vocab_token(v, id) : (vocab_bytes){0};
}

status drawn_with_text(const vocab *v, const Trivium__Drawn *drawn, Trivium__Drawn *out) {
    size_t n = drawn->n_candidates;
    Trivium__Candidate **list = malloc(n * (sizeof *list + sizeof **list));
    if (!list) return STATUS_NO_MEMORY;
    Trivium__Candidate *copies = (Trivium__Candidate *)(list + n);
    for (size_t i = 0; i < n; i++) {
        copies[i] = *drawn->candidates[i];
        list[i] = &copies[i];
        vocab_bytes text = text_of(v, copies[i].id);
        size_t n_bytes = text.n_bytes < CANDIDATE_TEXT_BYTES_MAX ? text.n_bytes
                                                                 : CANDIDATE_TEXT_BYTES_MAX;
        copies[i].text = bytes_to_wire(text.bytes, n_bytes);
    }
    *out = *drawn;
    vocab_bytes text = text_of(v, drawn->id);
    out->text = bytes_to_wire(text.bytes, text.n_bytes);
    out->candidates = list;
    return STATUS_OK;
}

void tell_token(service *s, const request *r, const Trivium__Token *m, const stream_text *shown) {
    Trivium__Drawn with_text, *drawn = m->drawn;
    bool has_text = drawn->n_candidates > 0 &&
                    drawn_with_text(served_model_vocab(r->model), drawn, &with_text) == STATUS_OK;
    if (has_text) drawn = &with_text;
    Trivium__Chunk chunk = TRIVIUM__CHUNK__INIT;
    chunk.step = m->step;
    chunk.n_drawn = 1;
    chunk.drawn = &drawn;
    chunk.semantics = m->semantics;
    chunk.forward_ms = m->forward_ms;
    chunk.sample_ms = m->sample_ms;
    tell_chunk(s, r, &chunk, shown);
    if (has_text) free(with_text.candidates);
}

void tell_started(service *s, const request *r, bool has_own_bos) {
    Trivium__Started started = TRIVIUM__STARTED__INIT;
    started.request = bytes_to_wire(r->id, sizeof r->id);
    started.attempt = r->attempt;
    started.model = (char *)r->model_name;
    started.fingerprint = (char *)r->fingerprint;
    started.seed = r->seed;
    started.n_prompt = (uint32_t)r->n_prompt;
    started.has_own_bos = has_own_bos;
    started.n_models = models_count(s->models);
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_STARTED;
    m.started = &started;
    client_tell(s, r->owner, &m, &(wire_raw){r->ids, r->n_prompt * sizeof *r->ids}, 1);
}

bool tell_rest(service *s, request *r) {
    stream_text rest;
    Trivium__Chunk chunk = TRIVIUM__CHUNK__INIT;
    chunk.step = request_step(r);
    if (request_rest(r, &rest) == STATUS_OK && rest.n_bytes > 0) tell_chunk(s, r, &chunk, &rest);
    return rest.stopped;
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
