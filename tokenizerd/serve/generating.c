#include "generating.h"

#include <string.h>

#include "changes.h"
#include "proto/base/clock.h"
#include "tokenizerd/links/asked.h"
#include "tokenizerd/requests/text_log.h"
#include "tokenizerd/route/missing.h"

/* ---- a request's life ---- */

/* What was held back of its text is let go. True: a stop came with it. */
static bool tell_rest(generating *g, request *r) {
    stream_text rest;
    if (request_rest(r, &rest) == STATUS_OK && rest.n_bytes > 0)
        client_link_rest(g->clients, r, &rest);
    return rest.stopped;
}

void generating_end(generating *g, request *r, request_finish finish, const failure *why) {
    const bool has_rest = finish != FINISH_SUPERSEDED && r->state != REQUEST_RESTING;
    request_end(r);             /* no effect when its modeld has closed it */
    if (r->state == REQUEST_CLOSING) {
        modeld_link_close(g->modelds, r->modeld, r);
        request_told(r);
    }
    if (has_rest && tell_rest(g, r) && finish == FINISH_LENGTH) finish = FINISH_STOP;
    client_link_done(g->clients, r, finish, why, clock_us());
    changes_drop(g->clients, r);
    text_log(r, "request_done", "reason=%s tokens=%u why=\"%s\"", request_finish_name(finish), request_step(r),
             why ? why->message : "");
    watches_over(g->watches, r, finish, clock_us());
    if (finish != FINISH_SUPERSEDED) leaving_text_ended(g->leaving);
    requests_remove(g->requests, &r, finish == FINISH_CANCELLED);
}

static void open_at(generating *g, request *r, modeld *d) {
    failure f;
    status st = modeld_link_open(g->modelds, d, r, watches_wanted(g->watches, r));
    if (st == STATUS_OK || st == STATUS_BUSY) {
        request_serve(r, d, clock_us());
        text_log(r, "request_opened", "model=\"%s\" step=%u", r->model_name, request_step(r));
        return;
    }
    fail(&f, st, "the request is too long for one message, or there is no memory for it");
    generating_end(g, r, FINISH_ERROR, &f);
}

static uint32_t samplerd_rank(const modeld *d, const void *wanted) {
    const request *r = wanted;
    return modeld_link_samplerd(d, r->pool, r->semantics);
}

/* Who is to have it; NULL: nobody is there. */
static modeld *choose(const request *r) {
    const modeld_choice by = {.avoided = r->refuser, .rank = samplerd_rank, .wanted = r};
    return request_has_begun(r) ? served_model_for_begun(r->model, &by) : served_model_for_new(r->model, &by);
}

static void advance(generating *g, request *r);

/* Its ids are here: of its text or conversation, or NULL when it brought them. `start` has what only these know. */
static void ready(generating *g, request *r, const int32_t *ids, size_t n_ids, text_start start) {
    failure f;
    status st = request_encoded(r, ids, n_ids, clock_us(), &f);
    if (st != STATUS_OK) {
        generating_end(g, r, FINISH_ERROR, &f);
        return;
    }
    start.n_models = models_count(g->models);
    start.kv_tokens = start.rendered ? start.rendered->kv_tokens : served_model_kv_tokens(r->model);
    client_link_started(g->clients, r, &start);
    queued_text_free(&r->queued);
    kept_rendering_free(&r->rendering);
    changes_tell(g->clients, r);
    advance(g, r);
}

static void on_encoded(void *context, void *of, const failure *why) {
    request *r = of;
    size_t n_ids;
    if (why) {
        generating_end(context, r, FINISH_ERROR, why);
        return;
    }
    const int32_t *ids = queued_text_ids(r->queued, &n_ids);
    ready(context, r, ids, n_ids, (text_start){.has_own_bos = queued_text_had_first(r->queued)});
}

static void on_rendered(void *context, void *of, const rendered_prompt *prompt, const failure *why) {
    generating *g = context;
    request *r = of;
    failure f;
    if (!why && request_rendered(r, prompt->n_tokens_max, prompt->stop, &f) != STATUS_OK) why = &f;
    if (why) generating_end(g, r, FINISH_ERROR, why);
    else ready(g, r, prompt->ids, prompt->n_ids, (text_start){.rendered = prompt});
}

/* What is to become its prompt is kept until its model is here. */
static status prompt_keep(generating *g, request *r, const generate_order *order, failure *f) {
    if (!r->fresh) return STATUS_OK;
    if (order->conversation)
        return rendering_new(g->renderer, r->owner, order->conversation, (rendering_listener){on_rendered, g, r}, &r->rendering, f);
    return encode_queue_add(g->encode_queue, r->owner, order->pieces, order->n_pieces, (queued_text_listener){on_encoded, g, r},
                            &r->queued, f);
}

static void meet(generating *g, request *r, served_model *m) {
    failure f;
    model_facts facts = served_model_facts(m);
    status st = request_meet(r, m, &facts, &f);
    if (st == STATUS_OK) st = changes_meet(g->clients, r, &f);
    if (st == STATUS_OK && r->queued) {
        const tokenizer *t = served_model_tokenizer(m);
        queued_text_start(r->queued, t, tokenizer_bos(t));
        wakeup_set(g->turn, 0);
    }
    if (st != STATUS_OK) generating_end(g, r, FINISH_ERROR, &f);
    else if (r->rendering.rendering) rendering_begin(r->rendering.rendering, m);
    else if (!r->queued) ready(g, r, NULL, 0, (text_start){0});
}

/* It waited too long, or in vain. */
static void expire(generating *g, request *r) {
    failure f;
    const join_place where = modeld_link_place(g->modelds);
    if (!r->model) missing_model(g->models, &where, r->model_name, r->fingerprint, r->wait_ms, &f);
    else if (r->retry_us == 0 || served_model_is_draining(r->model)) missing_modeld(g->models, r->model, &where, r->wait_ms, &f);
    else
        fail(&f, STATUS_BUSY, "the modelds of '%s' had no room for the rest of the text within %g s",
             r->model_name, clock_wait_s(r->wait_ms));
    generating_end(g, r, FINISH_ERROR, &f);
}

/* As far as it can: it meets its model, is opened at a modeld, or ends. It may be gone afterwards. */
static void advance(generating *g, request *r) {
    if (r->state == REQUEST_RESTING) return;
    if (r->state == REQUEST_ENCODING && !r->model) {
        served_model *m = request_has_begun(r) ? models_find(g->models, r->model_name, r->fingerprint)
                                               : models_find_open(g->models, r->model_name, r->fingerprint);
        if (m) meet(g, r, m);
        else if (!r->has_own_wait && models_is_unknown(g->models, r->model_name, r->fingerprint)) expire(g, r);
    } else if (r->over != FINISH_NONE) {
        generating_end(g, r, r->over, NULL);
    } else if (r->state == REQUEST_WAITING && r->retry_us <= clock_us()) {
        modeld *d = choose(r);
        if (d) open_at(g, r, d);
    }
}

/* ---- what the client asks ---- */

static void refuse(generating *g, peer *client, const request_order *o, const failure *why) {
    requests_refused(g->requests, o->owner, o->id, o->attempt);
    client_link_done_at_once(g->clients, client, o->id, o->attempt, FINISH_ERROR, why);
}

void generating_generate(generating *g, const sender *who, const generate_order *order) {
    const request_order *o = &order->request;
    peer *client = who->client;
    request *rival, *r;
    request_finish at_once = requests_admit(g->requests, o->owner, o->id, o->attempt, &rival);
    if (at_once != FINISH_NONE) {
        client_link_done_at_once(g->clients, client, o->id, o->attempt, at_once, NULL);
        return;
    }
    failure f;
    if (order->fault) {
        refuse(g, client, o, order->fault);
        return;
    }
    if (!rival && leaving_check(g->leaving, &f) != STATUS_OK) {
        refuse(g, client, o, &f);
        return;
    }
    if (requests_add(g->requests, o, rival, client, clock_us(), &r, &f) != STATUS_OK) {
        refuse(g, client, o, &f);
        return;
    }
    if (prompt_keep(g, r, order, &f) != STATUS_OK) {
        generating_end(g, r, FINISH_ERROR, &f);
        return;
    }
    failure superseded = {STATUS_OK, "a higher attempt goes on with it"};
    if (rival) generating_end(g, rival, FINISH_SUPERSEDED, &superseded);
    watches_go_on(g->watches, r);
    text_log(r, "request_begun", "owner=\"%s\" model=\"%s\" step=%u", r->owner->name, r->model_name, request_step(r));
    advance(g, r);
}

void generating_pause(generating *g, const peer *client, const uint8_t id[REQUEST_BYTES],
                      uint32_t attempt, uint32_t n_steps) {
    request *r = requests_of_client(g->requests, client, id);
    if (!r || r->attempt != attempt) return;
    if (r->state == REQUEST_RUNNING) modeld_link_close(g->modelds, r->modeld, r);
    if (!request_pause(r, n_steps)) return;
    text_log(r, "request_rests", "step=%u", request_step(r));
    changes_tell(g->clients, r);
}

void generating_cancel(generating *g, const sender *who, uint64_t number, const uint8_t *id,
                       size_t n_id_bytes) {
    failure f;
    request *r;
    if (asked_match(g->requests, who, id, n_id_bytes, &r, &f) != STATUS_OK) {
        client_link_failed(g->clients, who->client, number, &f);
        return;
    }
    uint8_t whole_id[REQUEST_BYTES];
    memcpy(whole_id, r->id, sizeof whole_id);
    uint32_t n_tokens = request_step(r);
    generating_end(g, r, FINISH_CANCELLED, NULL);
    client_link_cancelled(g->clients, who->client, number, whole_id, n_tokens);
}

/* ---- what its modeld says ---- */

/* The request that is meant, if it is this modeld's; NULL: it has ended or gone elsewhere. */
static request *find_of(generating *g, const modeld *d, named_text name) {
    request *r = requests_numbered(g->requests, name.id, name.number);
    return r && r->modeld == d && r->attempt == name.attempt ? r : NULL;
}

void generating_token(generating *g, const modeld *d, named_text name, const request_token *token,
                      const Trivium__Drawn *drawn) {
    request *r = find_of(g, d, name);
    if (!r) return;
    failure f;
    stream_text shown;
    bool kept;
    status st = request_drawn(r, token, clock_us(), &shown, &kept, &f);
    if (st == STATUS_NOT_FOUND) return;
    if (st != STATUS_OK) {
        generating_end(g, r, FINISH_ERROR, &f);
        return;
    }
    if (kept) {
        client_link_token(g->clients, r, r->facts.vocab, token, drawn, &shown);
        changes_tell(g->clients, r);
    }
    advance(g, r);
}

void generating_retuned(generating *g, const modeld *d, named_text name, uint32_t change, uint32_t from_step) {
    request *r = find_of(g, d, name);
    if (!r) return;
    request_retuned(r, change, from_step);
    text_log(r, "request_tuned", "change=%u step=%u", change, from_step);
    changes_tell(g->clients, r);
}

void generating_queued(generating *g, const modeld *d, named_text name, bool over) {
    request *r = find_of(g, d, name);
    if (r) request_queue(r, over);
}

void generating_closed(generating *g, const modeld *d, named_text name, request_finish finish,
                       const request_closing *closing, const failure *why) {
    request *r = find_of(g, d, name);
    if (!r) return;
    const bool drains = finish == FINISH_ERROR && why->code == STATUS_DRAINING;
    const bool is_full = finish == FINISH_ERROR && why->code == STATUS_BUSY;
    if (drains) modeld_drain(r->modeld);
    if ((drains && request_declined(r, clock_us())) || (is_full && request_crowded_out(r, clock_us()))) {
        changes_tell(g->clients, r);
        advance(g, r);
        return;
    }
    if (request_closed(r, closing)) generating_end(g, r, finish, why);
}

/* ---- whoever is lost, or waited too long ---- */

void generating_client_left(generating *g, const peer *client) {
    for (request *r = requests_first(g->requests), *next; r; r = next) {
        next = requests_next(r);
        request_forget_asker(r, client);
        if (r->client != client) continue;
        r->client = NULL;
        generating_end(g, r, FINISH_SUPERSEDED, &(failure){STATUS_OK, "its client is gone"});
    }
}

void generating_modeld_left(generating *g, const modeld *d) {
    for (request *r = requests_first(g->requests), *next; r; r = next) {
        next = requests_next(r);
        request_forget_modeld(r, d);
        if (r->modeld != d || !request_lost(r, clock_us())) continue;
        failure f;
        text_log(r, "request_lost", "model=\"%s\" step=%u", r->model_name, request_step(r));
        if (r->over == FINISH_NONE && r->n_losses > REOPENS_MAX) {
            fail(&f, STATUS_NO_MODELD,
                 "%u modelds in a row were lost before they drew a token of it", r->n_losses);
            generating_end(g, r, FINISH_ERROR, &f);
        } else {
            changes_tell(g->clients, r);
        }
    }
}

/* Another modeld can have it drawn, and its own cannot. */
static void move(generating *g, request *r) {
    modeld_link_close(g->modelds, r->modeld, r);
    if (!request_moved(r, clock_us())) return;
    requests_renumber(g->requests, r);      /* its modeld's last word on it is still to come, and it may go back there */
    text_log(r, "request_moved", "step=%u why=\"its modeld has no samplerd for it, another one has\"", request_step(r));
    changes_tell(g->clients, r);
    advance(g, r);
}

bool generating_awaits(const generating *g, const served_model *m) {
    for (const request *r = requests_first(g->requests); r; r = requests_next(r))
        if (r->model == m && (r->state == REQUEST_ENCODING || r->state == REQUEST_WAITING)) return true;
    return false;
}

void generating_samplers_changed(generating *g, const served_model *m) {
    for (request *r = requests_first(g->requests), *next; r; r = next) {
        next = requests_next(r);
        if (r->model != m || !request_may_move(r) || samplerd_rank(r->modeld, r) != SAMPLERD_ABSENT) continue;
        const modeld *other = choose(r);
        if (other && samplerd_rank(other, r) >= SAMPLERD_DRAINS) move(g, r);
    }
}

/* A daemon that it cannot go on without. False: there is none, or nobody knows of one. */
static bool awaited(const generating *g, const request *r, char out[AWAITED_BYTES]) {
    const samplerd_seen seen = r->state == REQUEST_RUNNING ? samplerd_rank(r->modeld, r) : SAMPLERD_UNTOLD;
    if (r->state == REQUEST_ENCODING && !r->model)
        awaited_model(g->models, r->model_name, r->fingerprint, r->wait_ms, out);
    else if (r->state == REQUEST_WAITING && r->retry_us > 0 && !served_model_is_draining(r->model))
        awaited_room(r->model, r->wait_ms, out);
    else if (r->state == REQUEST_WAITING) awaited_modeld(g->models, r->model, r->wait_ms, out);
    else if (seen == SAMPLERD_ABSENT || seen == SAMPLERD_HANGS)
        awaited_samplerd(r->model, &(samplerd_wanted){r->pool, r->semantics, seen == SAMPLERD_HANGS}, r->wait_ms, out);
    else return false;
    return true;
}

void generating_sweep(generating *g, uint64_t now_us) {
    char sentence[AWAITED_BYTES];
    for (request *r = requests_first(g->requests), *next; r; r = next) {
        next = requests_next(r);
        if (request_notice_is_due(r, now_us) && awaited(g, r, sentence)) {
            client_link_text_waits(g->clients, r, sentence);
            text_log(r, "request_waits", "what=\"%s\"", sentence);
            request_noticed(r);
        }
        if (request_waits(r) && r->deadline_us <= now_us) expire(g, r);
        else if (r->retry_us > 0 && r->retry_us <= now_us) advance(g, r);
    }
}

void generating_go_on(generating *g) {
    for (request *r = requests_first(g->requests), *next; r; r = next) {
        next = requests_next(r);
        advance(g, r);
    }
}
