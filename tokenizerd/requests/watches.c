#include "watches.h"

#include <stdlib.h>
#include <string.h>

#include "share.h"

struct watches {
    const serving_events *serving;
    watch *first;
    size_t n_watches;
};

watches *watches_new(const serving_events *serving) {
    watches *ws = calloc(1, sizeof *ws);
    if (ws) ws->serving = serving;
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

status watches_add(watches *ws, const uint8_t id[REQUEST_BYTES], void *watcher, uint64_t call,
                   uint32_t n_candidates, failure *f) {
    if (ws->n_watches == WATCHES_MAX)
        return fail(f, STATUS_BUSY, "%d requests are watched already", WATCHES_MAX);
    size_t n_own = 0;
    for (const watch *one = ws->first; one; one = one->next) n_own += one->watcher == watcher;
    if (n_own > 0 && !share_allows(n_own, WATCHES_MAX - ws->n_watches))
        return fail(f, STATUS_BUSY, "this client has its share of the %d texts that may be watched", WATCHES_MAX);
    watch *w = calloc(1, sizeof *w);
    if (!w) return fail(f, STATUS_NO_MEMORY, "no memory for another watcher");
    w->watcher = watcher;
    w->call = call;
    w->n_candidates = n_candidates;
    memcpy(w->request, id, REQUEST_BYTES);
    watch **end = &ws->first;
    while (*end) end = &(*end)->next;
    *end = w;
    ws->n_watches++;
    return STATUS_OK;
}

void watches_remove(watches *ws, watch **w) {
    watch **at = &ws->first;
    while (*at != *w) at = &(*at)->next;
    *at = (*w)->next;
    model_leave(ws, *w);
    free(*w);
    *w = NULL;
    ws->n_watches--;
}

watch *watches_first(const watches *ws) {
    return ws->first;
}

watch *watches_next(const watch *w) {
    return w->next;
}

watch *watches_of(watch *w, const uint8_t id[REQUEST_BYTES]) {
    while (w && memcmp(w->request, id, REQUEST_BYTES) != 0) w = w->next;
    return w;
}

uint32_t watches_wanted(const watches *ws, const uint8_t id[REQUEST_BYTES]) {
    uint32_t n_wanted = 0;
    for (const watch *w = watches_of(ws->first, id); w; w = watches_of(w->next, id)) {
        if (w->over == FINISH_NONE && w->n_candidates > n_wanted) n_wanted = w->n_candidates;
    }
    return n_wanted;
}

void watches_over(watches *ws, const request *r, request_finish finish, uint64_t now_us) {
    for (watch *w = watches_of(ws->first, r->id); w; w = watches_of(w->next, r->id)) {
        if (w->over != FINISH_NONE) continue;
        w->over = finish;
        w->over_us = now_us;
        w->n_tokens = request_step(r);
        w->model = r->model;
        if (w->model) ws->serving->hold(w->model);
    }
}

void watches_go_on(watches *ws, const uint8_t id[REQUEST_BYTES]) {
    for (watch *w = watches_of(ws->first, id); w; w = watches_of(w->next, id)) {
        if (w->over != FINISH_SUPERSEDED) continue;
        w->over = FINISH_NONE;
        model_leave(ws, w);
    }
}
