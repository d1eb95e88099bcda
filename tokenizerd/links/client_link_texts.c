/* A text as it is written: Started, Chunks, Done to its client; Watched and Glimpses to whoever watches. */
#include <stdlib.h>

#include "proto/chain/strategy_wire.h"
#include "proto/net/errors.h"
#include "client_link_parts.h"

_Static_assert((int)FINISH_STOP == (int)TRIVIUM__FINISH_REASON__FINISH_STOP &&
                   (int)FINISH_LENGTH == (int)TRIVIUM__FINISH_REASON__FINISH_LENGTH &&
                   (int)FINISH_CANCELLED == (int)TRIVIUM__FINISH_REASON__FINISH_CANCELLED &&
                   (int)FINISH_SUPERSEDED == (int)TRIVIUM__FINISH_REASON__FINISH_SUPERSEDED &&
                   (int)FINISH_ERROR == (int)TRIVIUM__FINISH_REASON__FINISH_ERROR,
               "the ends of a request have the wire's numbers");

bool change_to_wire(Trivium__StrategyChange *m, const request_change *change) {
    trivium__strategy_change__init(m);
    m->ordinal = change->ordinal;
    m->step = change->step;
    m->strategy = strategy_to_wire(&change->strategy);
    return m->strategy != NULL;
}

/* ---- what was drawn, with its texts ---- */

/* All of it; empty where the vocabulary has no such id. */
static vocab_bytes text_of(const vocab *v, int32_t id) {
    bool is_known = id >= 0 && (uint32_t)id < vocab_size(v);
    return is_known ? vocab_token(v, id) : (vocab_bytes){0};
}

/* The same with the text of its id and of the first n_candidates, which `v` and the caller of this own. The
 * caller frees out->candidates alone. STATUS_NO_MEMORY. */
static status drawn_with_text(const vocab *v, const Trivium__Drawn *drawn, size_t n_candidates,
                              Trivium__Drawn *out) {
    Trivium__Candidate **list = malloc(n_candidates * (sizeof *list + sizeof **list) + 1);
    if (!list) return STATUS_NO_MEMORY;
    Trivium__Candidate *copies = (Trivium__Candidate *)(list + n_candidates);
    for (size_t i = 0; i < n_candidates; i++) {
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
    out->n_candidates = n_candidates;
    return STATUS_OK;
}

/* ---- to its client ---- */

void client_link_started(client_link *l, const request *r, const text_start *start) {
    ProtobufCBinaryData stop;
    Trivium__Started started = TRIVIUM__STARTED__INIT;
    started.request = bytes_to_wire(r->id, sizeof r->id);
    started.attempt = r->attempt;
    started.model = (char *)r->model_name;
    started.fingerprint = (char *)r->fingerprint;
    started.seed = r->seed;
    started.n_prompt = (uint32_t)r->n_prompt;
    started.has_own_bos = start->has_own_bos;
    started.n_models = start->n_models;
    started.n_vocab = r->facts.n_vocab;
    started.n_ctx = r->facts.n_ctx;
    started.kv_tokens = start->kv_tokens;
    started.max_new_tokens = r->max_new_tokens;
    if (start->rendered) {
        started.template_ = (char *)chat_form_name(start->rendered->form);
        started.origin = origin_to_wire(start->rendered->origin);
        started.n_dropped = (uint32_t)start->rendered->n_dropped;
        started.n_cut = (uint32_t)start->rendered->n_cut;
        started.n_stops = stop_to_wire(start->rendered, &stop);
        started.stops = &stop;
    }
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_STARTED;
    m.started = &started;
    client_link_tell(l, r->client, &m, &(wire_raw){r->ids, r->n_prompt * sizeof *r->ids}, 1);
}

static void tell_chunk(client_link *l, const request *r, Trivium__Chunk *chunk) {
    chunk->request = bytes_to_wire(r->id, sizeof r->id);
    chunk->attempt = r->attempt;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_CHUNK;
    m.chunk = chunk;
    client_link_tell(l, r->client, &m, NULL, 0);
}

void client_link_token(client_link *l, const request *r, const vocab *v, const request_token *token,
                       const Trivium__Drawn *drawn, const stream_text *shown) {
    Trivium__Drawn one = *drawn, *list = &one;
    bool has_text = r->n_candidates > 0 &&
                    drawn_with_text(v, drawn, drawn->n_candidates, &one) == STATUS_OK;
    Trivium__Chunk chunk = TRIVIUM__CHUNK__INIT;
    chunk.step = token->step;
    chunk.n_drawn = 1;
    chunk.drawn = &list;
    chunk.text = bytes_to_wire(shown->bytes, shown->n_bytes);
    chunk.semantics = (char *)token->semantics;
    chunk.forward_ms = token->forward_ms;
    chunk.sample_ms = token->sample_ms;
    tell_chunk(l, r, &chunk);
    if (has_text) free(one.candidates);
}

void client_link_rest(client_link *l, const request *r, const stream_text *shown) {
    Trivium__Chunk chunk = TRIVIUM__CHUNK__INIT;
    chunk.step = request_step(r);
    chunk.text = bytes_to_wire(shown->bytes, shown->n_bytes);
    tell_chunk(l, r, &chunk);
}

void client_link_text_waits(client_link *l, const request *r, const char *sentence) {
    Trivium__Waiting waiting = TRIVIUM__WAITING__INIT;
    waiting.request = bytes_to_wire(r->id, sizeof r->id);
    waiting.attempt = r->attempt;
    waiting.message = (char *)sentence;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_WAITING;
    m.waiting = &waiting;
    client_link_tell(l, r->client, &m, NULL, 0);
}

status client_link_change(client_link *l, const request *r, const request_change *change) {
    Trivium__StrategyChange wire;
    if (!change_to_wire(&wire, change)) return STATUS_NO_MEMORY;
    Trivium__Chunk chunk = TRIVIUM__CHUNK__INIT;
    chunk.step = change->step;
    chunk.change = &wire;
    tell_chunk(l, r, &chunk);
    trivium__strategy__free_unpacked(wire.strategy, NULL);
    return STATUS_OK;
}

/* ---- its end ---- */

/* A modeld says its share in Closed; where it was not asked or is gone, the first token's arrival
 * bounds it. */
static Trivium__Timings timings_of(const request *r, uint64_t now_us) {
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

/* `done` has all but reason and error. */
static void tell_done(client_link *l, peer *client, Trivium__Done *done, request_finish finish,
                      const failure *why) {
    Trivium__Error error;
    done->reason = (Trivium__FinishReason)finish;
    if (finish == FINISH_ERROR) {
        error = error_to_wire(why);
        done->error = &error;
    }
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_DONE;
    m.done = done;
    client_link_tell(l, client, &m, NULL, 0);
}

void client_link_done(client_link *l, const request *r, request_finish finish, const failure *why,
                      uint64_t now_us) {
    Trivium__Timings timings = timings_of(r, now_us);
    Trivium__Done done = TRIVIUM__DONE__INIT;
    done.request = bytes_to_wire(r->id, sizeof r->id);
    done.attempt = r->attempt;
    done.n_tokens = request_step(r);
    done.timings = &timings;
    tell_done(l, r->client, &done, finish, why);
}

static void done_without_request(client_link *l, peer *client, ProtobufCBinaryData id,
                                 uint32_t attempt, request_finish finish, const failure *why) {
    Trivium__Timings timings = TRIVIUM__TIMINGS__INIT;
    Trivium__Done done = TRIVIUM__DONE__INIT;
    done.request = id;
    done.attempt = attempt;
    done.timings = &timings;
    tell_done(l, client, &done, finish, why);
}

void client_link_done_at_once(client_link *l, peer *client, const uint8_t id[REQUEST_BYTES],
                              uint32_t attempt, request_finish finish, const failure *why) {
    done_without_request(l, client, bytes_to_wire(id, REQUEST_BYTES), attempt, finish, why);
}

void client_link_refuse_generate(client_link *l, const sender *who, const Trivium__Generate *m,
                                 const failure *why) {
    if (m->request.len == REQUEST_BYTES)
        l->events.generate_refused(l->context, who, m->request.data, m->attempt);
    done_without_request(l, who->client, m->request, m->attempt, FINISH_ERROR, why);
}

/* ---- to whoever watches it ---- */

static void tell_watched(client_link *l, peer *watcher, Trivium__Watched *watched) {
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_WATCHED;
    m.watched = watched;
    client_link_answer(l, watcher, watched->call, &m, NULL, 0);
}

void client_link_watched(client_link *l, peer *watcher, uint64_t number, const request *r) {
    Trivium__Watched watched = TRIVIUM__WATCHED__INIT;
    watched.call = number;
    watched.request = bytes_to_wire(r->id, sizeof r->id);
    watched.model = (char *)r->model_name;
    watched.n_prompt = (uint32_t)r->n_prompt;
    watched.step = request_step(r);
    tell_watched(l, watcher, &watched);
}

void client_link_watch_over(client_link *l, peer *watcher, uint64_t number,
                            const uint8_t id[REQUEST_BYTES], uint32_t n_tokens, request_finish over) {
    Trivium__Watched watched = TRIVIUM__WATCHED__INIT;
    watched.call = number;
    watched.request = bytes_to_wire(id, REQUEST_BYTES);
    watched.step = n_tokens;
    watched.over = (Trivium__FinishReason)over;
    tell_watched(l, watcher, &watched);
}

void client_link_trace(client_link *l, peer *watcher, const vocab *v, uint32_t n_candidates,
                       const Trivium__Glimpse *trace) {
    const Trivium__Drawn *drawn = trace->drawn;
    if (drawn->id < 0 || (uint32_t)drawn->id >= vocab_size(v)) return;
    size_t n = drawn->n_candidates < n_candidates ? drawn->n_candidates : n_candidates;
    Trivium__Drawn with_text;
    if (drawn_with_text(v, drawn, n, &with_text) != STATUS_OK) return;
    Trivium__Glimpse cut = *trace;
    cut.drawn = &with_text;
    cut.ticket = cut.number = 0;        /* of the links that it came through */
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_GLIMPSE;
    m.glimpse = &cut;
    peers_offer(l->bound.peers, watcher, &m.base);
    free(with_text.candidates);
}
