#include "watches.h"

#include <stdlib.h>
#include <string.h>

struct watches {
    const serving_events *serving;
    owners *owners;
    watch *first;
};

watches *watches_new(const serving_events *serving, owners *os) {
    watches *ws = calloc(1, sizeof *ws);
    if (ws) *ws = (watches){.serving = serving, .owners = os};
    return ws;
}

static void model_leave(const watches *ws, watch *w) {
    if (w->model) ws->serving->release(w->model);
    w->model = NULL;
}

void watches_free(watches **ws) {
    if (!*ws) return;
    for (watch *w = (*ws)->first; w; w = (*ws)->first) watches_remove(*ws, &w);
    free(*ws);
    *ws = NULL;
}

static void watch_link(watches *ws, watch *w) {
    watch **end = &ws->first;
    while (*end) end = &(*end)->next;
    *end = w;
}

status watches_add(watches *ws, const request *r, const watcher *who, uint32_t n_candidates, failure *f) {
    owner *payer = owners_hold(ws->owners, who->owner);
    watch *w = payer ? calloc(1, sizeof *w) : NULL;
    status st = w ? owner_take(payer, HOLDING_WATCHES, 1, f) : fail(f, STATUS_NO_MEMORY, "no memory for another watcher");
    if (st != STATUS_OK) {
        owner_release(&payer);
        free(w);
        return st;
    }
    *w = (watch){
        .watcher = who->client,
        .payer = payer,
        .call = who->call,
        .owner = owner_hold(r->owner),
        .number = r->number,
        .n_candidates = n_candidates,
    };
    memcpy(w->request, r->id, REQUEST_BYTES);
    watch_link(ws, w);
    return STATUS_OK;
}

void watches_remove(watches *ws, watch **w) {
    watch **at = &ws->first;
    while (*at != *w) at = &(*at)->next;
    *at = (*w)->next;
    model_leave(ws, *w);
    owner_give((*w)->payer, HOLDING_WATCHES, 1);
    owner_release(&(*w)->payer);
    owner_release(&(*w)->owner);
    free(*w);
    *w = NULL;
}

watch *watches_first(const watches *ws) {
    return ws->first;
}

watch *watches_next(const watch *w) {
    return w->next;
}

watch *watches_of(watch *w, const uint8_t id[REQUEST_BYTES], uint32_t number) {
    while (w && !(w->number == number && memcmp(w->request, id, REQUEST_BYTES) == 0)) w = w->next;
    return w;
}

/* The first from `w` on that is about this request, whatever its number is by now. */
static watch *about(watch *w, const request *r) {
    while (w && !(w->owner == r->owner && memcmp(w->request, r->id, REQUEST_BYTES) == 0)) w = w->next;
    return w;
}

uint32_t watches_wanted(const watches *ws, const request *r) {
    uint32_t n_wanted = 0;
    for (const watch *w = about(ws->first, r); w; w = about(w->next, r)) {
        if (w->over == FINISH_NONE && w->n_candidates > n_wanted) n_wanted = w->n_candidates;
    }
    return n_wanted;
}

void watches_over(watches *ws, const request *r, request_finish finish, uint64_t now_us) {
    for (watch *w = about(ws->first, r); w; w = about(w->next, r)) {
        if (w->over != FINISH_NONE) continue;
        w->over = finish;
        w->over_us = now_us;
        w->n_tokens = request_step(r);
        w->model = r->model;
        if (w->model) ws->serving->hold(w->model);
    }
}

void watches_go_on(watches *ws, const request *r) {
    for (watch *w = about(ws->first, r); w; w = about(w->next, r)) {
        if (w->over != FINISH_SUPERSEDED) continue;
        w->over = FINISH_NONE;
        w->number = r->number;
        model_leave(ws, w);
    }
}
