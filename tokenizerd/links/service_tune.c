/* A strategy changes in the middle of a text; owners acknowledge; a text rests, or is cancelled. */
#include <string.h>

#include "service_parts.h"

static void change_to_wire(Trivium__StrategyChange *m, const request_change *c) {
    trivium__strategy_change__init(m);
    m->ordinal = c->ordinal;
    m->step = c->step;
    m->strategy = strategy_to_wire(&c->strategy);
}

/* ---- tune ---- */

static status send_retune(service *s, const request *r) {
    Trivium__Retune retune = TRIVIUM__RETUNE__INIT;
    retune.request = bytes_to_wire(r->id, sizeof r->id);
    retune.attempt = r->attempt;
    retune.change = r->change;
    retune.strategy = strategy_to_wire(&r->strategy);
    if (!retune.strategy) return STATUS_NO_MEMORY;
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_TUNE;
    m.tune = &retune;
    status st = modeld_send(s, r->worker, &m, NULL, 0);
    trivium__strategy__free_unpacked(retune.strategy, NULL);
    return st;
}

void tune_asked(service *s, peer *client, const Trivium__Tune *m) {
    failure f;
    request *r;
    strategy chain;
    strategy_init(&chain);
    status st = requests_match(s->requests, m->request.data, m->request.len, &r, &f);
    if (st == STATUS_OK) st = strategy_from_wire(&chain, m->strategy, &f);
    if (st == STATUS_OK) st = request_tune(r, m->replace, &chain, client, m->call, &f);
    strategy_clear(&chain);
    if (st != STATUS_OK) {
        client_fail(s, client, m->call, &f);
        return;
    }
    if (r->state == REQUEST_RUNNING) {
        st = send_retune(s, r);
        if (st == STATUS_OK || st == STATUS_BUSY) return;
        fail(&f, st, "there is no memory for the new strategy");
        generation_end(s, r, FINISH_ERROR, &f);
    } else {
        changes_tell(s, r);
    }
}

void changes_tell(service *s, request *r) {
    for (request_change *c; (c = request_due(r)) != NULL; request_change_shown(c)) {
        Trivium__StrategyChange change;
        change_to_wire(&change, c);
        if (!change.strategy) return;       /* no memory now: with the next token */
        Trivium__Chunk chunk = TRIVIUM__CHUNK__INIT;
        chunk.request = bytes_to_wire(r->id, sizeof r->id);
        chunk.attempt = r->attempt;
        chunk.step = c->step;
        chunk.change = &change;
        Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
        m.body_case = TRIVIUM__TEXT_REPLY__BODY_CHUNK;
        m.chunk = &chunk;
        client_tell(s, r->owner, &m, NULL, 0);
        trivium__strategy__free_unpacked(change.strategy, NULL);
    }
}

void changes_drop(service *s, request *r) {
    failure f;
    fail(&f, STATUS_UNKNOWN_REQUEST,
         "the text ended before the change of its strategy was confirmed");
    for (request_change *c; (c = request_drop_change(r)) != NULL; request_change_free(&c))
        client_fail(s, c->asker, c->call, &f);
}

status changes_meet(service *s, request *r, failure *f) {
    for (request_change *c; (c = request_unfit_change(r, f)) != NULL; request_change_free(&c))
        client_fail(s, c->asker, c->call, f);
    return request_adopt_changes(r, f);
}

static void send_tuned(service *s, const request *r, const request_change *c) {
    Trivium__StrategyChange change;
    change_to_wire(&change, c);
    if (!change.strategy) {
        client_fail(s, c->asker, c->call, &(failure){STATUS_NO_MEMORY, "no memory for the answer"});
        return;
    }
    Trivium__Tuned tuned = TRIVIUM__TUNED__INIT;
    tuned.call = c->call;
    tuned.request = bytes_to_wire(r->id, sizeof r->id);
    tuned.change = &change;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_TUNED;
    m.tuned = &tuned;
    client_answer(s, c->asker, c->call, &m, NULL, 0);
    trivium__strategy__free_unpacked(change.strategy, NULL);
}

void acknowledged(service *s, const peer *client, const Trivium__Acknowledge *m) {
    if (m->request.len != REQUEST_BYTES) {
        service_garbage(s, "acknowledge");
        return;
    }
    request *r = requests_find(s->requests, m->request.data);
    if (!r || r->owner != client || r->attempt != m->attempt) return;
    for (request_change *c; (c = request_acknowledged(r, m->change)) != NULL;
         request_change_free(&c))
        send_tuned(s, r, c);
}

/* ---- pause and cancel ---- */

void paused(service *s, const peer *client, const Trivium__Pause *m) {
    if (m->request.len != REQUEST_BYTES) {
        service_garbage(s, "pause");
        return;
    }
    request *r = requests_find(s->requests, m->request.data);
    if (r && r->owner == client && r->attempt == m->attempt)
        generation_pause(s, r, m->step);
}

void cancel_asked(service *s, peer *client, const Trivium__Cancel *m) {
    failure f;
    request *r;
    if (requests_match(s->requests, m->request.data, m->request.len, &r, &f) != STATUS_OK) {
        client_fail(s, client, m->call, &f);
        return;
    }
    uint8_t id[REQUEST_BYTES];
    memcpy(id, r->id, sizeof id);
    Trivium__Cancelled cancelled = TRIVIUM__CANCELLED__INIT;
    cancelled.call = m->call;
    cancelled.request = bytes_to_wire(id, sizeof id);
    cancelled.n_tokens = request_step(r);
    generation_end(s, r, FINISH_CANCELLED, NULL);
    Trivium__TextReply reply = TRIVIUM__TEXT_REPLY__INIT;
    reply.body_case = TRIVIUM__TEXT_REPLY__BODY_CANCELLED;
    reply.cancelled = &cancelled;
    client_answer(s, client, m->call, &reply, NULL, 0);
}
