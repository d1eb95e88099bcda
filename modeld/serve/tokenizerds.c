#include "tokenizerds.h"

#include <assert.h>
#include <stdlib.h>

#include "modeld/links/tokenizerd_answer.h"
#include "proto/base/carried/traceparent.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/net/endpoint/endpoint.h"
#include "proto/net/names/join_table.h"

struct tokenizerds {
    tokenizerds_options options;
    tokenizerd_link_options how; /* each of them is joined */
    join_table *joins;                /* their links: each owns the sequences that it opened */
    wakeup first_report;         /* to one that has joined: what it is to send us goes by that */
    uint64_t n_garbage;          /* of links that were left */
    bool is_draining;
    failure refusal; /* the last one's, when all have refused; else code STATUS_OK */
};

/* ---- texts ---- */

/* The last word on one that was never opened. */
static void refuse_text(const job *asked, sequence_end why, const failure *f) {
    text_name name = {asked->text.request, asked->text.attempt, asked->text.number};
    tokenizerd_answer_closed(asked->from, name, &(told_end){.why = why, .failure = f});
}

static void log_opened(const sequence *q) {
    char digits[2 * REQUEST_BYTES + 1], trace[TRACE_WORD_BYTES];
    text_hex(sequence_text(q)->request, REQUEST_BYTES, digits);
    log_event(LOG_DEBUG, "opened", "request=%s%s attempt=%u step=%u", digits,
              traceparent_word(q->traceparent, trace), sequence_text(q)->attempt, sequence_step(q));
}

static void on_open(void *context, const job *asked, const failure *unreadable) {
    tokenizerds *t = context;
    const text_job *text = &asked->text;
    sequence *q = sequences_find(t->options.sequences, asked->owner ? asked->owner : "", text->request);
    if (q && sequence_text(q)->attempt >= text->attempt) {
        refuse_text(asked, END_SUPERSEDED, NULL);
        return;
    }
    if (q) endings_tell(t->options.endings, q, END_SUPERSEDED, NULL);
    failure f;
    if (unreadable) refuse_text(asked, END_ERROR, unreadable);
    else if (sequences_open(t->options.sequences, asked, clock_us(), &q, &f) != STATUS_OK)
        refuse_text(asked, END_ERROR, &f);
    else {
        log_opened(q);
        if (sequence_over(q) != END_NONE) endings_tell(t->options.endings, q, sequence_over(q), NULL);
    }
    wakeup_set(t->options.turn, 0);
}

/* The open text that is meant; NULL: it has ended and its Closed is on the way, or it was never ours. */
static sequence *find_text(const tokenizerds *t, const tokenizerd_link *from, text_name text) {
    sequence *q = sequences_find_text(t->options.sequences, from, text.request, text.number);
    return q && sequence_text(q)->attempt == text.attempt ? q : NULL;
}

static void on_retune(void *context, tokenizerd_link *from, text_name text, uint32_t change,
                      const strategy *wanted, const failure *unreadable) {
    tokenizerds *t = context;
    sequence *q = find_text(t, from, text);
    if (!q) return;
    failure f;
    uint32_t first_step = 0;
    if (unreadable) f = *unreadable;
    else if (sequences_retune(q, change, wanted, &first_step, &f) == STATUS_OK) {
        tokenizerd_answer_retuned(from, text, change, first_step);
        return;
    }
    if (f.code == STATUS_NO_MEMORY || f.code == STATUS_BUSY) endings_tell(t->options.endings, q, END_ERROR, &f);
    else garbage_count(t->options.garbage, "retune");
}

static void on_watch(void *context, tokenizerd_link *from, text_name text, uint32_t n_watched) {
    sequence *q = find_text(context, from, text);
    if (q) sequence_text(q)->n_watched = n_watched;
}

static void on_close(void *context, tokenizerd_link *from, text_name text) {
    tokenizerds *t = context;
    sequence *q = find_text(t, from, text);
    if (q) endings_tell(t->options.endings, q, END_ASKED, NULL);
}

/* ---- calls ---- */

static void on_call(void *context, const job *asked, const failure *unreadable) {
    tokenizerds *t = context;
    failure f;
    sequence *q = NULL;
    status st = unreadable ? unreadable->code
                           : sequences_open(t->options.sequences, asked, clock_us(), &q, &f);
    if (st != STATUS_OK)
        tokenizerd_answer_failed(asked->from, job_call(asked), unreadable ? unreadable : &f);
    wakeup_set(t->options.turn, 0);
}

/* None of this number: it was answered, and the answer is on its way. */
static void on_close_call(void *context, tokenizerd_link *from, uint64_t call) {
    tokenizerds *t = context;
    departing_cancel(t->options.departing, from, call);
    sequence *q = sequences_find_call(t->options.sequences, from, call);
    if (!q) return;
    char trace[TRACE_WORD_BYTES];
    log_event(LOG_DEBUG, "call_closed", "call=%llu%s", (unsigned long long)call,
              traceparent_word(q->traceparent, trace));
    endings_untold(t->options.endings, q);
}

/* ---- draining ---- */

static void on_drain(void *context, tokenizerd_link *from, const drain_worker *order) {
    tokenizerds *t = context;
    departing_order(t->options.departing, from, order);
}

/* ---- tokenizerds come and go ---- */

/* Keys and values stay as cache. Traces that come late are for nobody: the link may be freed next. */
static void on_over(void *context, tokenizerd_link *from) {
    tokenizerds *t = context;
    sequence *next = NULL;
    for (sequence *q = sequences_first(t->options.sequences); q; q = next) {
        next = sequences_next(q);
        if (q->from != from) continue;
        if (q->kind == SEQUENCE_TEXT) departing_texts_lost(t->options.departing);
        endings_untold(t->options.endings, q);
    }
    sequences_forget_link(t->options.sequences, from);
    departing_forget(t->options.departing, from);
    wakeup_set(t->options.turn, 0);
}

static bool asks_who(void *context, const char *address) {
    const tokenizerds *t = context;
    return join_table_asks_who(t->joins, address);
}

static bool on_met(void *context, tokenizerd_link *at, uint64_t incarnation) {
    tokenizerds *t = context;
    return join_table_met(t->joins, at, incarnation);
}

static void on_joined(void *context, tokenizerd_link *from, uint64_t incarnation) {
    tokenizerds *t = context;
    join_table_joined(t->joins, from, incarnation);
    wakeup_set(&t->first_report, 0);        /* after our Hello, and its */
}

static void on_lost(void *context, tokenizerd_link *from) {
    tokenizerds *t = context;
    join_table_lost(t->joins, from);
}

static void on_refused(void *context, tokenizerd_link *from, const failure *why) {
    tokenizerds *t = context;
    join_table_refused(t->joins, from);
    if (!join_table_all_refused(t->joins)) return;
    t->refusal = *why;
    loop_stop(t->options.loop);
}

static const tokenizerd_link_events events = {
    .open = on_open,
    .retune = on_retune,
    .watch = on_watch,
    .close = on_close,
    .call = on_call,
    .close_call = on_close_call,
    .asks_who = asks_who,
    .met = on_met,
    .joined = on_joined,
    .lost = on_lost,
    .drain = on_drain,
    .over = on_over,
    .refused = on_refused,
};

/* ---- all of them ---- */

static void report_now(void *context) {
    tokenizerds_beat(context);
}

tokenizerds *tokenizerds_new(const tokenizerds_options *options) {
    tokenizerds *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->options = *options;
    t->refusal.code = STATUS_OK;
    t->first_report = (wakeup){.loop = options->loop, .handler = report_now, .context = t};
    return t;
}

static void *join(void *context, const char *address, failure *f) {
    tokenizerds *t = context;
    tokenizerd_link *link;
    t->how.address = address;
    tokenizerd_link_new(&link, t->options.loop, &t->how, f);
    if (link && t->is_draining) tokenizerd_link_drain(link);
    return link;
}

static void leave(void *context, void *link_pointer) {
    tokenizerds *t = context;
    tokenizerd_link *link = link_pointer;
    t->n_garbage += tokenizerd_link_garbage(link);
    on_over(t, link);
    tokenizerd_link_free(&link);
}

status tokenizerds_join(tokenizerds *t, const char *const *endpoints, size_t n_endpoints, const tokenizerd_link_options *how,
                        failure *f) {
    assert(!t->joins);
    const endpoint_options guard = {.keys = how->keys, .insecure = how->insecure};
    if (endpoint_check_joins(endpoints, n_endpoints, &guard, f) != STATUS_OK) return f->code;
    t->how = *how;
    t->how.events = &events;
    t->how.context = t;
    return join_table_new(&t->joins, t->options.loop, endpoints, n_endpoints, &(join_table_events){join, leave}, t, f);
}

void tokenizerds_free(tokenizerds **t) {
    if (!*t) return;
    join_table_free(&(*t)->joins);
    wakeup_cancel(&(*t)->first_report);
    free(*t);
    *t = NULL;
}

/* The first link of number *i or a later one, and *i its number; NULL: there is none. */
static tokenizerd_link *link_from(const tokenizerds *t, size_t *i) {
    tokenizerd_link *link = NULL;
    while (t->joins && *i < JOINS_MAX && !(link = join_table_link(t->joins, *i))) ++*i;
    return link;
}

void tokenizerds_drain(tokenizerds *t) {
    tokenizerd_link *link;
    t->is_draining = true;
    for (size_t i = 0; (link = link_from(t, &i)); i++) tokenizerd_link_drain(link);
}

bool tokenizerds_have_sent(const tokenizerds *t) {
    const tokenizerd_link *link;
    for (size_t i = 0; (link = link_from(t, &i)); i++)
        if (!tokenizerd_link_has_sent(link)) return false;
    return true;
}

void tokenizerds_beat(tokenizerds *t) {
    tokenizerd_link *link;
    for (size_t i = 0; (link = link_from(t, &i)); i++) tokenizerd_link_beat(link);
}

void tokenizerds_trace(tokenizerds *t, const Trivium__Glimpse *g) {
    text_home where;
    if (!sequences_text_of(t->options.sequences, g->ticket, g->request.data, &where)) return;
    Trivium__Glimpse named = *g;
    named.ticket = 0;
    named.number = where.number;
    tokenizerd_answer_trace(where.from, &named);
}

uint64_t tokenizerds_garbage(const tokenizerds *t) {
    uint64_t n_messages = t->n_garbage;
    const tokenizerd_link *link;
    for (size_t i = 0; (link = link_from(t, &i)); i++) n_messages += tokenizerd_link_garbage(link);
    return n_messages;
}

const failure *tokenizerds_refusal(const tokenizerds *t) {
    return t->refusal.code == STATUS_OK ? NULL : &t->refusal;
}
