/* Generations: Generate in; Open and Close to modelds, Token and Closed back. */
#include "service_parts.h"
#include "tokenizerd/route/missing.h"

/* ---- its life ---- */

/* What was held back of its text is let go; with it a stop came. */
static bool tell_rest(service *s, request *r) {
    stream_text rest;
    if (request_rest(r, &rest) == STATUS_OK && rest.n_bytes > 0)
        client_link_rest(s->clients, r, &rest);
    return rest.stopped;
}

void generation_end(service *s, request *r, request_finish finish, const failure *why) {
    const bool has_rest = finish != FINISH_SUPERSEDED && r->state != REQUEST_RESTING;
    request_end(r);             /* no effect when its modeld has closed it */
    if (r->state == REQUEST_CLOSING) {
        modeld_link_close(s->modelds, r->worker, r);
        request_told(r);
    }
    if (has_rest && tell_rest(s, r) && finish == FINISH_LENGTH) finish = FINISH_STOP;
    client_link_done(s->clients, r, finish, why, clock_us());
    changes_drop(s, r);
    log_event(LOG_DEBUG, "request_done", "attempt=%u reason=%d tokens=%u", r->attempt, (int)finish,
              request_step(r));
    watches_over(s->watches, r, finish, clock_us());
    requests_remove(s->requests, &r, finish == FINISH_CANCELLED);
}

static void open_at(service *s, request *r, modeld *d) {
    failure f;
    status st = modeld_link_open(s->modelds, d, r, watches_wanted(s->watches, r->id));
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
    client_link_started(s->clients, r, has_own_bos, models_count(s->models));
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
    if (r->state == REQUEST_RUNNING) modeld_link_close(s->modelds, r->worker, r);
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

static void refuse(service *s, peer *client, const request_order *o, const failure *why) {
    requests_refused(s->requests, o->id, o->attempt);
    client_link_done_at_once(s->clients, client, o->id, o->attempt, FINISH_ERROR, why);
}

void generate_asked(service *s, peer *client, const generate_order *order) {
    const request_order *o = &order->request;
    request *rival, *r;
    request_finish at_once = requests_admit(s->requests, o->id, o->attempt, &rival);
    if (at_once != FINISH_NONE) {
        client_link_done_at_once(s->clients, client, o->id, o->attempt, at_once, NULL);
        return;
    }
    failure f;
    if (order->fault) {
        refuse(s, client, o, order->fault);
        return;
    }
    if (requests_add(s->requests, o, rival, client, clock_us(), &r, &f) != STATUS_OK) {
        refuse(s, client, o, &f);
        return;
    }
    if (r->fresh && passages_add(s->passages, order->pieces, order->n_pieces, generation_encoded, r,
                                 &r->passage, &f) != STATUS_OK) {
        generation_end(s, r, FINISH_ERROR, &f);
        return;
    }
    if (rival) generation_end(s, rival, FINISH_SUPERSEDED, NULL);
    watches_go_on(s->watches, r->id);
    generation_advance(s, r);
}

/* ---- what its modeld says ---- */

/* The request that is meant, if it is this modeld's; NULL: it has ended or gone elsewhere. */
static request *find_of(service *s, const modeld *d, const uint8_t id[REQUEST_BYTES],
                        uint32_t attempt) {
    request *r = requests_find(s->requests, id);
    return r && r->worker == d && r->attempt == attempt ? r : NULL;
}

void generation_token(service *s, const modeld *d, const uint8_t id[REQUEST_BYTES],
                      uint32_t attempt, const request_token *token, const Trivium__Drawn *drawn) {
    request *r = find_of(s, d, id, attempt);
    if (!r) return;
    failure f;
    stream_text shown;
    bool kept;
    status st = request_drawn(r, token, clock_us(), &shown, &kept, &f);
    if (st == STATUS_NOT_FOUND) return;
    if (st != STATUS_OK) {
        generation_end(s, r, FINISH_ERROR, &f);
        return;
    }
    if (kept) {
        client_link_token(s->clients, r, r->facts.vocab, token, drawn, &shown);
        changes_tell(s, r);
    }
    generation_advance(s, r);
}

void generation_retuned(service *s, const modeld *d, const uint8_t id[REQUEST_BYTES],
                        uint32_t attempt, uint32_t change, uint32_t from_step) {
    request *r = find_of(s, d, id, attempt);
    if (!r) return;
    request_retuned(r, change, from_step);
    changes_tell(s, r);
}

void generation_closed(service *s, const modeld *d, const uint8_t id[REQUEST_BYTES],
                       uint32_t attempt, request_finish finish, const request_closing *closing,
                       const failure *why) {
    request *r = find_of(s, d, id, attempt);
    if (!r) return;
    if (finish == FINISH_ERROR && why->code == STATUS_BUSY && request_crowded_out(r, clock_us())) {
        changes_tell(s, r);
        generation_advance(s, r);
        return;
    }
    if (request_closed(r, closing)) generation_end(s, r, finish, why);
}

/* ---- who is lost, who waited too long ---- */

void generating_of_client_lost(service *s, const peer *client) {
    for (request *r = requests_first(s->requests), *next; r; r = next) {
        next = requests_next(r);
        request_forget_asker(r, client);
        if (r->owner != client) continue;
        r->owner = NULL;
        generation_end(s, r, FINISH_SUPERSEDED, NULL);
    }
}

/* They go on elsewhere in the next turn. */
void generating_of_modeld_lost(service *s, const modeld *d) {
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

void generating_look_after(service *s, uint64_t now_us) {
    for (request *r = requests_first(s->requests), *next; r; r = next) {
        next = requests_next(r);
        if (request_waits(r) && r->deadline_us <= now_us) expire(s, r);
        else if (r->retry_us > 0 && r->retry_us <= now_us) generation_advance(s, r);
    }
}
