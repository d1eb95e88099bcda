#include "request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"

/* The table of PROTOCOL.md. ENCODING is where a request begins and nothing leads back to it, so
 * that 0 stands for "this event does not fit this state". */
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

static status names_check(const request_order *o, failure *f) {
    const char *const names[] = {o->model, o->fingerprint, o->pool, o->session, o->semantics};
    const char *const what[] = {"model", "fingerprint", "pool", "session", "semantics"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!text_is_printable(names[i], NAME_BYTES_MAX))
            return fail(f, STATUS_BAD_REQUEST,
                        "the name of a %s may have %d bytes of UTF-8 without control characters",
                        what[i], NAME_BYTES_MAX);
    return STATUS_OK;
}

static status stops_check(const request_order *o, failure *f) {
    if (o->n_stops > STOPS_MAX || o->n_stop_ids > STOP_IDS_MAX)
        return fail(f, STATUS_BAD_REQUEST, "there may be %d stop strings and %d stop ids",
                    STOPS_MAX, STOP_IDS_MAX);
    for (size_t i = 0; i < o->n_stops; i++) {
        if (o->stops[i].n_bytes == 0 || o->stops[i].n_bytes > STOP_BYTES_MAX)
            return fail(f, STATUS_BAD_REQUEST, "a stop string must have 1 to %d bytes",
                        STOP_BYTES_MAX);
        if (!text_is_utf8(o->stops[i].bytes, o->stops[i].n_bytes))
            return fail(f, STATUS_NOT_UTF8, "a stop string is not valid UTF-8");
    }
    return STATUS_OK;
}

static status ids_check(const request_order *o, failure *f) {
    if (!o->ids) return STATUS_OK;
    if (o->n_prompt == 0) return fail(f, STATUS_EMPTY_PROMPT, "the prompt is empty");
    if (o->n_prompt > o->n_ids)
        return fail(f, STATUS_BAD_REQUEST, "%zu ids came, and %zu of them should be the prompt",
                    o->n_ids, o->n_prompt);
    if (o->n_ids > N_CTX_MAX)
        return fail(f, STATUS_TOO_LONG, "%zu ids came, and no context holds more than %d", o->n_ids,
                    N_CTX_MAX);
    return STATUS_OK;
}

static status order_check(const request_order *o, failure *f) {
    if (o->attempt == 0) return fail(f, STATUS_BAD_REQUEST, "attempts count from 1");
    if (o->max_new_tokens == 0)
        return fail(f, STATUS_BAD_REQUEST, "max_new_tokens must be at least 1");
    if (o->seed >= SEED_MAX) return fail(f, STATUS_BAD_REQUEST, "a seed must be below 2^53");
    if (o->n_candidates > CANDIDATES_MAX)
        return fail(f, STATUS_BAD_REQUEST, "there may be %d candidates a step, not %u",
                    CANDIDATES_MAX, o->n_candidates);
    if (o->sampler_state.n_bytes > STATE_BYTES_MAX)
        return fail(f, STATUS_TOO_LONG, "a sampler's state may have %d bytes, not %zu",
                    STATE_BYTES_MAX, o->sampler_state.n_bytes);
    status st = names_check(o, f);
    if (st == STATUS_OK) st = stops_check(o, f);
    if (st == STATUS_OK) st = ids_check(o, f);
    return st;
}

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
        r->stop_bytes[i] = o->stops[i].n_bytes;
    }
    r->n_stops = o->n_stops;
    for (size_t i = 0; i < o->n_stop_ids; i++) r->end_ids[i] = o->stop_ids[i];
    r->n_end_ids = o->n_stop_ids;
    if (o->ids) memcpy(r->ids, o->ids, o->n_ids * sizeof *r->ids);
    r->n_ids = r->n_ids_room = r->n_ids_held = o->ids ? o->n_ids : 0;
    r->n_prompt = o->ids ? o->n_prompt : 0;
    if (o->sampler_state.n_bytes > 0)
        memcpy(r->sampler_state, o->sampler_state.bytes, o->sampler_state.n_bytes);
    r->sampler_state_bytes = o->sampler_state.n_bytes;
    return STATUS_OK;
}

static void wait_from(request *r, uint64_t now_us) {
    r->deadline_us = now_us + (uint64_t)r->wait_ms * 1000;
}

status request_new(const request_order *o, const serving_events *serving, void *owner, uint64_t now_us,
                   request **out, failure *f) {
    status st = order_check(o, f);
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
    r->owner = owner;
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
    r->ignore_eos = o->ignore_eos;
    r->no_cache = o->no_cache;
    r->fresh = !o->ids;
    r->created_us = now_us;
    wait_from(r, now_us);
    *out = r;
    return STATUS_OK;
}

static void worker_leave(request *r) {
    if (r->worker) r->serving->give(r->worker);
    r->worker = NULL;
}

void request_free(request **out) {
    request *r = *out;
    if (!r) return;
    *out = NULL;
    worker_leave(r);
    passage_free(&r->passage);
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
    for (size_t i = 0; i < r->n_stops; at += r->stop_bytes[i++]) stops[i] = at;
    r->stream = stream_new(v, stops, r->stop_bytes, r->n_stops);
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

/* ---- its ids ---- */

static bool is_end_id(const request *r, int32_t id) {
    for (size_t i = 0; i < r->n_end_ids; i++)
        if (r->end_ids[i] == id) return true;
    return false;
}

uint32_t request_step(const request *r) {
    return (uint32_t)(r->n_ids - r->n_prompt);
}

static bool is_full(const request *r) {
    return request_step(r) >= r->max_new_tokens || r->n_ids >= r->facts.n_ctx;
}

/* What was drawn before goes through the stream again, and nothing of it is shown. In one turn:
 * 131072 ids take some 7 ms, with as many and as long stops as there may be 120 ms, less than a
 * heartbeat. */
static status replay(request *r, failure *f) {
    for (size_t i = r->n_prompt; i < r->n_ids; i++) {
        stream_text past = {0};
        bool at_end = is_end_id(r, r->ids[i]);
        if (!at_end && stream_feed(r->stream, r->ids[i], &past) != STATUS_OK)
            return fail(f, STATUS_NO_MEMORY, "no memory for the text so far");
        if (!at_end && !past.stopped) continue;
        r->n_ids = at_end ? i : i + 1;
        r->over = FINISH_STOP;
    }
    if (r->over == FINISH_NONE && is_full(r)) r->over = FINISH_LENGTH;
    return STATUS_OK;
}

static status length_check(size_t n_ids, uint32_t n_ctx, failure *f) {
    if (n_ids < n_ctx) return STATUS_OK;
    return fail(f, STATUS_TOO_LONG,
                "the prompt has %zu tokens, the model's context holds %u, the answer included",
                n_ids, n_ctx);
}

status request_encoded(request *r, const int32_t *ids, size_t n_ids, uint64_t now_us, failure *f) {
    if (r->state != REQUEST_ENCODING) return STATUS_NOT_FOUND;
    if (r->fresh) {
        assert(!r->ids);
        if (n_ids == 0)
            return fail(f, STATUS_EMPTY_PROMPT,
                        "the prompt is empty, and the model puts no BOS before it: give a text to "
                        "go on from");
        status st = length_check(n_ids, r->facts.n_ctx, f);
        if (st != STATUS_OK) return st;
        r->ids = malloc(n_ids * sizeof *ids);
        if (!r->ids)
            return fail(f, STATUS_NO_MEMORY, "no memory for a prompt of %zu tokens", n_ids);
        memcpy(r->ids, ids, n_ids * sizeof *ids);
        r->n_ids = r->n_prompt = r->n_ids_room = n_ids;
    } else {
        status st = length_check(r->n_prompt, r->facts.n_ctx, f);
        if (st == STATUS_OK && r->n_ids > r->facts.n_ctx)
            st = fail(f, STATUS_TOO_LONG, "%zu ids came, and the model's context holds %u",
                      r->n_ids, r->facts.n_ctx);
        if (st == STATUS_OK) st = replay(r, f);
        if (st != STATUS_OK) return st;
    }
    wait_from(r, now_us);
    request_transition(r, EVENT_ENCODED);
    return STATUS_OK;
}

/* ---- its modeld ---- */

bool request_serve(request *r, modeld *d, uint64_t now_us) {
    if (!request_transition(r, EVENT_SERVED)) return false;
    r->serving->take(d);
    r->worker = d;
    r->refuser = NULL;
    r->retry_us = 0;
    r->reopened = true;
    if (r->opened_us == 0) r->opened_us = now_us;
    return true;
}

static status token_check(const request *r, const request_token *t, failure *f) {
    status st = model_check_ids(&r->facts, &t->id, 1, f);
    if (st != STATUS_OK) return st;
    if (t->sampler_state.n_bytes > STATE_BYTES_MAX ||
        !text_is_printable(t->semantics, NAME_BYTES_MAX))
        return fail(f, STATUS_BAD_MESSAGE,
                    "a modeld of '%s' sent a sampler's state or name past its bound",
                    r->model_name);
    return STATUS_OK;
}

static status token_record(request *r, const request_token *t, failure *f) {
    if (r->n_ids == r->n_ids_room) {
        size_t room = r->n_ids_room + r->n_ids_room / 2 + 64;
        int32_t *ids = realloc(r->ids, room * sizeof *ids);
        if (!ids) return fail(f, STATUS_NO_MEMORY, "no memory for more tokens");
        r->ids = ids;
        r->n_ids_room = room;
    }
    r->ids[r->n_ids++] = t->id;
    if (t->sampler_state.n_bytes > 0)
        memcpy(r->sampler_state, t->sampler_state.bytes, t->sampler_state.n_bytes);
    r->sampler_state_bytes = t->sampler_state.n_bytes;
    strcpy(r->semantics, t->semantics);
    return STATUS_OK;
}

static void token_time(request *r, const request_token *t, uint64_t now_us) {
    if (r->first_token_us == 0) r->first_token_us = now_us;
    r->last_token_us = now_us;
    r->n_drawn++;
    r->n_losses = 0;
    if (!r->reopened) r->forward_ms += t->forward_ms;
    r->reopened = false;
    r->sample_ms += t->sample_ms;
}

status request_drawn(request *r, const request_token *t, uint64_t now_us, stream_text *shown,
                     bool *kept, failure *f) {
    *shown = (stream_text){0};
    *kept = false;
    if (t->step != request_step(r) || !request_transition(r, EVENT_TOKEN)) return STATUS_NOT_FOUND;
    status st = token_check(r, t, f);
    if (st != STATUS_OK || is_end_id(r, t->id))
        return st;                  /* after an end id its modeld says Closed, with the figures */
    if (is_full(r)) {
        r->over = FINISH_LENGTH;    /* it should have closed */
        return STATUS_OK;
    }
    st = token_record(r, t, f);
    if (st != STATUS_OK) return st;
    token_time(r, t, now_us);
    if (stream_feed(r->stream, t->id, shown) != STATUS_OK)
        return fail(f, STATUS_NO_MEMORY, "no memory for more text");
    *kept = true;
    if (shown->stopped) r->over = FINISH_STOP;
    return STATUS_OK;
}

static bool go_back(request *r) {
    if (!request_transition(r, EVENT_LOST)) return false;
    worker_leave(r);
    request_place_changes(r);
    if (is_full(r)) r->over = FINISH_LENGTH;
    return true;
}

bool request_lost(request *r, uint64_t now_us) {
    if (!go_back(r)) return false;
    if (r->reopened) r->n_losses++;
    wait_from(r, now_us);
    return true;
}

bool request_crowded_out(request *r, uint64_t now_us) {
    const modeld *refuser = r->worker;
    bool has_begun = request_step(r) > 0 || r->n_losses > 0;
    if (!has_begun || !go_back(r)) return false;
    r->refuser = refuser;
    r->retry_us = now_us + BUSY_RETRY_MS * 1000;
    if (!r->reopened) wait_from(r, now_us);
    return true;
}

bool request_pause(request *r, uint32_t n_steps) {
    if (!request_transition(r, EVENT_PAUSE)) return false;
    worker_leave(r);
    passage_free(&r->passage);
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

status request_rest(request *r, stream_text *shown) {
    *shown = (stream_text){0};
    return r->stream ? stream_end(r->stream, shown) : STATUS_OK;
}

bool request_waits(const request *r) {
    return r->state == REQUEST_WAITING || (r->state == REQUEST_ENCODING && !r->model);
}

double request_tokens_per_s(const request *r) {
    uint64_t span_us = r->last_token_us - r->first_token_us;
    return r->n_drawn > 1 && span_us > 0 ? (double)(r->n_drawn - 1) * 1e6 / (double)span_us : 0;
}
