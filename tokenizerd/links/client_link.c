#include "client_link.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "client_link_parts.h"

/* ---- speaking ---- */

static status client_send(client_link *l, peer *client, Trivium__TextReply *m, const wire_raw *raw,
                          size_t n_raw) {
    return client ? peers_send(l->bound.peers, client, &m->base, raw, n_raw) : STATUS_OK;
}

void client_link_tell(client_link *l, peer *client, Trivium__TextReply *m, const wire_raw *raw,
                      size_t n_raw) {
    status st = client_send(l, client, m, raw, n_raw);
    if (st != STATUS_OK && st != STATUS_BUSY)
        peers_cut(l->bound.peers, client, "a part of its text, or an answer, could not be sent");
}

void client_link_answer(client_link *l, peer *client, uint64_t number, Trivium__TextReply *m,
                        const wire_raw *raw, size_t n_raw) {
    failure f;
    status st = client_send(l, client, m, raw, n_raw);
    if (st == STATUS_OK || st == STATUS_BUSY) return;
    fail(&f, st, "the answer is too long for one message, or there is no memory for it");
    client_link_failed(l, client, number, &f);
}

/* ---- who is there ---- */

static status on_joined(void *context, peer *p, const Trivium__Hello *hello, failure *f) {
    (void)context;
    (void)p;
    if (hello->role == TRIVIUM__ROLE__CLIENT) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "this endpoint is for clients; modelds join the other one");
}

static void on_left(void *context, peer *p, const char *why) {
    client_link *l = context;
    log_event(LOG_DEBUG, "client_left", "name=\"%s\" why=\"%s\"", peer_name(p), why);
    l->events.left(l->context, p);
}

static void on_find_work(void *context) {
    client_link *l = context;
    l->events.find_work(l->context);
}

void client_link_works(peer *client) {
    if (client) peer_works(client);
}

void client_link_drain(client_link *l) {
    l->is_draining = true;
    peers_drain(l->bound.peers);
}

bool client_link_has_sent(const client_link *l) {
    return peers_have_sent(l->bound.peers);
}

/* ---- what they say ---- */

static void take_acknowledge(client_link *l, const peer *p, const Trivium__Acknowledge *m) {
    if (m->request.len != REQUEST_BYTES) bound_link_garbage(&l->bound, "acknowledge");
    else l->events.acknowledged(l->context, p, m->request.data, m->attempt, m->change);
}

static void take_pause(client_link *l, const peer *p, const Trivium__Pause *m) {
    if (m->request.len != REQUEST_BYTES) bound_link_garbage(&l->bound, "pause");
    else l->events.pause(l->context, p, m->request.data, m->attempt, m->step);
}

static void take_watch(client_link *l, const sender *who, const Trivium__Watch *m) {
    const watch_order order = {
        .number = m->call,
        .id = m->request.data,
        .n_id_bytes = m->request.len,
        .n_candidates = m->n_candidates,
    };
    l->events.watch(l->context, who, &order);
}

static void take_drain(client_link *l, const sender *who, const Trivium__Drain *m) {
    failure f;
    const drain_order order = {.number = m->call, .name = m->name, .host = m->host, .pid = m->pid};
    if (who->is_operator) {
        l->events.drain(l->context, who->client, &order);
        return;
    }
    fail(&f, STATUS_FORBIDDEN, "to drain a daemon is for operators, such as the user who runs it");
    client_link_failed(l, who->client, m->call, &f);
}

static void on_heard(void *context, peer *p, const Trivium__Heartbeat *beat) {
    for (size_t i = 0; i < beat->n_acknowledged; i++)
        take_acknowledge(context, p, beat->acknowledged[i]);
}

/* ---- in whose name ---- */

static const char on_behalf[] = "name:";
enum { ASKED_OWNER_BYTES = sizeof on_behalf + NAME_BYTES_MAX };
_Static_assert(ASKED_OWNER_BYTES <= OWNER_BYTES_MAX + 1, "whoever is named has a place");

/* `name` keeps who is named. STATUS_FORBIDDEN, STATUS_BAD_REQUEST: it asks in its own then. */
static status read_sender(peer *p, const Trivium__TextRequest *m, char name[ASKED_OWNER_BYTES], sender *who, failure *f) {
    *who = (sender){.client = p, .owner = peer_owner(p), .is_operator = peer_is_operator(p)};
    if (!m->owner[0]) return STATUS_OK;
    if (!peer_names_owners(p))
        return fail(f, STATUS_FORBIDDEN, "only a gateway asks on behalf of others, and this client is none");
    if (!text_is_printable(m->owner, NAME_BYTES_MAX))
        return fail(f, STATUS_BAD_REQUEST, "the name of an owner may have %d bytes of UTF-8 without control characters",
                    NAME_BYTES_MAX);
    snprintf(name, ASKED_OWNER_BYTES, "%s%s", on_behalf, m->owner);
    *who = (sender){.client = p, .owner = name};
    return STATUS_OK;
}

/* ---- messages ---- */

/* How many raw frames may come with it, and the number of its call if it is one. */
static size_t frames_max(const Trivium__TextRequest *m, uint64_t *number) {
    *number = 0;
    switch (m->body_case) {
    case TRIVIUM__TEXT_REQUEST__BODY_GENERATE: return 1;
    case TRIVIUM__TEXT_REQUEST__BODY_WATCH: *number = m->watch->call; return 0;
    case TRIVIUM__TEXT_REQUEST__BODY_TUNE: *number = m->tune->call; return 0;
    case TRIVIUM__TEXT_REQUEST__BODY_CANCEL: *number = m->cancel->call; return 0;
    case TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE: *number = m->tokenize->call; return 1;
    case TRIVIUM__TEXT_REQUEST__BODY_DETOKENIZE: *number = m->detokenize->call; return 1;
    case TRIVIUM__TEXT_REQUEST__BODY_RENDER: *number = m->render->call; return 1;
    case TRIVIUM__TEXT_REQUEST__BODY_SCORE: *number = m->score->call; return 1;
    case TRIVIUM__TEXT_REQUEST__BODY_PROBE: *number = m->probe->call; return 2;
    case TRIVIUM__TEXT_REQUEST__BODY_LIST: *number = m->list->call; return 0;
    case TRIVIUM__TEXT_REQUEST__BODY_STATUS: *number = m->status->call; return 0;
    case TRIVIUM__TEXT_REQUEST__BODY_DRAIN: *number = m->drain->call; return 0;
    default: return 0;
    }
}

/* The answer to a message whose frames are not what they should be, or that asks in a name which it may not. */
static void refuse(client_link *l, const sender *who, const Trivium__TextRequest *m, const failure *why) {
    uint64_t number;
    frames_max(m, &number);
    if (m->body_case == TRIVIUM__TEXT_REQUEST__BODY_GENERATE)
        client_link_refuse_generate(l, who, m->generate, why);
    else if (m->body_case == TRIVIUM__TEXT_REQUEST__BODY_ACKNOWLEDGE ||
             m->body_case == TRIVIUM__TEXT_REQUEST__BODY_PAUSE ||
             m->body_case == TRIVIUM__TEXT_REQUEST__BODY_CANCEL_CALL ||
             m->body_case == TRIVIUM__TEXT_REQUEST__BODY__NOT_SET)
        bound_link_garbage(&l->bound, "frames");
    else client_link_failed(l, who->client, number, why);
}

static void on_refuse(void *context, peer *p, const wire_message *message, const failure *why) {
    char name[ASKED_OWNER_BYTES];
    sender who;
    failure f;
    const Trivium__TextRequest *m = (const Trivium__TextRequest *)message->header;
    status st = read_sender(p, m, name, &who, &f);
    refuse(context, &who, m, st == STATUS_OK ? why : &f);
}

static status frames_check(const wire_message *message, failure *f) {
    uint64_t number;
    size_t n_max = frames_max((const Trivium__TextRequest *)message->header, &number);
    if (message->n_raw <= n_max) return STATUS_OK;
    return fail(f, STATUS_BAD_MESSAGE, "%zu raw frames came with a message that takes %zu", message->n_raw, n_max);
}

/* What is known to make sense so far. */
static void take(client_link *l, const sender *who, const Trivium__TextRequest *m, const wire_message *message) {
    const client_link_events *events = &l->events;
    switch (m->body_case) {
    case TRIVIUM__TEXT_REQUEST__BODY_GENERATE: client_link_generate(l, who, m->generate, message); return;
    case TRIVIUM__TEXT_REQUEST__BODY_TUNE: client_link_tune(l, who, m->tune); return;
    case TRIVIUM__TEXT_REQUEST__BODY_DRAIN: take_drain(l, who, m->drain); return;
    case TRIVIUM__TEXT_REQUEST__BODY_WATCH: take_watch(l, who, m->watch); return;
    case TRIVIUM__TEXT_REQUEST__BODY_CANCEL:
        events->cancel(l->context, who, m->cancel->call, m->cancel->request.data, m->cancel->request.len);
        return;
    case TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE: client_link_tokenize(l, who, m->tokenize, message); return;
    case TRIVIUM__TEXT_REQUEST__BODY_DETOKENIZE: client_link_detokenize(l, who, m->detokenize, message); return;
    case TRIVIUM__TEXT_REQUEST__BODY_RENDER: client_link_render(l, who, m->render, message); return;
    case TRIVIUM__TEXT_REQUEST__BODY_SCORE: client_link_score(l, who, m->score, message); return;
    case TRIVIUM__TEXT_REQUEST__BODY_PROBE: client_link_probe(l, who, m->probe, message); return;
    case TRIVIUM__TEXT_REQUEST__BODY_LIST: events->list(l->context, who, m->list->call); return;
    case TRIVIUM__TEXT_REQUEST__BODY_STATUS: events->status(l->context, who->client, m->status->call); return;
    case TRIVIUM__TEXT_REQUEST__BODY_ACKNOWLEDGE: take_acknowledge(l, who->client, m->acknowledge); return;
    case TRIVIUM__TEXT_REQUEST__BODY_PAUSE: take_pause(l, who->client, m->pause); return;
    case TRIVIUM__TEXT_REQUEST__BODY_CANCEL_CALL:
        events->call_cancelled(l->context, who->client, m->cancel_call->call);
        return;
    default: bound_link_garbage(&l->bound, "text_request");
    }
}

static void on_message(void *context, peer *p, const wire_message *message) {
    const Trivium__TextRequest *m = (const Trivium__TextRequest *)message->header;
    char name[ASKED_OWNER_BYTES];
    sender who;
    failure f;
    status st = read_sender(p, m, name, &who, &f);
    if (st == STATUS_OK) st = frames_check(message, &f);
    if (st == STATUS_OK) take(context, &who, m, message);
    else refuse(context, &who, m, &f);
}

/* ---- its own life ---- */

status client_link_new(client_link **out, const link_options *options, const client_link_events *events,
                       void *context, failure *f) {
    static const peers_events heard = {
        .joined = on_joined,
        .find_work = on_find_work,
        .left = on_left,
        .message = on_message,
        .refuse = on_refuse,
        .heard = on_heard,
    };
    client_link *l = calloc(1, sizeof *l);
    if (!l) return fail(f, STATUS_NO_MEMORY, "no memory");
    l->events = *events;
    l->context = context;
    l->started_us = clock_us();
    status st = bound_link_open(&l->bound, options, &trivium__text_request__descriptor, &heard, l, f);
    if (st == STATUS_OK) *out = l;
    else free(l);
    return st;
}

void client_link_free(client_link **l) {
    if (!*l) return;
    bound_link_close(&(*l)->bound);
    free(*l);
    *l = NULL;
}

const char *client_link_address(const client_link *l) {
    return peers_address(l->bound.peers);
}
