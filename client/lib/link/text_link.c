#include "text_link.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "proto/net/errors.h"
#include "text_link_parts.h"
#include "text_wire.h"

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
    return link->tokenizerd != NULL && !timer_is_set(&link->joined_timer);
}

bool text_link_takes(const text_link *link) {
    return text_link_is_joined(link) && !link->is_draining;
}

status text_link_check(const text_link *link, failure *f) {
    if (link->over.code != STATUS_OK) *f = link->over;
    return link->over.code;
}

uint64_t text_link_new_number(text_link *link) {
    return ++link->n_numbers;
}

void text_link_timers_clear(text_link *link) {
    loop_cancel(link->loop, &link->wait_timer);
    loop_cancel(link->loop, &link->notice_timer);
    loop_cancel(link->loop, &link->turn_timer);
    loop_cancel(link->loop, &link->joined_timer);
    loop_cancel(link->loop, &link->leave_timer);
}

/* ---- the end ---- */

void text_link_unjoin(text_link *link) {
    if (!link->peers) return;
    places_reached(link->places, peers_reached(link->peers));
    peers_free(&link->peers);
}

void text_link_give_up(text_link *link, const failure *why) {
    link->over = *why;
    text_link_timers_clear(link);
    link->tokenizerd = NULL;
    text_link_unjoin(link);
    link->events.over(link->context, &link->over);
}

/* ---- joining, one place at a time ---- */

static status join(text_link *link, failure *f);
static void on_turn(void *context);

/* The next place, from the loop: an event of the peers must not free them. */
static void turn_after(text_link *link, uint32_t delay_ms) {
    loop_cancel(link->loop, &link->turn_timer);
    if (places_are_several(link->places)) loop_once(link->loop, &link->turn_timer, delay_ms, on_turn, link);
}

void text_link_join_next(text_link *link) {
    failure f;
    text_link_unjoin(link);
    places_next(link->places);
    if (join(link, &f) != STATUS_OK) text_link_give_up(link, &f);
}

static void on_turn(void *context) {
    text_link *link = context;
    if (!link->tokenizerd) text_link_join_next(link);
}

/* A name has other addresses. Whoever is joined stays there; a try goes on where its address is still one. That a name does
 * not exist may be so for a while where somebody was there before. */
static void on_places_changed(void *context) {
    text_link *link = context;
    if (link->tokenizerd || link->over.code != STATUS_OK) return;
    if (places_none_exists(link->places) && !link->has_own_wait && !link->has_joined) text_link_no_tokenizerd(link);
    else if (!link->peers || !places_now(link->places)) text_link_join_next(link);
    else if (!timer_is_set(&link->turn_timer)) turn_after(link, TURN_MS);
}

/* ---- who joins, leaves or refuses ---- */

static void on_joined_turn(void *context) {
    text_link *link = context;
    if (!link->tokenizerd) return;
    link->events.joined(link->context);
    text_link_leave_if_idle(link);
}

static void on_draining(void *context, peer *p) {
    (void)p;
    text_link_hear_draining(context);
}

static status on_joined(void *context, peer *p, const Trivium__Hello *hello, failure *f) {
    text_link *link = context;
    if (hello->role != TRIVIUM__ROLE__TOKENIZERD) {
        fail(f, STATUS_BAD_REQUEST, "what listens at %s is no tokenizerd", peers_address(link->peers));
        link->refusal = *f;
        turn_after(link, 0);
        return f->code;
    }
    link->tokenizerd = p;
    link->has_joined = true;
    link->refusal.code = STATUS_OK;
    link->is_draining = text_link_knows_drained(link, peer_incarnation(p));     /* then the wait goes on */
    link->is_left_at_once = false;
    loop_cancel(link->loop, &link->turn_timer);
    if (!link->is_draining) {
        link->told[0] = '\0';
        text_link_timers_clear(link);
    }
    loop_once(link->loop, &link->joined_timer, 0, on_joined_turn, link);
    return STATUS_OK;
}

static void on_left(void *context, peer *p, const char *why) {
    (void)why;
    text_link *link = context;
    link->tokenizerd = NULL;
    link->is_draining = false;
    text_link_forget_drained(link, peer_incarnation(p));
    link->events.lost(link->context);
    places_ask(link->places);
    turn_after(link, 0);
    text_link_await(link, HANDSHAKE_MS_MIN);
}

static void on_refused_turn(void *context) {
    text_link *link = context;
    if (!link->tokenizerd) text_link_give_up(link, &link->refusal);
}

/* A full tokenizerd may have room later; any other refusal is final, unless there is another
 * place to try. */
static void on_refused(void *context, const Trivium__Error *error) {
    text_link *link = context;
    error_from_wire(error, "tokenizerd", &link->refusal);
    loop_cancel(link->loop, &link->turn_timer);
    if (places_are_several(link->places)) turn_after(link, 0);
    else if (link->refusal.code != STATUS_BUSY) loop_once(link->loop, &link->turn_timer, 0, on_refused_turn, link);
}

/* ---- what comes ---- */

static void on_heartbeat(void *context, peer *p, Trivium__Heartbeat *beat) {
    (void)p;
    text_link *link = context;
    link->events.beat(link->context, beat);
    text_link_leave_if_idle(link);
}

/* What tokenizerd itself waits for. */
static void on_waiting(text_link *link, const Trivium__Waiting *m) {
    char sentence[SENTENCE_BYTES];
    if (text_sentence(m->message, sentence, sizeof sentence) > 0) text_link_tell(link, sentence);
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
    text_link_leave_if_idle(link);
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
    const char *address = places_now(link->places);
    if (!address) return STATUS_OK;     /* none is known yet */
    const endpoint_options where = {
        .address = address,
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
    m->owner = name_or_empty(link->owner);
    status st = peers_send(link->peers, link->tokenizerd, &m->base, raw, n_raw);
    switch (st) {
    case STATUS_OK:
    case STATUS_BUSY: return STATUS_OK;         /* cut: `left` follows from the loop */
    case STATUS_TOO_LONG: return fail(f, st, "the request is longer than a message may be");
    default: return fail(f, st, "no memory for a message");
    }
}

/* ---- its life ---- */

static status find_places(text_link *link, const text_link_options *options, failure *f) {
    const endpoint_options how = {.keys = link->keys, .insecure = link->insecure};
    if (endpoint_check_joins(options->endpoints, options->n_endpoints, &how, f) != STATUS_OK) return f->code;
    link->places = places_new(link->loop, options->endpoints, options->n_endpoints, on_places_changed, link);
    return link->places ? STATUS_OK : fail(f, STATUS_NO_MEMORY, "no memory for a connection");
}

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
    link->wait_ms = options->wait_ms > 0 ? options->wait_ms : 1;   /* on the wire 0 means that nobody said */
    link->has_own_wait = options->has_own_wait;
    link->keys = options->keys;
    link->insecure = options->insecure;
    link->owner = options->owner;
    link->incarnation = peers_incarnation();
    status st = find_places(link, options, f);
    if (st == STATUS_OK) st = join(link, f);
    if (st == STATUS_OK) text_link_await(link, HANDSHAKE_MS_MIN);
    else text_link_free(&link);
    return link;
}

void text_link_free(text_link **link) {
    if (!*link) return;
    text_link_timers_clear(*link);
    peers_free(&(*link)->peers);
    places_free(&(*link)->places);
    free(*link);
    *link = NULL;
}
