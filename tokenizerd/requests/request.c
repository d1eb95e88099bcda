#include "request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/carried/traceparent.h"

/* The table of PROTOCOL.md. ENCODING is where a request begins and nothing leads back to it, so
 * 0 can stand for "this event does not fit this state". */
static const request_state next_state[REQUEST_STATES][EVENT_KINDS] = {
    [REQUEST_ENCODING] = {[EVENT_ENCODED] = REQUEST_WAITING,
                          [EVENT_PAUSE] = REQUEST_RESTING,
                          [EVENT_END] = REQUEST_DONE},
    [REQUEST_WAITING] = {[EVENT_SERVED] = REQUEST_RUNNING,
                         [EVENT_PAUSE] = REQUEST_RESTING,
                         [EVENT_END] = REQUEST_DONE},
    [REQUEST_RUNNING] = {[EVENT_TOKEN] = REQUEST_RUNNING,
                         [EVENT_LOST] = REQUEST_WAITING,
                         [EVENT_PAUSE] = REQUEST_RESTING,
                         [EVENT_CLOSED] = REQUEST_DONE,
                         [EVENT_END] = REQUEST_CLOSING},
    [REQUEST_RESTING] = {[EVENT_END] = REQUEST_DONE},
    [REQUEST_CLOSING] = {[EVENT_TOLD] = REQUEST_DONE},
};
_Static_assert(REQUEST_ENCODING == 0, "0 is no target of the table");

bool request_transition(request *r, request_event event) {
    request_state next = next_state[r->state][event];
    if (next == REQUEST_ENCODING) return false;
    r->state = next;
    return true;
}

/* ---- taking up ---- */

status request_hold(request *r, size_t n_bytes, failure *f) {
    status st = owner_take(r->owner, HOLDING_REQUEST_BYTES, n_bytes, f);
    if (st == STATUS_OK) r->n_bytes_held += n_bytes;
    return st;
}

void request_let_go(request *r, size_t n_bytes) {
    assert(n_bytes <= r->n_bytes_held);
    r->n_bytes_held -= n_bytes;
    owner_give(r->owner, HOLDING_REQUEST_BYTES, n_bytes);
}

_Static_assert(STOP_BYTES_MAX <= UINT16_MAX, "the length of a stop has its place in a request");

/* The parts of the order that need memory of their own. */
static status order_copy(request *r, const request_order *o, failure *f) {
    size_t n_stop_bytes = 0;
    for (size_t i = 0; i < o->n_stops; i++) n_stop_bytes += o->stops[i].n_bytes;
    r->stops = malloc(n_stop_bytes + 1);
    r->end_ids = calloc(o->n_stop_ids + 1, sizeof *r->end_ids);
    r->ids = o->ids ? malloc(o->n_ids * sizeof *r->ids) : NULL;
    if (!r->stops || !r->end_ids || (o->ids && !r->ids) ||
        strategy_copy(&r->strategy, o->strategy) != STATUS_OK)
        return fail(f, STATUS_NO_MEMORY, "no memory for another request");
    uint8_t *to = r->stops;
    for (size_t i = 0; i < o->n_stops; to += o->stops[i++].n_bytes) {
        memcpy(to, o->stops[i].bytes, o->stops[i].n_bytes);
        r->stop_bytes[i] = (uint16_t)o->stops[i].n_bytes;
    }
    r->n_stops = o->n_stops;
    for (size_t i = 0; i < o->n_stop_ids; i++) r->end_ids[i] = o->stop_ids[i];
    r->n_end_ids = o->n_stop_ids;
    if (o->ids) memcpy(r->ids, o->ids, o->n_ids * sizeof *r->ids);
    r->n_ids = r->n_ids_room = o->ids ? o->n_ids : 0;
    r->n_prompt = o->ids ? o->n_prompt : 0;
    if (o->sampler_state.n_bytes > 0)
        memcpy(r->sampler_state, o->sampler_state.bytes, o->sampler_state.n_bytes);
    r->sampler_state_bytes = o->sampler_state.n_bytes;
    return STATUS_OK;
}

void request_wait(request *r, uint64_t now_us) {
    r->deadline_us = now_us + (uint64_t)r->wait_ms * 1000;
    r->notice_us = now_us + NOTICE_MS * 1000;
}

bool request_notice_is_due(const request *r, uint64_t now_us) {
    return r->wait_ms > NOTICE_MS && r->notice_us > 0 && r->notice_us <= now_us;
}

void request_noticed(request *r) {
    r->notice_us = 0;
}

status request_new(const request_order *o, const serving_events *serving, void *client, uint64_t now_us,
                   request **out, failure *f) {
    status st = request_order_check(o, f);
    if (st != STATUS_OK) return st;
    request *r = calloc(1, sizeof *r);
    if (!r) return fail(f, STATUS_NO_MEMORY, "no memory for another request");
    r->serving = serving;
    strategy_init(&r->strategy);
    st = order_copy(r, o, f);
    if (st != STATUS_OK) {
        request_free(&r);
        return st;
    }
    memcpy(r->id, o->id, REQUEST_BYTES);
    r->attempt = o->attempt;
    r->client = client;
    strcpy(r->model_name, o->model);
    strcpy(r->fingerprint, o->fingerprint);
    strcpy(r->pool, o->pool);
    strcpy(r->session, o->session);
    strcpy(r->semantics, o->semantics);
    r->seed = o->seed;
    r->change = o->change;
    r->max_new_tokens =
        o->max_new_tokens < MAX_NEW_TOKENS_MAX ? o->max_new_tokens : MAX_NEW_TOKENS_MAX;
    r->n_candidates = o->n_candidates;
    r->wait_ms = o->wait_ms == 0 ? WAIT_MS : o->wait_ms < WAIT_MS_MAX ? o->wait_ms : WAIT_MS_MAX;
    r->has_own_wait = o->wait_ms > 0;
    r->priority = o->priority;
    traceparent_copy(r->traceparent, o->traceparent);
    r->ignore_eos = o->ignore_eos;
    r->no_cache = o->no_cache;
    r->fresh = !o->ids;
    r->n_bytes_held = request_order_bytes(o);
    r->created_us = now_us;
    request_wait(r, now_us);
    *out = r;
    return STATUS_OK;
}

static void worker_leave(request *r) {
    if (r->modeld) r->serving->give(r->modeld);
    r->modeld = NULL;
}

void request_free(request **out) {
    request *r = *out;
    if (!r) return;
    *out = NULL;
    worker_leave(r);
    queued_text_free(&r->queued);
    kept_rendering_free(&r->rendering);
    stream_free(&r->stream);
    for (request_change *c; (c = request_drop_change(r)) != NULL;) request_change_free(&c);
    strategy_clear(&r->strategy);
    if (r->model) r->serving->release(r->model);
    free(r->ids);
    free(r->end_ids);
    free(r->stops);
    free(r);
}

/* ---- its model ---- */

static status end_ids_join(request *r, const vocab *v, failure *f) {
    size_t n = 0;
    const int32_t *ids = vocab_end_ids(v, &n);
    if (r->ignore_eos || n == 0) return STATUS_OK;
    int32_t *all = realloc(r->end_ids, (r->n_end_ids + n) * sizeof *all);
    if (!all) return fail(f, STATUS_NO_MEMORY, "no memory for another request");
    memcpy(all + r->n_end_ids, ids, n * sizeof *all);
    r->end_ids = all;
    r->n_end_ids += n;
    return STATUS_OK;
}

static status stream_begin(request *r, const vocab *v, failure *f) {
    const uint8_t *stops[STOPS_MAX];
    const uint8_t *at = r->stops;
    size_t n_bytes[STOPS_MAX];
    for (size_t i = 0; i < r->n_stops; at += n_bytes[i++]) {
        stops[i] = at;
        n_bytes[i] = r->stop_bytes[i];
    }
    r->stream = stream_new(v, stops, n_bytes, r->n_stops);
    return r->stream ? STATUS_OK : fail(f, STATUS_NO_MEMORY, "no memory for another request");
}

status request_meet(request *r, served_model *m, const model_facts *facts, failure *f) {
    assert(r->state == REQUEST_ENCODING && !r->model);
    r->serving->hold(m);
    r->model = m;
    r->facts = *facts;
    strcpy(r->model_name, facts->name);
    strcpy(r->fingerprint, facts->fingerprint);
    status st = strategy_check_ids(&r->strategy, facts->n_vocab, f);
    if (st == STATUS_OK) st = model_check_ids(facts, r->end_ids, r->n_end_ids, f);
    if (st == STATUS_OK) st = model_check_ids(facts, r->ids, r->n_ids, f);
    if (st == STATUS_OK) st = end_ids_join(r, facts->vocab, f);
    if (st == STATUS_OK) st = stream_begin(r, facts->vocab, f);
    return st;
}

/* The stream of before has had nothing to say. */
static status stop_add(request *r, const char *stop, failure *f) {
    size_t n_bytes = strlen(stop), n_before = 0;
    if (r->n_stops == STOPS_MAX)
        return fail(f, STATUS_BAD_REQUEST, "with the one of the chat template these are more than %d stop strings", STOPS_MAX);
    status st = request_hold(r, stop_bytes_held(n_bytes), f);
    if (st != STATUS_OK) return st;
    for (size_t i = 0; i < r->n_stops; i++) n_before += r->stop_bytes[i];
    uint8_t *stops = realloc(r->stops, n_before + n_bytes);
    if (!stops) return fail(f, STATUS_NO_MEMORY, "no memory for another request");
    memcpy(stops + n_before, stop, n_bytes);
    r->stops = stops;
    r->stop_bytes[r->n_stops++] = (uint16_t)n_bytes;
    stream_free(&r->stream);
    return stream_begin(r, r->facts.vocab, f);
}

status request_rendered(request *r, uint32_t n_tokens_max, const char *stop, failure *f) {
    assert(r->state == REQUEST_ENCODING && r->model);
    if (n_tokens_max > 0 && n_tokens_max < r->max_new_tokens) r->max_new_tokens = n_tokens_max;
    return stop ? stop_add(r, stop, f) : STATUS_OK;
}

/* ---- its modeld ---- */

bool request_serve(request *r, modeld *d, uint64_t now_us) {
    if (!request_transition(r, EVENT_SERVED)) return false;
    r->serving->take(d);
    r->modeld = d;
    r->refuser = NULL;
    if (r->retry_us == 0) r->notice_us = now_us + NOTICE_MS * 1000;     /* else it waits for room still */
    r->retry_us = 0;
    r->reopened = true;
    r->is_queued = false;
    if (r->opened_us == 0) r->opened_us = now_us;
    return true;
}

void request_queue(request *r, bool over) {
    r->is_queued = !over;
}

static bool go_back(request *r) {
    if (!request_transition(r, EVENT_LOST)) return false;
    worker_leave(r);
    request_place_changes(r);
    if (request_is_full(r)) r->over = FINISH_LENGTH;
    return true;
}

bool request_lost(request *r, uint64_t now_us) {
    if (!go_back(r)) return false;
    if (r->reopened) r->n_losses++;
    request_wait(r, now_us);
    return true;
}

bool request_may_move(const request *r) {
    return r->state == REQUEST_RUNNING && r->n_moves < MOVES_MAX;
}

bool request_moved(request *r, uint64_t now_us) {
    if (!go_back(r)) return false;
    r->n_moves++;
    request_wait(r, now_us);
    return true;
}

bool request_crowded_out(request *r, uint64_t now_us) {
    return request_has_begun(r) && request_declined(r, now_us);
}

bool request_declined(request *r, uint64_t now_us) {
    const modeld *refuser = r->modeld;
    if (!go_back(r)) return false;
    r->refuser = refuser;
    r->retry_us = now_us + BUSY_RETRY_MS * 1000;
    if (!r->reopened) request_wait(r, now_us);
    return true;
}

bool request_pause(request *r, uint32_t n_steps) {
    if (!request_transition(r, EVENT_PAUSE)) return false;
    worker_leave(r);
    queued_text_free(&r->queued);
    kept_rendering_free(&r->rendering);
    r->retry_us = 0;
    if (n_steps < request_step(r)) r->n_ids = r->n_prompt + n_steps;
    request_place_changes(r);
    for (request_change *c = r->changes; c; c = c->next) c->shown = false;
    return true;
}

void request_forget_modeld(request *r, const modeld *d) {
    if (r->refuser == d) r->refuser = NULL;
}

bool request_closed(request *r, const request_closing *closing) {
    if (!request_transition(r, EVENT_CLOSED)) return false;
    worker_leave(r);
    r->queue_ms = closing->queue_ms;
    r->prefill_ms = closing->prefill_ms;
    r->n_cached = closing->n_cached;
    return true;
}

bool request_end(request *r) {
    return request_transition(r, EVENT_END);
}

bool request_told(request *r) {
    if (!request_transition(r, EVENT_TOLD)) return false;
    worker_leave(r);
    return true;
}

bool request_waits(const request *r) {
    return r->state == REQUEST_WAITING || (r->state == REQUEST_ENCODING && !r->model);
}

double request_tokens_per_s(const request *r) {
    uint64_t span_us = r->last_token_us - r->first_token_us;
    return r->n_drawn > 1 && span_us > 0 ? (double)(r->n_drawn - 1) * 1e6 / (double)span_us : 0;
}

const char *request_finish_name(request_finish finish) {
    static const char *const names[] = {"none", "stop", "length", "cancelled", "superseded", "error"};
    return names[finish];
}
