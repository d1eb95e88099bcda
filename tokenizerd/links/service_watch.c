/* Watching: glimpses of a request for who did not ask for it. Nothing waits for a watcher. */
#include <stdlib.h>

#include "service_parts.h"

enum {
    LINGER_MS = 50,             /* after a request's end: the glimpse of its last token is on the way */
    RETURN_MS = WAIT_MS,        /* after an attempt was superseded or its owner lost: the next may come */
};

static void send_wanted(service *s, const request *r) {
    if (r->state != REQUEST_RUNNING) return;    /* else Open says it */
    Trivium__WatchText watch_text = TRIVIUM__WATCH_TEXT__INIT;
    watch_text.request = bytes_to_wire(r->id, sizeof r->id);
    watch_text.attempt = r->attempt;
    watch_text.n_watched = watches_wanted(s->watches, r->id);
    Trivium__TokensRequest m = TRIVIUM__TOKENS_REQUEST__INIT;
    m.body_case = TRIVIUM__TOKENS_REQUEST__BODY_WATCH;
    m.watch = &watch_text;
    modeld_tell(s, r->worker, &m);
}

static void send_watched(service *s, peer *watcher, Trivium__Watched *watched) {
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_WATCHED;
    m.watched = watched;
    client_answer(s, watcher, watched->call, &m, NULL, 0);
}

void watch_asked(service *s, peer *client, const Trivium__Watch *m) {
    failure f;
    request *r;
    status st = requests_match(s->requests, m->request.data, m->request.len, &r, &f);
    if (st == STATUS_OK && (m->n_candidates == 0 || m->n_candidates > CANDIDATES_MAX))
        st = fail(&f, STATUS_BAD_REQUEST, "1 to %d candidates can be watched, not %u",
                  CANDIDATES_MAX, m->n_candidates);
    if (st == STATUS_OK)
        st = watches_add(s->watches, r->id, client, m->call, m->n_candidates, &f);
    if (st != STATUS_OK) {
        client_fail(s, client, m->call, &f);
        return;
    }
    Trivium__Watched watched = TRIVIUM__WATCHED__INIT;
    watched.call = m->call;
    watched.request = bytes_to_wire(r->id, sizeof r->id);
    watched.model = r->model_name;
    watched.n_prompt = (uint32_t)r->n_prompt;
    watched.step = request_step(r);
    send_watched(s, client, &watched);
    send_wanted(s, r);
}

/* One of several who watch may want fewer candidates: the likeliest are first. */
static void offer_glimpse(service *s, const watch *w, Trivium__Glimpse *g) {
    Trivium__Drawn drawn = *g->drawn;
    if (drawn.n_candidates > w->n_candidates) drawn.n_candidates = w->n_candidates;
    Trivium__Glimpse cut = *g;
    cut.drawn = &drawn;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_GLIMPSE;
    m.glimpse = &cut;
    peers_offer(s->clients, w->watcher, &m.base);
}

static const vocab *vocab_of(service *s, const watch *w) {
    const request *r = requests_find(s->requests, w->request);
    const served_model *model = r ? r->model : w->model;
    return model ? served_model_vocab(model) : NULL;
}

void watch_glimpse(service *s, const Trivium__Glimpse *m) {
    if (m->request.len != REQUEST_BYTES || !m->drawn || m->drawn->n_candidates > CANDIDATES_MAX) {
        service_garbage(s, "glimpse");
        return;
    }
    watch *w = watches_of(watches_first(s->watches), m->request.data);
    const vocab *v = w ? vocab_of(s, w) : NULL;
    if (!v || m->drawn->id < 0 || (uint32_t)m->drawn->id >= vocab_size(v)) return;
    Trivium__Drawn drawn;
    if (drawn_with_text(v, m->drawn, &drawn) != STATUS_OK) return;
    Trivium__Glimpse glimpse = *m;
    glimpse.drawn = &drawn;
    for (; w; w = watches_of(watches_next(w), m->request.data)) offer_glimpse(s, w, &glimpse);
    free(drawn.candidates);
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
        Trivium__Watched watched = TRIVIUM__WATCHED__INIT;
        watched.call = w->call;
        watched.request = bytes_to_wire(w->request, sizeof w->request);
        watched.step = w->n_tokens;
        watched.over = (Trivium__FinishReason)w->over;
        send_watched(s, w->watcher, &watched);
        watches_remove(s->watches, &w);
    }
}
