#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/net/endpoint.h"
#include "service_parts.h"

enum { SWEEP_MS = 50 };         /* how late a wait may end */

/* ---- speaking ---- */

ProtobufCBinaryData bytes_to_wire(const uint8_t *bytes, size_t n_bytes) {
    return (ProtobufCBinaryData){.len = n_bytes, .data = (uint8_t *)bytes};
}

static status client_send(service *s, peer *client, Trivium__TextReply *m, const wire_raw *raw,
                          size_t n_raw) {
    return client ? peers_send(s->clients, client, &m->base, raw, n_raw) : STATUS_OK;
}

void client_tell(service *s, peer *client, Trivium__TextReply *m, const wire_raw *raw,
                 size_t n_raw) {
    status st = client_send(s, client, m, raw, n_raw);
    if (st != STATUS_OK && st != STATUS_BUSY)
        peers_cut(s->clients, client, "a part of its text, or an answer, could not be sent");
}

void client_fail(service *s, peer *client, uint64_t number, const failure *why) {
    Trivium__Error error = error_to_wire(why);
    Trivium__Failed failed = TRIVIUM__FAILED__INIT;
    failed.call = number;
    failed.error = &error;
    Trivium__TextReply m = TRIVIUM__TEXT_REPLY__INIT;
    m.body_case = TRIVIUM__TEXT_REPLY__BODY_FAILED;
    m.failed = &failed;
    client_tell(s, client, &m, NULL, 0);
}

void client_answer(service *s, peer *client, uint64_t number, Trivium__TextReply *m,
                   const wire_raw *raw, size_t n_raw) {
    failure f;
    status st = client_send(s, client, m, raw, n_raw);
    if (st == STATUS_OK || st == STATUS_BUSY) return;
    fail(&f, st, "the answer is too long for one message, or there is no memory for it");
    client_fail(s, client, number, &f);
}

bool ids_of(const wire_message *m, size_t index, const int32_t **ids, size_t *n_ids) {
    static const int32_t none[1];
    *n_ids = 0;
    *ids = none;
    if (index >= m->n_raw) return false;
    if (m->raw[index].n_bytes > 0) *ids = wire_items(m, index, sizeof **ids, n_ids);
    return *ids != NULL;
}

/* ---- its turn ---- */

void service_garbage(service *s, const char *what) {
    if (s->n_garbage++ == 0) log_event(LOG_INFO, "garbage", "message=%s", what);
}

static void go_on(service *s) {
    for (request *r = requests_first(s->requests), *next; r; r = next) {
        next = requests_next(r);
        generation_advance(s, r);
    }
    for (call *c = calls_first(s->calls), *next; c; c = next) {
        next = calls_next(c);
        call_advance(s, c);
    }
}

static void on_turn(void *context) {
    service *s = context;
    s->turn_timer = -1;
    vocabularies_ask(s);
    if (s->models_changed) {
        s->models_changed = false;
        go_on(s);
    }
    if (passages_turn(s->passages)) service_wake(s);
}

void service_wake(service *s) {
    if (s->turn_timer < 0) s->turn_timer = loop_once(s->loop, 0, on_turn, s);
}

/* Also the net under a turn that could not be set for want of memory. */
static void on_sweep(void *context) {
    service *s = context;
    uint64_t now_us = clock_us();
    generations_look_after(s, now_us);
    calls_expire(s, now_us);
    watches_look_after(s, now_us);
    if (s->models_changed) service_wake(s);
}

/* ---- clients ---- */

static status on_joined(void *context, peer *p, const Trivium__Hello *hello, failure *f) {
    (void)context;
    (void)p;
    if (hello->role == TRIVIUM__ROLE__CLIENT) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "this endpoint is for clients; modelds join the other one");
}

static void on_left(void *context, peer *p, const char *why) {
    service *s = context;
    log_event(LOG_DEBUG, "client_left", "name=\"%s\" why=\"%s\"", peer_name(p), why);
    generations_of_client_lost(s, p);
    calls_of_client_lost(s, p);
    watches_of_client_lost(s, p);
}

static void on_heard(void *context, peer *p, const Trivium__Heartbeat *beat) {
    for (size_t i = 0; i < beat->n_acknowledged; i++)
        acknowledged(context, p, beat->acknowledged[i]);
}

/* How many raw frames may come with it, and the number of its call if it is one. */
static size_t frames_max(const Trivium__TextRequest *m, uint64_t *call_number) {
    *call_number = 0;
    switch (m->body_case) {
    case TRIVIUM__TEXT_REQUEST__BODY_GENERATE: return 1;
    case TRIVIUM__TEXT_REQUEST__BODY_WATCH: *call_number = m->watch->call; return 0;
    case TRIVIUM__TEXT_REQUEST__BODY_TUNE: *call_number = m->tune->call; return 0;
    case TRIVIUM__TEXT_REQUEST__BODY_CANCEL: *call_number = m->cancel->call; return 0;
    case TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE: *call_number = m->tokenize->call; return 0;
    case TRIVIUM__TEXT_REQUEST__BODY_DETOKENIZE: *call_number = m->detokenize->call; return 1;
    case TRIVIUM__TEXT_REQUEST__BODY_RENDER: *call_number = m->render->call; return 0;
    case TRIVIUM__TEXT_REQUEST__BODY_SCORE:
        *call_number = m->score->call;
        return m->score->has_ids ? 1 : 0;
    case TRIVIUM__TEXT_REQUEST__BODY_PROBE: *call_number = m->probe->call; return 2;
    case TRIVIUM__TEXT_REQUEST__BODY_LIST: *call_number = m->list->call; return 0;
    case TRIVIUM__TEXT_REQUEST__BODY_STATUS: *call_number = m->status->call; return 0;
    default: return 0;
    }
}

/* False: it came with more frames than belong to it, and was answered so. */
static bool frames_fit(service *s, peer *p, const wire_message *message) {
    const Trivium__TextRequest *m = (const Trivium__TextRequest *)message->header;
    uint64_t call_number;
    size_t n_max = frames_max(m, &call_number);
    if (message->n_raw <= n_max) return true;
    failure f;
    fail(&f, STATUS_BAD_MESSAGE, "%zu raw frames came with a message that takes %zu", message->n_raw,
         n_max);
    if (m->body_case == TRIVIUM__TEXT_REQUEST__BODY_GENERATE)
        generate_refuse(s, p, m->generate, &f);
    else if (m->body_case == TRIVIUM__TEXT_REQUEST__BODY_ACKNOWLEDGE ||
             m->body_case == TRIVIUM__TEXT_REQUEST__BODY__NOT_SET)
        service_garbage(s, "frames");
    else client_fail(s, p, call_number, &f);
    return false;
}

static void on_message(void *context, peer *p, const wire_message *message) {
    service *s = context;
    const Trivium__TextRequest *m = (const Trivium__TextRequest *)message->header;
    if (!frames_fit(s, p, message)) return;
    switch (m->body_case) {
    case TRIVIUM__TEXT_REQUEST__BODY_GENERATE: generate_asked(s, p, m->generate, message); return;
    case TRIVIUM__TEXT_REQUEST__BODY_TUNE: tune_asked(s, p, m->tune); return;
    case TRIVIUM__TEXT_REQUEST__BODY_WATCH: watch_asked(s, p, m->watch); return;
    case TRIVIUM__TEXT_REQUEST__BODY_CANCEL: cancel_asked(s, p, m->cancel); return;
    case TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE: tokenize_asked(s, p, m->tokenize); return;
    case TRIVIUM__TEXT_REQUEST__BODY_DETOKENIZE:
        detokenize_asked(s, p, m->detokenize, message);
        return;
    case TRIVIUM__TEXT_REQUEST__BODY_RENDER: render_asked(s, p, m->render); return;
    case TRIVIUM__TEXT_REQUEST__BODY_SCORE: score_asked(s, p, m->score, message); return;
    case TRIVIUM__TEXT_REQUEST__BODY_PROBE: probe_asked(s, p, m->probe, message); return;
    case TRIVIUM__TEXT_REQUEST__BODY_LIST: list_asked(s, p, m->list); return;
    case TRIVIUM__TEXT_REQUEST__BODY_STATUS: status_asked(s, p, m->status); return;
    case TRIVIUM__TEXT_REQUEST__BODY_ACKNOWLEDGE: acknowledged(s, p, m->acknowledge); return;
    case TRIVIUM__TEXT_REQUEST__BODY_PAUSE: paused(s, p, m->pause); return;
    default: service_garbage(s, "text_request");
    }
}

static const peers_events client_events = {
    .joined = on_joined,
    .left = on_left,
    .message = on_message,
    .heard = on_heard,
};

/* ---- wiring ---- */

/* One of the two endpoints, bound, with the peers behind it. */
static status bind_peers(service *s, const service_options *o, const char *address,
                         const ProtobufCMessageDescriptor *incoming, const peers_events *events,
                         uint64_t incarnation, peers **out, failure *f) {
    endpoint *e = NULL;
    const endpoint_options where = {
        .address = address, .high_water = HIGH_WATER_MESSAGES, .insecure = o->insecure};
    status st = endpoint_bind(&e, &where, f);
    if (st != STATUS_OK) return st;
    const peers_options who = {
        .incoming = incoming,
        .hello = &s->hello,
        .incarnation = incarnation,
        .heartbeat_ms = o->heartbeat_ms,
        .liveness = LIVENESS_BOTH,
        .events = *events,
        .context = s,
    };
    *out = peers_new(s->loop, &e, &who);
    if (*out) return STATUS_OK;
    endpoint_close(&e);
    return fail(f, STATUS_NO_MEMORY, "no memory for %s", address);
}

status service_new(service **out, loop *l, const service_options *o, failure *f) {
    service *s = calloc(1, sizeof *s);
    if (!s) return fail(f, STATUS_NO_MEMORY, "no memory");
    s->loop = l;
    s->started_us = clock_us();
    hello_introduce(&s->hello, TRIVIUM__ROLE__TOKENIZERD, o->name, o->heartbeat_ms, s->host);
    s->models = models_new();
    s->requests = requests_new(&models_serving);
    s->calls = calls_new(&models_serving);
    s->passages = passages_new(s);
    s->watches = watches_new(&models_serving);
    if (s->models && o->default_model)
        default_model_set(models_default(s->models), o->default_model);
    status st = STATUS_OK;
    s->turn_timer = -1;
    s->sweep_timer = loop_every(l, SWEEP_MS, on_sweep, s);
    s->return_timer = loop_once(l, RETURN_HEARTBEATS * o->heartbeat_ms, modelds_returned, s);
    if (!s->models || !s->requests || !s->calls || !s->passages || !s->watches ||
        s->sweep_timer < 0)
        st = fail(f, STATUS_NO_MEMORY, "no memory");
    uint64_t incarnation = peers_incarnation();
    if (st == STATUS_OK) st = hello_check(&s->hello, f);
    if (st == STATUS_OK)
        st = bind_peers(s, o, o->bind_clients, &trivium__text_request__descriptor, &client_events,
                        incarnation, &s->clients, f);
    if (st == STATUS_OK)
        st = bind_peers(s, o, o->bind_models, &trivium__tokens_reply__descriptor, &modeld_events,
                        incarnation, &s->modelds, f);
    if (st == STATUS_OK) *out = s;
    else service_free(&s);
    return st;
}

const char *service_clients_at(const service *s) {
    return peers_address(s->clients);
}

const char *service_models_at(const service *s) {
    return peers_address(s->modelds);
}

static void workers_free(service *s) {
    for (const served_model *m = s->models ? models_first(s->models) : NULL; m; m = models_next(m))
        for (const modeld *d = served_model_modelds(m); d; d = modeld_next(d)) {
            worker_free(modeld_peer(d));
        }
}

void service_free(service **out) {
    service *s = *out;
    if (!s) return;
    *out = NULL;
    if (s->sweep_timer >= 0) loop_cancel(s->loop, s->sweep_timer);
    if (s->turn_timer >= 0) loop_cancel(s->loop, s->turn_timer);
    if (s->return_timer >= 0) loop_cancel(s->loop, s->return_timer);
    requests_free(&s->requests);
    calls_free(&s->calls);
    passages_free(&s->passages);
    watches_free(&s->watches);
    workers_free(s);
    models_free(&s->models);
    peers_free(&s->clients);
    peers_free(&s->modelds);
    free(s);
}
