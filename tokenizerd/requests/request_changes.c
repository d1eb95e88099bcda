/* Changes of strategy: asked for by a Tune, placed at a step, shown to the client, acknowledged by
 * it. */
#include <stdlib.h>

#include "request.h"

void request_change_free(request_change **change) {
    if (!*change) return;
    strategy_clear(&(*change)->strategy);
    free(*change);
    *change = NULL;
}

/* What the next change begins from. */
static const strategy *newest_strategy(const request *r) {
    const request_change *c = r->changes;
    while (c && c->next) c = c->next;
    return c ? &c->strategy : &r->strategy;
}

static status change_make(const request *r, bool replace, const strategy *asked,
                          request_change **out, failure *f) {
    request_change *c = calloc(1, sizeof *c);
    if (!c) return fail(f, STATUS_NO_MEMORY, "no memory for another strategy");
    strategy_init(&c->strategy);
    status st = strategy_changed(&c->strategy, newest_strategy(r), asked, replace,
                                 r->model ? r->facts.n_vocab : 0, f);
    if (st == STATUS_OK) *out = c;
    else request_change_free(&c);
    return st;
}

static status strategy_adopt(request *r, const strategy *from, failure *f) {
    strategy newest;
    status st = request_hold(r, strategy_bytes(from), f);
    if (st != STATUS_OK) return st;
    strategy_init(&newest);
    if (strategy_copy(&newest, from) != STATUS_OK) {
        request_let_go(r, strategy_bytes(from));
        return fail(f, STATUS_NO_MEMORY, "no memory for another strategy");
    }
    request_let_go(r, strategy_bytes(&r->strategy));
    strategy_clear(&r->strategy);
    r->strategy = newest;
    return STATUS_OK;
}

/* The request is counted no more for a change that leaves it. */
static void change_let_go(request *r, const request_change *c) {
    r->n_changes--;
    request_let_go(r, c->n_bytes_held);
}

static status change_hold(request *r, request_change *c, failure *f) {
    size_t n_bytes = sizeof *c + strategy_bytes(&c->strategy);
    status st = request_hold(r, n_bytes, f);
    if (st == STATUS_OK) c->n_bytes_held = n_bytes;
    return st;
}

status request_tune(request *r, bool replace, const strategy *asked, void *asker, uint64_t call,
                    failure *f) {
    if (r->state == REQUEST_CLOSING || r->state == REQUEST_DONE)
        return fail(f, STATUS_UNKNOWN_REQUEST, "the request has ended");
    if (r->n_changes >= CHANGES_MAX)
        return fail(f, STATUS_BUSY, "%d changes of this request's strategy are under way already",
                    CHANGES_MAX);
    request_change *c = NULL;
    status st = change_make(r, replace, asked, &c, f);
    if (st == STATUS_OK) st = change_hold(r, c, f);
    if (st != STATUS_OK) {
        request_change_free(&c);
        return st;
    }
    r->n_changes++;
    if (r->model) st = strategy_adopt(r, &c->strategy, f);
    if (st != STATUS_OK) {
        change_let_go(r, c);
        request_change_free(&c);
        return st;
    }
    c->ordinal = ++r->change;
    c->asker = asker;
    c->call = call;
    c->placed = r->state != REQUEST_RUNNING;
    c->step = request_step(r);
    request_change **place = &r->changes;
    while (*place) place = &(*place)->next;
    *place = c;
    return STATUS_OK;
}

request_change *request_unfit_change(request *r, failure *f) {
    for (request_change **place = &r->changes; *place; place = &(*place)->next) {
        request_change *c = *place;
        if (strategy_check_ids(&c->strategy, r->facts.n_vocab, f) == STATUS_OK)
            continue;
        *place = c->next;
        change_let_go(r, c);
        return c;
    }
    return NULL;
}

status request_adopt_changes(request *r, failure *f) {
    return r->changes ? strategy_adopt(r, newest_strategy(r), f) : STATUS_OK;
}

void request_retuned(request *r, uint32_t ordinal, uint32_t from_step) {
    if (r->state != REQUEST_RUNNING) return;
    for (request_change *c = r->changes; c && c->ordinal <= ordinal; c = c->next) {
        if (c->placed) continue;
        c->placed = true;
        c->step = from_step > request_step(r) ? from_step : request_step(r);
    }
}

void request_place_changes(request *r) {
    for (request_change *c = r->changes; c; c = c->next) {
        if (c->placed && c->step <= request_step(r)) continue;
        c->placed = true;
        c->step = request_step(r);
    }
}

request_change *request_due(request *r) {
    bool is_told = r->state == REQUEST_WAITING || r->state == REQUEST_RUNNING ||
                   r->state == REQUEST_RESTING;
    if (!is_told) return NULL;
    request_change *c = r->changes;
    while (c && c->shown) c = c->next;
    if (!c || !c->placed || c->step > request_step(r)) return NULL;
    return c;
}

void request_change_shown(request_change *change) {
    change->shown = true;
}

request_change *request_drop_change(request *r) {
    request_change *c = r->changes;
    if (!c) return NULL;
    r->changes = c->next;
    change_let_go(r, c);
    return c;
}

request_change *request_acknowledged(request *r, uint32_t ordinal) {
    const request_change *c = r->changes;
    return c && c->shown && c->ordinal <= ordinal ? request_drop_change(r) : NULL;
}

void request_forget_asker(request *r, const void *asker) {
    for (request_change *c = r->changes; c; c = c->next)
        if (c->asker == asker) c->asker = NULL;
}
