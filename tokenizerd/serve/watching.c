/* Watching: glimpses of a request for who did not ask for it. Nothing waits for a watcher. */
#include "service_parts.h"

enum {
    LINGER_MS = 50,             /* after a request's end: the glimpse of its last token is on the way */
    RETURN_MS = WAIT_MS,        /* after an attempt was superseded or its owner lost: the next may come */
};

static void send_wanted(service *s, const request *r) {
    if (r->state != REQUEST_RUNNING) return;    /* else Open says it */
    modeld_link_watch(s->modelds, r->worker, r, watches_wanted(s->watches, r->id));
}

void watch_asked(service *s, peer *client, const watch_order *order) {
    failure f;
    request *r;
    status st = requests_match(s->requests, order->id, order->n_id_bytes, &r, &f);
    if (st == STATUS_OK && (order->n_candidates == 0 || order->n_candidates > CANDIDATES_MAX))
        st = fail(&f, STATUS_BAD_REQUEST, "1 to %d candidates can be watched, not %u",
                  CANDIDATES_MAX, order->n_candidates);
    if (st == STATUS_OK)
        st = watches_add(s->watches, r->id, client, order->number, order->n_candidates, &f);
    if (st != STATUS_OK) {
        client_link_failed(s->clients, client, order->number, &f);
        return;
    }
    client_link_watched(s->clients, client, order->number, r);
    send_wanted(s, r);
}

static const vocab *vocab_of(service *s, const watch *w) {
    const request *r = requests_find(s->requests, w->request);
    const served_model *model = r ? r->model : w->model;
    return model ? served_model_vocab(model) : NULL;
}

void watch_trace(service *s, const uint8_t id[REQUEST_BYTES], const Trivium__Glimpse *trace) {
    watch *w = watches_of(watches_first(s->watches), id);
    const vocab *v = w ? vocab_of(s, w) : NULL;
    for (; v && w; w = watches_of(watches_next(w), id))
        client_link_trace(s->clients, w->watcher, v, w->n_candidates, trace);
}

void watches_of_client_lost(service *s, const peer *client) {
    for (watch *w = watches_first(s->watches), *next; w; w = next) {
        next = watches_next(w);
        if (w->watcher != client) continue;
        request *r = requests_find(s->requests, w->request);
        watches_remove(s->watches, &w);
        if (r) send_wanted(s, r);
    }
}

/* Has the last word been due since? */
static bool is_over(const watch *w, uint64_t now_us) {
    uint64_t linger_ms = w->over == FINISH_SUPERSEDED ? RETURN_MS : LINGER_MS;
    return w->over != FINISH_NONE && now_us >= w->over_us + linger_ms * 1000;
}

void watches_look_after(service *s, uint64_t now_us) {
    for (watch *w = watches_first(s->watches), *next; w; w = next) {
        next = watches_next(w);
        if (!is_over(w, now_us)) continue;
        client_link_watch_over(s->clients, w->watcher, w->call, w->request, w->n_tokens, w->over);
        watches_remove(s->watches, &w);
    }
}
