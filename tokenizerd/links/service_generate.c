/* Generations: Generate in; Open and Close to modelds, Token and Closed back. */
#include <stdlib.h>
#include <string.h>

#include "service_parts.h"
#include "tokenizerd/route/missing.h"

/* ---- to the modeld ---- */

static void send_close(service *s, const request *r) {
    Trivium__Close close = TRIVIUM__CLOSE__INIT;
    close.request = bytes_to_wire(r->id, sizeof r->id);
    close.attempt = r->attempt;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_CLOSE;
    m.close = &close;
    modeld_tell(s, r->worker, &m);
}

static status send_open(service *s, const request *r, const modeld *d) {
    Trivium__Open open = TRIVIUM__OPEN__INIT;
    open.request = bytes_to_wire(r->id, sizeof r->id);
    open.attempt = r->attempt;
    open.n_prompt = (uint32_t)r->n_prompt;
    open.session = (char *)r->session;
    open.pool = (char *)r->pool;
    open.change = r->change;
    open.seed = r->seed;
    open.state = bytes_to_wire(r->sampler_state, r->sampler_state_bytes);
    open.semantics = (char *)r->semantics;
    open.max_new_tokens = r->max_new_tokens;
    open.end_ids = r->end_ids;
    open.n_end_ids = r->n_end_ids;
    open.n_candidates = r->n_candidates;
    open.wait_ms = r->wait_ms;
    open.no_cache = r->no_cache;
    open.n_watched = watches_wanted(s->watches, r->id);
    open.strategy = strategy_to_wire(&r->strategy);
    if (!open.strategy) return STATUS_NO_MEMORY;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_OPEN;
    m.open = &open;
    status st = modeld_send(s, d, &m, &(wire_raw){r->ids, r->n_ids * sizeof *r->ids}, 1);
    trivium__strategy__free_unpacked(open.strategy, NULL);
    return st;
}

/* ---- its life ---- */

void generation_end(service *s, request *r, request_finish finish, const failure *why) {
    const bool has_rest = finish != FINISH_SUPERSEDED && r->state != REQUEST_RESTING;
    request_end(r);             /* no effect when its modeld has closed it */
    if (r->state == REQUEST_CLOSING) {
        send_close(s, r);
        request_told(r);
    }
    if (has_rest && tell_rest(s, r) && finish == FINISH_LENGTH) finish = FINISH_STOP;
    Trivium__Timings timings = timings_of(r, clock_us());
    Trivium__Done done = TRIVIUM__DONE__INIT;
    done.request = bytes_to_wire(r->id, sizeof r->id);
    done.attempt = r->attempt;
    done.reason = (Trivium__FinishReason)finish;
    done.n_tokens = request_step(r);
    done.timings = &timings;
    tell_done(s, r->owner, &done, why);
    changes_drop(s, r);
    log_event(LOG_DEBUG, "request_done", "attempt=%u reason=%d tokens=%u", r->attempt, (int)finish,
              request_step(r));
    watches_over(s->watches, r, finish, clock_us());
    requests_remove(s->requests, &r, finish == FINISH_CANCELLED);
}

static void open_at(service *s, request *r, modeld *d) {
    failure f;
    status st = send_open(s, r, d);
    if (st == STATUS_OK || st == STATUS_BUSY) {
        request_serve(r, d, clock_us());
        return;
    }
    fail(&f, st, "the request is too long for one message, or there is no memory for it");
    generation_end(s, r, FINISH_ERROR, &f);
}

/* Its ids are here: of its text, or NULL when it brought them. */
static void generation_ready(service *s, request *r, const int32_t *ids, size_t n_ids) {
    failure f;
    status st = request_encoded(r, ids, n_ids, clock_us(), &f);
    bool has_own_bos = r->passage && passage_had_first(r->passage);
    passage_free(&r->passage);
    if (st != STATUS_OK) {
        generation_end(s, r, FINISH_ERROR, &f);
        return;
    }
    tell_started(s, r, has_own_bos);
    changes_tell(s, r);
    generation_advance(s, r);
}

void generation_encoded(void *context, void *owner, const failure *why) {
    request *r = owner;
    size_t n_ids;
    if (why) {
        generation_end(context, r, FINISH_ERROR, why);
        return;
    }
    const int32_t *ids = passage_ids(r->passage, &n_ids);
    generation_ready(context, r, ids, n_ids);
}

static void meet(service *s, request *r, served_model *m) {
    failure f;
    model_facts facts = served_model_facts(m);
    status st = request_meet(r, m, &facts, &f);
    if (st == STATUS_OK) st = changes_meet(s, r, &f);
    if (st == STATUS_OK && r->passage) {
        const tokenizer *t = served_model_tokenizer(m);
        st = passage_start(r->passage, t, tokenizer_bos(t), &f);
        service_wake(s);
    }
    if (st != STATUS_OK) generation_end(s, r, FINISH_ERROR, &f);
    else if (!r->passage) generation_ready(s, r, NULL, 0);
}

void generation_pause(service *s, request *r, uint32_t n_steps) {
    if (r->state == REQUEST_RUNNING) send_close(s, r);
    if (request_pause(r, n_steps)) changes_tell(s, r);
}

void generation_advance(service *s, request *r) {
    if (r->state == REQUEST_RESTING) return;
    if (r->state == REQUEST_ENCODING && !r->model) {
        served_model *m = models_find(s->models, r->model_name, r->fingerprint);
        if (m) meet(s, r, m);
    } else if (r->over != FINISH_NONE) {
        generation_end(s, r, r->over, NULL);
    } else if (r->state == REQUEST_WAITING && r->retry_us <= clock_us()) {
        modeld *d = served_model_least_loaded(r->model, r->refuser);
        if (d) open_at(s, r, d);
    }
}

/* ---- what the client asks ---- */

static void done_at_once(service *s, peer *client, const Trivium__Generate *m, request_finish finish,
                         const failure *why) {
    Trivium__Done done = TRIVIUM__DONE__INIT;
    Trivium__Timings timings = TRIVIUM__TIMINGS__INIT;
    done.request = m->request;
    done.attempt = m->attempt;
    done.reason = (Trivium__FinishReason)finish;
    done.timings = &timings;
    tell_done(s, client, &done, why);
}

void generate_refuse(service *s, peer *client, const Trivium__Generate *m, const failure *why) {
    if (m->request.len == REQUEST_BYTES)
        requests_refused(s->requests, m->request.data, m->attempt);
    done_at_once(s, client, m, FINISH_ERROR, why);
}

/* Its text, apart from the order because it may be long and is copied once. */
static status passage_make(service *s, const Trivium__Generate *m, request *r, failure *f) {
    passage_segment segments[SEGMENTS_MAX];
    for (size_t i = 0; i < m->n_segments; i++) {
        const Trivium__Segment *from = m->segments[i];
        segments[i] = (passage_segment){from->text.data, from->text.len, from->special};
    }
    return passages_add(s->passages, segments, m->n_segments, generation_encoded, r, &r->passage,
                        f);
}

static status counts_check(const Trivium__Generate *m, failure *f) {
    if (m->n_segments > SEGMENTS_MAX)
        return fail(f, STATUS_TOO_LONG, "a prompt may have %d segments, not %zu", SEGMENTS_MAX,
                    m->n_segments);
    if (m->n_stops > STOPS_MAX)
        return fail(f, STATUS_BAD_REQUEST, "there may be %d stop strings, not %zu", STOPS_MAX,
                    m->n_stops);
    return STATUS_OK;
}

/* n_stops is within its bound; the other fields are checked with the order. */
static void order_fill(request_order *o, const Trivium__Generate *m, vocab_bytes stops[STOPS_MAX]) {
    for (size_t i = 0; i < m->n_stops; i++)
        stops[i] = (vocab_bytes){m->stops[i].data, m->stops[i].len};
    *o = (request_order){
        .id = m->request.data,
        .attempt = m->attempt,
        .model = m->model,
        .fingerprint = m->fingerprint,
        .pool = m->pool,
        .session = m->session,
        .semantics = m->semantics,
        .change = m->change,
        .seed = m->seed,
        .sampler_state = {m->state.data, m->state.len},
        .max_new_tokens = m->max_new_tokens,
        .stops = stops,
        .n_stops = m->n_stops,
        .stop_ids = m->stop_ids,
        .n_stop_ids = m->n_stop_ids,
        .ignore_eos = m->ignore_eos,
        .no_cache = m->no_cache,
        .n_candidates = m->n_candidates,
        .wait_ms = m->wait_ms,
        .n_prompt = m->n_prompt,
    };
}

static status order_take(service *s, peer *client, const Trivium__Generate *m,
                         const wire_message *message, const request *rival, request **out,
                         failure *f) {
    vocab_bytes stops[STOPS_MAX];
    request_order order;
    status st = counts_check(m, f);
    if (st != STATUS_OK) return st;
    order_fill(&order, m, stops);
    if (m->n_segments > 0 && message->n_raw > 0)
        return fail(f, STATUS_BAD_REQUEST, "a request has either text or ids, not both");
    if (message->n_raw > 0 && !ids_of(message, 0, &order.ids, &order.n_ids))
        return fail(f, STATUS_BAD_MESSAGE, "the frame of ids holds no whole number of ids");
    strategy chain;
    strategy_init(&chain);
    order.strategy = &chain;
    st = strategy_from_wire(&chain, m->strategy, f);
    if (st == STATUS_OK) st = requests_add(s->requests, &order, rival, client, clock_us(), out, f);
    strategy_clear(&chain);
    return st;
}

void generate_asked(service *s, peer *client, const Trivium__Generate *m,
                    const wire_message *message) {
    failure f;
    if (m->request.len != REQUEST_BYTES) {
        fail(&f, STATUS_BAD_REQUEST, "a request's id has %d bytes, not %zu", REQUEST_BYTES,
             m->request.len);
        generate_refuse(s, client, m, &f);
        return;
    }
    request *rival, *r = NULL;
    request_finish at_once = requests_admit(s->requests, m->request.data, m->attempt, &rival);
    if (at_once != FINISH_NONE) {
        done_at_once(s, client, m, at_once, NULL);
        return;
    }
    if (order_take(s, client, m, message, rival, &r, &f) != STATUS_OK) {
        generate_refuse(s, client, m, &f);
        return;
    }
    if (r->fresh && passage_make(s, m, r, &f) != STATUS_OK) {
        generation_end(s, r, FINISH_ERROR, &f);
        return;
    }
    if (rival) generation_end(s, rival, FINISH_SUPERSEDED, NULL);
    watches_go_on(s->watches, r->id);
    generation_advance(s, r);
}

/* ---- what its modeld says ---- */

/* The request that is meant, if it is this modeld's; NULL: it has ended or gone elsewhere. */
static request *find_of(service *s, const modeld *d, const ProtobufCBinaryData *id,
                        uint32_t attempt) {
    if (id->len != REQUEST_BYTES) {
        service_garbage(s, "request_id");
        return NULL;
    }
    request *r = requests_find(s->requests, id->data);
    return r && r->worker == d && r->attempt == attempt ? r : NULL;
}

void generation_token(service *s, const modeld *d, const Trivium__Token *m) {
    request *r = find_of(s, d, &m->request, m->attempt);
    if (!r) return;
    if (!m->drawn || m->drawn->n_candidates > CANDIDATES_MAX) {
        service_garbage(s, "token");
        return;
    }
    failure f;
    stream_text shown;
    bool kept;
    request_token token = {
        .step = m->step,
        .id = m->drawn->id,
        .sampler_state = {m->drawn->state.data, m->drawn->state.len},
        .semantics = m->semantics,
        .forward_ms = m->forward_ms,
        .sample_ms = m->sample_ms,
    };
    status st = request_drawn(r, &token, clock_us(), &shown, &kept, &f);
    if (st == STATUS_NOT_FOUND) return;
    if (st != STATUS_OK) {
        generation_end(s, r, FINISH_ERROR, &f);
        return;
    }
    if (kept) {
        tell_token(s, r, m, &shown);
        changes_tell(s, r);
    }
    generation_advance(s, r);
}

void generation_retuned(service *s, const modeld *d, const Trivium__Retuned *m) {
    request *r = find_of(s, d, &m->request, m->attempt);
    if (!r) return;
    request_retuned(r, m->change, m->step);
    changes_tell(s, r);
}

void generation_closed(service *s, const modeld *d, const Trivium__Closed *m) {
    request *r = find_of(s, d, &m->request, m->attempt);
    if (!r) return;
    failure f = {.code = STATUS_OK};
    request_finish finish = FINISH_ERROR;
    switch (m->reason) {
    case TRIVIUM__CLOSE_REASON__CLOSE_END_ID: finish = FINISH_STOP; break;
    case TRIVIUM__CLOSE_REASON__CLOSE_LENGTH: finish = FINISH_LENGTH; break;
    case TRIVIUM__CLOSE_REASON__CLOSE_SUPERSEDED: finish = FINISH_SUPERSEDED; break;
    case TRIVIUM__CLOSE_REASON__CLOSE_ERROR: error_from_wire(m->error, "the modeld", &f); break;
    default: fail(&f, STATUS_BAD_MESSAGE, "the modeld closed the text without being asked");
    }
    if (finish == FINISH_ERROR && f.code == STATUS_BUSY && request_crowded_out(r, clock_us())) {
        changes_tell(s, r);
        generation_advance(s, r);
        return;
    }
    request_closing closing = {m->queue_ms, m->prefill_ms, m->n_cached};
    if (request_closed(r, &closing)) generation_end(s, r, finish, &f);
}

/* ---- who is lost, who waited too long ---- */

void generations_of_client_lost(service *s, const peer *client) {
    for (request *r = requests_first(s->requests), *next; r; r = next) {
        next = requests_next(r);
        request_forget_asker(r, client);
        if (r->owner != client) continue;
        r->owner = NULL;
        generation_end(s, r, FINISH_SUPERSEDED, NULL);
    }
}

/* They go on elsewhere in the next turn. */
void generations_of_modeld_lost(service *s, const modeld *d) {
    for (request *r = requests_first(s->requests), *next; r; r = next) {
        next = requests_next(r);
        request_forget_modeld(r, d);
        if (r->worker != d || !request_lost(r, clock_us())) continue;
        failure f;
        if (r->over == FINISH_NONE && r->n_losses > REOPENS_MAX) {
            fail(&f, STATUS_NO_MODELD,
                 "%u modelds in a row were lost before they drew a token of it", r->n_losses);
            generation_end(s, r, FINISH_ERROR, &f);
        } else {
            changes_tell(s, r);
        }
    }
}

static void expire(service *s, request *r) {
    failure f;
    if (!r->model) missing_model(s->models, r->model_name, r->fingerprint, r->wait_ms, &f);
    else if (r->retry_us == 0) missing_modeld(r->model, r->wait_ms, &f);
    else
        fail(&f, STATUS_BUSY, "the modelds of '%s' had no room for the rest of the text within %g s",
             r->model_name, r->wait_ms / 1000.0);
    generation_end(s, r, FINISH_ERROR, &f);
}

void generations_look_after(service *s, uint64_t now_us) {
    for (request *r = requests_first(s->requests), *next; r; r = next) {
        next = requests_next(r);
        if (request_waits(r) && r->deadline_us <= now_us) expire(s, r);
        else if (r->retry_us > 0 && r->retry_us <= now_us) generation_advance(s, r);
    }
}
