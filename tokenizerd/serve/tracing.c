#include "tracing.h"

#include "tokenizerd/links/asked.h"

enum {
    LINGER_MS = 50,             /* after a request's end: the trace of its last token is on the way */
    RETURN_MS = WAIT_MS,        /* after an attempt was superseded or its client lost: the next may come */
};

static void send_wanted(const tracing *ts, const request *r) {
    if (r->state != REQUEST_RUNNING) return;    /* else Open says it */
    modeld_link_watch(ts->modelds, r->modeld, r, watches_wanted(ts->watches, r));
}

void tracing_watch(tracing *ts, const sender *who, const watch_order *order) {
    failure f;
    request *r;
    status st = asked_match(ts->requests, who, order->id, order->n_id_bytes, &r, &f);
    if (st == STATUS_OK && (order->n_candidates == 0 || order->n_candidates > CANDIDATES_MAX))
        st = fail(&f, STATUS_BAD_REQUEST, "1 to %d candidates can be watched, not %u",
                  CANDIDATES_MAX, order->n_candidates);
    if (st == STATUS_OK)
        st = watches_add(ts->watches, r, &(watcher){who->client, who->owner, order->number}, order->n_candidates, &f);
    if (st != STATUS_OK) {
        client_link_failed(ts->clients, who->client, order->number, &f);
        return;
    }
    client_link_watched(ts->clients, who->client, order->number, r);
    send_wanted(ts, r);
}

static const vocab *vocab_of(const tracing *ts, const watch *w) {
    const request *r = requests_find(ts->requests, w->owner->name, w->request);
    const served_model *model = r ? r->model : w->model;
    return model ? served_model_vocab(model) : NULL;
}

void tracing_trace(tracing *ts, named_text name, const Trivium__Glimpse *trace) {
    watch *w = watches_of(watches_first(ts->watches), name.id, name.number);
    const vocab *v = w ? vocab_of(ts, w) : NULL;
    for (; v && w; w = watches_of(watches_next(w), name.id, name.number))
        client_link_trace(ts->clients, w->watcher, v, w->n_candidates, trace);
}

void tracing_client_left(tracing *ts, const peer *client) {
    for (watch *w = watches_first(ts->watches), *next; w; w = next) {
        next = watches_next(w);
        if (w->watcher != client) continue;
        request *r = requests_find(ts->requests, w->owner->name, w->request);
        watches_remove(ts->watches, &w);
        if (r) send_wanted(ts, r);
    }
}

/* Is the last word due? */
static bool is_over(const watch *w, uint64_t now_us) {
    uint64_t linger_ms = w->over == FINISH_SUPERSEDED ? RETURN_MS : LINGER_MS;
    return w->over != FINISH_NONE && now_us >= w->over_us + linger_ms * 1000;
}

void tracing_sweep(tracing *ts, uint64_t now_us) {
    for (watch *w = watches_first(ts->watches), *next; w; w = next) {
        next = watches_next(w);
        if (!is_over(w, now_us)) continue;
        client_link_watch_over(ts->clients, w->watcher, w->call, w->request, w->n_tokens, w->over);
        watches_remove(ts->watches, &w);
    }
}
