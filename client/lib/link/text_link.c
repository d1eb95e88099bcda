#include "text_link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoints_text.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/net/errors.h"
#include "proto/net/peer.h"
#include "text_wire.h"

enum {
    HANDSHAKE_MS_MIN = 500,     /* even --wait 0 leaves time to find a tokenizerd that is there */
    TURN_MS = 500,              /* for each of several endpoints */
    SENTENCE_BYTES = 1024,      /* of what is waited for; the rest is left out */
};

struct text_link {
    loop *loop;                 /* borrowed */
    text_link_events events;
    void *context;
    const char *const *endpoints;   /* [n_endpoints], borrowed */
    size_t n_endpoints, at;
    keys *keys;
    bool insecure;
    endpoint_reach reached[JOINS_MAX];  /* [n_endpoints], when it was last left */
    uint64_t drained[JOINS_MAX];    /* [n_endpoints]: who drained there, and was left for another; 0: nobody */
    uint32_t wait_ms;
    bool has_own_wait;
    char told[SENTENCE_BYTES];  /* what is waited for, since a text or call last went on; "": nothing was said */
    peers *peers;               /* at endpoints[at]; NULL once it is over */
    peer *tokenizerd;           /* NULL while none is joined */
    bool is_leaving;            /* it drains, and is left for another one when nothing is under way there */
    uint64_t incarnation;
    int wait_timer, notice_timer, turn_timer, joined_timer, leave_timer;    /* -1: not set */
    failure over;               /* code is not STATUS_OK: it is over, and why */
    failure refusal;            /* code is not STATUS_OK: how a tokenizerd refused us */
    uint64_t n_numbers;         /* that calls got so far */
};

loop *text_link_loop(const text_link *link) {
    return link->loop;
}

uint32_t text_link_wait_ms(const text_link *link) {
    return link->wait_ms;
}

uint32_t text_link_wire_wait_ms(const text_link *link) {
    return link->has_own_wait ? link->wait_ms : 0;
}

/* What is asked before `joined` is told waits for it: else it would be sent twice. */
bool text_link_is_joined(const text_link *link) {
    return link->tokenizerd != NULL && link->joined_timer < 0;
}

bool text_link_takes(const text_link *link) {
    return text_link_is_joined(link) && !link->is_leaving;
}

status text_link_check(const text_link *link, failure *f) {
    if (link->over.code != STATUS_OK) *f = link->over;
    return link->over.code;
}

uint64_t text_link_new_number(text_link *link) {
    return ++link->n_numbers;
}

static void timer_clear(const text_link *link, int *timer) {
    if (*timer >= 0) loop_cancel(link->loop, *timer);
    *timer = -1;
}

static void timers_clear(text_link *link) {
    timer_clear(link, &link->wait_timer);
    timer_clear(link, &link->notice_timer);
    timer_clear(link, &link->turn_timer);
    timer_clear(link, &link->joined_timer);
    timer_clear(link, &link->leave_timer);
}

/* ---- the wait for a tokenizerd ---- */

/* Several that wait for one thing are told once. */
static void tell_waiting(text_link *link, const char *sentence) {
    if (!link->events.waiting || strcmp(link->told, sentence) == 0) return;
    snprintf(link->told, sizeof link->told, "%s", sentence);
    link->events.waiting(link->context, sentence);
}

static void on_notice(void *context) {
    text_link *link = context;
    link->notice_timer = -1;
    char where[SENTENCE_BYTES - 64], sentence[SENTENCE_BYTES];
    endpoints_text(link->endpoints, link->n_endpoints, NULL, where, sizeof where);
    snprintf(sentence, sizeof sentence, "waiting for tokenizerd at %s, for up to %g s", where, link->wait_ms / 1000.0);
    tell_waiting(link, sentence);
}

/* Leave the endpoint whose turn it is. */
static void unjoin(text_link *link) {
    if (!link->peers) return;
    link->reached[link->at] = peers_reached(link->peers);
    peers_free(&link->peers);
}

static void give_up(text_link *link, const failure *why) {
    link->over = *why;
    timers_clear(link);
    link->tokenizerd = NULL;
    unjoin(link);
    link->events.over(link->context, &link->over);
}

static void on_wait_over(void *context) {
    text_link *link = context;
    link->wait_timer = -1;
    failure f = link->refusal;
    if (f.code == STATUS_OK) {
        char where[sizeof f.message];
        unjoin(link);
        endpoints_text(link->endpoints, link->n_endpoints, link->reached, where, sizeof where);
        fail(&f, STATUS_NO_TOKENIZERD, "no tokenizerd answers at %s", where);
    }
    give_up(link, &f);
}

static status notice_begin(text_link *link, failure *f) {
    if (!link->events.waiting || link->wait_ms <= NOTICE_MS || link->notice_timer >= 0) return STATUS_OK;
    link->notice_timer = loop_once(link->loop, NOTICE_MS, on_notice, link);
    return link->notice_timer >= 0 ? STATUS_OK : fail(f, STATUS_NO_MEMORY, "no memory for a timer");
}

static status wait_begin(text_link *link, uint32_t ms_min, failure *f) {
    if (link->wait_timer >= 0) return STATUS_OK;
    uint32_t wait_ms = link->wait_ms > ms_min ? link->wait_ms : ms_min;
    link->wait_timer = loop_once(link->loop, wait_ms, on_wait_over, link);
    return link->wait_timer >= 0 ? STATUS_OK : fail(f, STATUS_NO_MEMORY, "no memory for a timer");
}

/* ---- joining, one endpoint at a time ---- */

static status join(text_link *link, failure *f);

static void join_next(text_link *link) {
    unjoin(link);
    link->at = (link->at + 1) % link->n_endpoints;
    failure f;
    if (join(link, &f) != STATUS_OK) give_up(link, &f);
}

static void on_turn(void *context) {
    text_link *link = context;
    link->turn_timer = -1;
    if (!link->tokenizerd) join_next(link);
}

/* The next endpoint, from the loop: an event of the peers must not free them. */
static void turn_after(text_link *link, uint32_t delay_ms) {
    timer_clear(link, &link->turn_timer);
    if (link->n_endpoints > 1) link->turn_timer = loop_once(link->loop, delay_ms, on_turn, link);
}

/* ---- a tokenizerd that drains, where another one may be ----
 *
 * What runs there goes on there; once nothing does, it is left, and what is new begins at the next endpoint. Where none
 * answers, its turn comes again, and it is taken for what it is. */

static void on_leave_turn(void *context) {
    text_link *link = context;
    failure f;
    link->leave_timer = -1;
    if (!link->is_leaving || link->events.under_way(link->context)) return;
    link->is_leaving = false;
    link->tokenizerd = NULL;
    link->events.lost(link->context);
    wait_begin(link, HANDSHAKE_MS_MIN + (uint32_t)link->n_endpoints * TURN_MS, &f);     /* all have their turn */
    notice_begin(link, &f);
    join_next(link);
}

/* From the loop: an event of the peers must not free them. */
static void leave_if_idle(text_link *link) {
    if (!link->is_leaving || !text_link_is_joined(link) || link->leave_timer >= 0) return;
    if (!link->events.under_way(link->context)) link->leave_timer = loop_once(link->loop, 0, on_leave_turn, link);
}

static void on_draining(void *context, peer *p) {
    text_link *link = context;
    uint64_t *drained = &link->drained[link->at];
    if (link->n_endpoints == 1 || *drained == peer_incarnation(p)) return;
    *drained = peer_incarnation(p);
    link->is_leaving = true;
    leave_if_idle(link);
}

/* ---- who joins, leaves or refuses ---- */

static void on_joined_turn(void *context) {
    text_link *link = context;
    link->joined_timer = -1;
    if (!link->tokenizerd) return;
    link->events.joined(link->context);
    leave_if_idle(link);
}

static status on_joined(void *context, peer *p, const Trivium__Hello *hello, failure *f) {
    text_link *link = context;
    if (hello->role != TRIVIUM__ROLE__TOKENIZERD) {
        fail(f, STATUS_BAD_REQUEST, "what listens at %s is no tokenizerd", link->endpoints[link->at]);
        link->refusal = *f;
        turn_after(link, 0);
        return f->code;
    }
    link->tokenizerd = p;
    link->refusal.code = STATUS_OK;
    link->told[0] = '\0';
    timers_clear(link);
    link->joined_timer = loop_once(link->loop, 0, on_joined_turn, link);
    return STATUS_OK;
}

static void on_left(void *context, peer *p, const char *why) {
    (void)p;
    (void)why;
    text_link *link = context;
    link->tokenizerd = NULL;
    link->is_leaving = false;
    link->events.lost(link->context);
    turn_after(link, 0);
    failure f;
    wait_begin(link, HANDSHAKE_MS_MIN, &f);
    notice_begin(link, &f);
}

static void on_refused_turn(void *context) {
    text_link *link = context;
    link->turn_timer = -1;
    if (!link->tokenizerd) give_up(link, &link->refusal);
}

/* A full tokenizerd may have room later; any other refusal is final, unless there is another
 * endpoint to try. */
static void on_refused(void *context, const Trivium__Error *error) {
    text_link *link = context;
    error_from_wire(error, "tokenizerd", &link->refusal);
    timer_clear(link, &link->turn_timer);
    if (link->n_endpoints > 1) turn_after(link, 0);
    else if (link->refusal.code != STATUS_BUSY)
        link->turn_timer = loop_once(link->loop, 0, on_refused_turn, link);
}

/* ---- what comes ---- */

static void on_heartbeat(void *context, peer *p, Trivium__Heartbeat *beat) {
    (void)p;
    text_link *link = context;
    link->events.beat(link->context, beat);
    leave_if_idle(link);
}

/* What tokenizerd itself waits for. */
static void on_waiting(text_link *link, const Trivium__Waiting *m) {
    char sentence[SENTENCE_BYTES];
    if (text_sentence(m->message, sentence, sizeof sentence) > 0) tell_waiting(link, sentence);
}

static void on_message(void *context, peer *p, const wire_message *m) {
    (void)p;
    text_link *link = context;
    const text_link_events *events = &link->events;
    const Trivium__TextReply *reply = (const Trivium__TextReply *)m->header;
    uint64_t number;
    if (reply->body_case == TRIVIUM__TEXT_REPLY__BODY_WAITING) {
        on_waiting(link, reply->waiting);
        return;
    }
    link->told[0] = '\0';
    switch (reply->body_case) {
    case TRIVIUM__TEXT_REPLY__BODY_STARTED:
        events->started(link->context, m, reply->started);
        break;
    case TRIVIUM__TEXT_REPLY__BODY_CHUNK: events->chunk(link->context, reply->chunk); break;
    case TRIVIUM__TEXT_REPLY__BODY_DONE: events->done(link->context, reply->done); break;
    case TRIVIUM__TEXT_REPLY__BODY_GLIMPSE: events->traced(link->context, reply->glimpse); break;
    default:
        number = call_number_of(reply);
        if (number != 0) events->answered(link->context, number, m, reply);
    }
    leave_if_idle(link);
}

/* An answer of which not all came is none: what it belongs to ends with that. */
static void on_refuse(void *context, peer *p, const wire_message *m, const failure *why) {
    (void)p;
    text_link *link = context;
    const Trivium__TextReply *reply = (const Trivium__TextReply *)m->header;
    Trivium__Error error = error_to_wire(why);
    if (reply->body_case == TRIVIUM__TEXT_REPLY__BODY_STARTED) {
        Trivium__Done done = TRIVIUM__DONE__INIT;
        done.request = reply->started->request;
        done.attempt = reply->started->attempt;
        done.reason = TRIVIUM__FINISH_REASON__FINISH_ERROR;
        done.error = &error;
        link->events.done(link->context, &done);
        return;
    }
    Trivium__Failed failed = TRIVIUM__FAILED__INIT;
    Trivium__TextReply told = TRIVIUM__TEXT_REPLY__INIT;
    told.body_case = TRIVIUM__TEXT_REPLY__BODY_FAILED;
    told.failed = &failed;
    failed.call = call_number_of(reply);
    failed.error = &error;
    if (failed.call != 0) link->events.answered(link->context, failed.call, m, &told);
}

static status join(text_link *link, failure *f) {
    Trivium__Hello hello = TRIVIUM__HELLO__INIT;
    hello.role = TRIVIUM__ROLE__CLIENT;
    hello.name = (char *)"trivium";
    const endpoint_options where = {
        .address = link->endpoints[link->at],
        .high_water = HIGH_WATER_MESSAGES,
        .link = LINK_TEXT,
        .keys = link->keys,
        .insecure = link->insecure,
    };
    const peers_options who = {
        .incoming = &trivium__text_reply__descriptor,
        .hello = &hello,
        .incarnation = link->incarnation,
        .heartbeat_ms = HEARTBEAT_MS,
        .liveness = LIVENESS_BOTH,
        .counts_sent_itself = true, /* it says no more than it was asked to */
        .events = {
            .joined = on_joined,
            .left = on_left,
            .message = on_message,
            .refuse = on_refuse,
            .heartbeat = on_heartbeat,
            .draining = on_draining,
            .refused = on_refused,
        },
        .context = link,
    };
    status st = peers_join(&link->peers, link->loop, &where, &who, f);
    if (st == STATUS_OK) turn_after(link, TURN_MS);
    return st;
}

status text_link_send(text_link *link, Trivium__TextRequest *m, const wire_raw *raw, size_t n_raw,
                      failure *f) {
    assert(link->tokenizerd);
    status st = peers_send(link->peers, link->tokenizerd, &m->base, raw, n_raw);
    switch (st) {
    case STATUS_OK:
    case STATUS_BUSY: return STATUS_OK;         /* cut: `left` follows from the loop */
    case STATUS_TOO_LONG: return fail(f, st, "the request is longer than a message may be");
    default: return fail(f, st, "no memory for a message");
    }
}

/* ---- its life ---- */

text_link *text_link_new(loop *l, const text_link_options *options, const text_link_events *events,
                         void *context, failure *f) {
    assert(options->n_endpoints > 0 && options->n_endpoints <= JOINS_MAX);
    text_link *link = calloc(1, sizeof *link);
    if (!link) {
        fail(f, STATUS_NO_MEMORY, "no memory for a connection");
        return NULL;
    }
    link->loop = l;
    link->events = *events;
    link->context = context;
    link->endpoints = options->endpoints;
    link->n_endpoints = options->n_endpoints;
    link->wait_ms = options->wait_ms > 0 ? options->wait_ms : 1;   /* on the wire 0 means that nobody said */
    link->has_own_wait = options->has_own_wait;
    link->keys = options->keys;
    link->insecure = options->insecure;
    link->wait_timer = link->notice_timer = link->turn_timer = link->joined_timer = link->leave_timer = -1;
    link->incarnation = peers_incarnation();
    if (join(link, f) != STATUS_OK || wait_begin(link, HANDSHAKE_MS_MIN, f) != STATUS_OK || notice_begin(link, f) != STATUS_OK)
        text_link_free(&link);
    return link;
}

void text_link_free(text_link **link) {
    if (!*link) return;
    timers_clear(*link);
    peers_free(&(*link)->peers);
    free(*link);
    *link = NULL;
}
