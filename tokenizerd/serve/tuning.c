/* A strategy changes in the middle of a text; owners acknowledge; a text rests, or is cancelled. */
#include <string.h>

#include "service_parts.h"

void tune_asked(service *s, peer *client, const tune_order *order) {
    failure f;
    request *r;
    status st = requests_match(s->requests, order->id, order->n_id_bytes, &r, &f);
    if (st == STATUS_OK && order->fault) {
        f = *order->fault;
        st = f.code;
    }
    if (st == STATUS_OK)
        st = request_tune(r, order->replace, order->strategy, client, order->number, &f);
    if (st != STATUS_OK) {
        client_link_failed(s->clients, client, order->number, &f);
        return;
    }
    if (r->state == REQUEST_RUNNING) {
        st = modeld_link_retune(s->modelds, r->worker, r);
        if (st == STATUS_OK || st == STATUS_BUSY) return;
        fail(&f, st, "there is no memory for the new strategy");
        generation_end(s, r, FINISH_ERROR, &f);
    } else {
        changes_tell(s, r);
    }
}

void changes_tell(service *s, request *r) {
    for (request_change *c; (c = request_due(r)) != NULL; request_change_shown(c))
        if (client_link_change(s->clients, r, c) != STATUS_OK) return;    /* with the next token */
}

void changes_drop(service *s, request *r) {
    failure f;
    fail(&f, STATUS_UNKNOWN_REQUEST,
         "the text ended before the change of its strategy was confirmed");
    for (request_change *c; (c = request_drop_change(r)) != NULL; request_change_free(&c))
        client_link_failed(s->clients, c->asker, c->call, &f);
}

status changes_meet(service *s, request *r, failure *f) {
    for (request_change *c; (c = request_unfit_change(r, f)) != NULL; request_change_free(&c))
        client_link_failed(s->clients, c->asker, c->call, f);
    return request_adopt_changes(r, f);
}

void acknowledged(service *s, const peer *client, const uint8_t id[REQUEST_BYTES], uint32_t attempt,
                  uint32_t change) {
    request *r = requests_find(s->requests, id);
    if (!r || r->owner != client || r->attempt != attempt) return;
    for (request_change *c; (c = request_acknowledged(r, change)) != NULL; request_change_free(&c))
        client_link_tuned(s->clients, c->asker, c->call, r, c);
}

/* ---- pause and cancel ---- */

void paused(service *s, const peer *client, const uint8_t id[REQUEST_BYTES], uint32_t attempt,
            uint32_t n_steps) {
    request *r = requests_find(s->requests, id);
    if (r && r->owner == client && r->attempt == attempt) generation_pause(s, r, n_steps);
}

void cancel_asked(service *s, peer *client, uint64_t number, const uint8_t *id, size_t n_id_bytes) {
    failure f;
    request *r;
    if (requests_match(s->requests, id, n_id_bytes, &r, &f) != STATUS_OK) {
        client_link_failed(s->clients, client, number, &f);
        return;
    }
    uint8_t whole_id[REQUEST_BYTES];
    memcpy(whole_id, r->id, sizeof whole_id);
    uint32_t n_tokens = request_step(r);
    generation_end(s, r, FINISH_CANCELLED, NULL);
    client_link_cancelled(s->clients, client, number, whole_id, n_tokens);
}
