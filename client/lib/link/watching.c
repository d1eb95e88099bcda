#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"
#include "proto/base/clock.h"
#include "proto/chain/strategy_wire.h"

enum { RETRY_MS = 100 };        /* until a request that is not back yet is asked for again */

struct watching {
    const watch_request *request;
    watch_events events;
    void *context;
    uint64_t number;            /* of the call that asked; as the client's calls count */
    bool begun;
    uint32_t next_step;         /* steps below it were seen */
    uint32_t attempt;           /* of the newest one that was seen, */
    strategy chain;             /* and what drew it */
    uint64_t until_us;          /* how long its owner may take to resume it elsewhere */
    int retry_timer;            /* -1: not set */
};

void watching_free(client *c) {
    if (!c->watching) return;
    timer_clear(c, &c->watching->retry_timer);
    strategy_clear(&c->watching->chain);
    free(c->watching);
    c->watching = NULL;
}

static void watching_finish(client *c, const watch_end *end) {
    watch_events events = c->watching->events;
    void *context = c->watching->context;
    watching_free(c);
    events.over(context, end);
}

void watching_fail(client *c, const failure *f) {
    if (c->watching) watching_finish(c, &(watch_end){.code = f->code, .message = f->message});
}

static status watching_send(client *c, failure *f) {
    watching *w = c->watching;
    w->number = ++c->n_calls;
    Trivium__Watch m = TRIVIUM__WATCH__INIT;
    m.call = w->number;
    m.request = (ProtobufCBinaryData){REQUEST_BYTES, (uint8_t *)w->request->id};
    m.n_candidates = w->request->n_candidates;
    Trivium__TextRequest message = TRIVIUM__TEXT_REQUEST__INIT;
    message.body_case = TRIVIUM__TEXT_REQUEST__BODY_WATCH;
    message.watch = &m;
    return client_send(c, &message, NULL, 0, f);
}

void watching_joined(client *c) {
    failure f;
    if (!c->watching) return;
    timer_clear(c, &c->watching->retry_timer);
    c->watching->until_us = clock_us() + c->wait_ms * UINT64_C(1000);
    if (watching_send(c, &f) != STATUS_OK) watching_fail(c, &f);
}

static void on_retry(void *context) {
    client *c = context;
    failure f;
    c->watching->retry_timer = -1;
    if (c->tokenizerd && watching_send(c, &f) != STATUS_OK) watching_fail(c, &f);
}

status client_watch(client *c, const watch_request *request, const watch_events *events,
                    void *context, failure *f) {
    assert(!c->watching);
    if (c->over.code != STATUS_OK) {
        *f = c->over;
        return f->code;
    }
    watching *w = calloc(1, sizeof *w);
    if (!w) return fail(f, STATUS_NO_MEMORY, "no memory to watch");
    *w = (watching){.request = request, .events = *events, .context = context, .retry_timer = -1};
    c->watching = w;
    status st = c->tokenizerd ? watching_send(c, f) : STATUS_OK;
    if (st != STATUS_OK) watching_free(c);
    return st;
}

/* ---- what comes ---- */

/* After a loss the request may still be on its way back, with its owner. */
static void on_failed(client *c, const Trivium__Failed *failed) {
    watching *w = c->watching;
    failure f;
    if (error_from_wire(failed->error, "tokenizerd", &f) == STATUS_UNKNOWN_REQUEST && w->begun &&
        clock_us() < w->until_us) {
        w->retry_timer = loop_once(c->loop, RETRY_MS, on_retry, c);
        if (w->retry_timer >= 0) return;
    }
    watching_fail(c, &f);
}

static void on_watched(client *c, const Trivium__Watched *m) {
    watching *w = c->watching;
    if (m->over != TRIVIUM__FINISH_REASON__FINISH_NONE) {
        watching_finish(c, &(watch_end){.reason = finish_reason_from_wire(m->over), .n_tokens = m->step});
        return;
    }
    w->begun = true;
    w->events.begun(w->context, &(watch_start){m->model, m->n_prompt, m->step});
}

/* A step comes a second time when the text was resumed behind it: the same again, unless its owner goes
 * on with another strategy from there. */
static bool is_news(const watching *w, const Trivium__Glimpse *m, const strategy *chain) {
    bool is_old = m->attempt > 0 && m->attempt < w->attempt;    /* 0: its sampler does not say */
    if (is_old) return false;
    return m->step >= w->next_step || (m->attempt > w->attempt && !strategy_equal(chain, &w->chain));
}

static void glimpse_show(watching *w, const Trivium__Glimpse *m, strategy *chain) {
    glimpse seen = {.chain = &w->chain};
    if (!token_from_wire(&seen.token, m->drawn, m->step)) return;
    strategy old = w->chain;
    w->chain = *chain;
    *chain = old;               /* each has an owner still */
    if (m->attempt > w->attempt) w->attempt = m->attempt;
    w->next_step = m->step + 1;
    w->events.seen(w->context, &seen);
    token_clear(&seen.token);
}

static void on_glimpse(client *c, const Trivium__Glimpse *m) {
    watching *w = c->watching;
    if (!m->drawn || m->request.len != REQUEST_BYTES ||
        memcmp(m->request.data, w->request->id, REQUEST_BYTES) != 0)
        return;
    failure f;
    strategy chain;
    strategy_init(&chain);
    if (strategy_from_wire(&chain, m->strategy, &f) == STATUS_OK && is_news(w, m, &chain))
        glimpse_show(w, m, &chain);
    strategy_clear(&chain);
}

bool watching_message(client *c, const Trivium__TextReply *reply) {
    bool is_glimpse = reply->body_case == TRIVIUM__TEXT_REPLY__BODY_GLIMPSE;
    if (!c->watching) return is_glimpse;
    if (is_glimpse) on_glimpse(c, reply->glimpse);
    else if (answer_number(reply) != c->watching->number) return false;
    else if (reply->body_case == TRIVIUM__TEXT_REPLY__BODY_FAILED) on_failed(c, reply->failed);
    else if (reply->body_case == TRIVIUM__TEXT_REPLY__BODY_WATCHED) on_watched(c, reply->watched);
    return true;
}
