#include "watching.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/chain/strategy_wire.h"
#include "proto/net/errors.h"
#include "text_wire.h"

enum { RETRY_MS = 100 };        /* until a request that is not back yet is asked for again */

struct watching {
    text_link *link;            /* borrowed */
    const watch_request *request;   /* borrowed; NULL: nothing is watched, and the rest is zero */
    watch_events events;
    void *context;
    uint64_t number;            /* of the call that asked */
    bool begun;
    uint32_t next_step;         /* steps below it were seen */
    uint32_t attempt;           /* of the newest one that was seen, */
    strategy chain;             /* and what drew it */
    uint64_t until_us;          /* how long its owner may take to resume it elsewhere */
    timer retry_timer;
};

static void watching_clear(watching *w) {
    loop_cancel(text_link_loop(w->link), &w->retry_timer);
    strategy_clear(&w->chain);
    *w = (watching){.link = w->link};
}

watching *watching_new(text_link *link) {
    watching *w = calloc(1, sizeof *w);
    if (w) w->link = link;
    return w;
}

void watching_free(watching **w) {
    if (!*w) return;
    watching_clear(*w);
    free(*w);
    *w = NULL;
}

static void watching_finish(watching *w, const watch_end *end) {
    watch_events events = w->events;
    void *context = w->context;
    watching_clear(w);          /* so that `over` may begin the next one */
    events.over(context, end);
}

void watching_fail(watching *w, const failure *f) {
    if (w->request) watching_finish(w, &(watch_end){.code = f->code, .message = f->message});
}

static status watching_send(watching *w, failure *f) {
    w->number = text_link_new_number(w->link);
    Trivium__Watch m = TRIVIUM__WATCH__INIT;
    m.call = w->number;
    m.request = bytes_of(w->request->id, REQUEST_BYTES);
    m.n_candidates = w->request->n_candidates;
    Trivium__TextRequest message = TRIVIUM__TEXT_REQUEST__INIT;
    message.body_case = TRIVIUM__TEXT_REQUEST__BODY_WATCH;
    message.watch = &m;
    return text_link_send(w->link, &message, NULL, 0, f);
}

void watching_joined(watching *w) {
    failure f;
    if (!w->request) return;
    loop_cancel(text_link_loop(w->link), &w->retry_timer);
    w->until_us = clock_us() + text_link_wait_ms(w->link) * UINT64_C(1000);
    if (watching_send(w, &f) != STATUS_OK) watching_fail(w, &f);
}

static void on_retry(void *context) {
    watching *w = context;
    failure f;
    if (text_link_is_joined(w->link) && watching_send(w, &f) != STATUS_OK) watching_fail(w, &f);
}

status watching_begin(watching *w, const watch_request *request, const watch_events *events,
                      void *context, failure *f) {
    assert(!w->request);
    if (text_link_check(w->link, f) != STATUS_OK) return f->code;
    w->request = request;
    w->events = *events;
    w->context = context;
    status st = text_link_is_joined(w->link) ? watching_send(w, f) : STATUS_OK;
    if (st != STATUS_OK) watching_clear(w);
    return st;
}

bool watching_any(const watching *w) {
    return w->request != NULL;
}

/* ---- what comes ---- */

/* After a loss the request may still be on its way back, with its owner. */
static void on_failed(watching *w, const Trivium__Failed *failed) {
    failure f;
    if (error_from_wire(failed->error, "tokenizerd", &f) == STATUS_UNKNOWN_REQUEST && w->begun &&
        clock_us() < w->until_us) {
        loop_once(text_link_loop(w->link), &w->retry_timer, RETRY_MS, on_retry, w);
        return;
    }
    watching_fail(w, &f);
}

static void on_watched(watching *w, const Trivium__Watched *m) {
    if (m->over != TRIVIUM__FINISH_REASON__FINISH_NONE) {
        watching_finish(w, &(watch_end){.reason = finish_reason_from_wire(m->over),
                                        .n_tokens = m->step});
        return;
    }
    w->begun = true;
    w->events.begun(w->context, &(watch_start){m->model, m->n_prompt, m->step});
}

/* A step comes a second time when the text was resumed from before it: the same again, unless its owner goes
 * on with another strategy from there. */
static bool is_news(const watching *w, const Trivium__Glimpse *m, const strategy *chain) {
    bool is_old = m->attempt > 0 && m->attempt < w->attempt;    /* 0: its sampler does not say */
    if (is_old) return false;
    return m->step >= w->next_step || (m->attempt > w->attempt && !strategy_equal(chain, &w->chain));
}

static void trace_show(watching *w, const Trivium__Glimpse *m, strategy *chain) {
    watch_trace seen = {.chain = &w->chain};
    if (!token_from_wire(&seen.token, m->drawn, m->step)) return;
    strategy old = w->chain;
    w->chain = *chain;
    *chain = old;               /* each has an owner still */
    if (m->attempt > w->attempt) w->attempt = m->attempt;
    w->next_step = m->step + 1;
    w->events.seen(w->context, &seen);
    token_clear(&seen.token);
}

void watching_traced(watching *w, const Trivium__Glimpse *m) {
    if (!w->request || !m->drawn || m->request.len != REQUEST_BYTES ||
        memcmp(m->request.data, w->request->id, REQUEST_BYTES) != 0)
        return;
    failure f;
    strategy chain;
    strategy_init(&chain);
    if (strategy_from_wire(&chain, m->strategy, &f) == STATUS_OK && is_news(w, m, &chain))
        trace_show(w, m, &chain);
    strategy_clear(&chain);
}

bool watching_answered(watching *w, uint64_t number, const Trivium__TextReply *reply) {
    if (!w->request || number != w->number) return false;
    if (reply->body_case == TRIVIUM__TEXT_REPLY__BODY_FAILED) on_failed(w, reply->failed);
    else if (reply->body_case == TRIVIUM__TEXT_REPLY__BODY_WATCHED) on_watched(w, reply->watched);
    return true;
}
