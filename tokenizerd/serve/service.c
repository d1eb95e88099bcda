#include <stdlib.h>

#include "proto/net/peer.h"
#include "service_parts.h"

enum { SWEEP_MS = 50 };         /* how late a wait may end */

/* ---- its turn ---- */

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
    generating_look_after(s, now_us);
    calls_expire(s, now_us);
    watches_look_after(s, now_us);
    if (s->models_changed) service_wake(s);
}

/* ---- what the links say ---- */

static void on_generate(void *context, peer *client, const generate_order *order) {
    generate_asked(context, client, order);
}

static void on_generate_refused(void *context, const uint8_t id[REQUEST_BYTES], uint32_t attempt) {
    service *s = context;
    requests_refused(s->requests, id, attempt);
}

static void on_tune(void *context, peer *client, const tune_order *order) {
    tune_asked(context, client, order);
}

static void on_cancel(void *context, peer *client, uint64_t number, const uint8_t *id,
                      size_t n_id_bytes) {
    cancel_asked(context, client, number, id, n_id_bytes);
}

static void on_watch(void *context, peer *client, const watch_order *order) {
    watch_asked(context, client, order);
}

static void on_call(void *context, const call_order *order, const passage_segment *text) {
    call_asked(context, order, text);
}

static void on_render(void *context, peer *client, const prompt_order *order) {
    render_asked(context, client, order);
}

static void on_list(void *context, peer *client, uint64_t number) {
    service *s = context;
    client_link_listed(s->clients, client, number, s->requests);
}

static void on_status(void *context, peer *client, uint64_t number) {
    service *s = context;
    client_link_status(s->clients, client, number, s->models, s->modelds,
                       requests_count(s->requests));
}

static void on_acknowledged(void *context, const peer *client, const uint8_t id[REQUEST_BYTES],
                            uint32_t attempt, uint32_t change) {
    acknowledged(context, client, id, attempt, change);
}

static void on_pause(void *context, const peer *client, const uint8_t id[REQUEST_BYTES],
                     uint32_t attempt, uint32_t n_steps) {
    paused(context, client, id, attempt, n_steps);
}

static void on_client_left(void *context, const peer *client) {
    generating_of_client_lost(context, client);
    calls_of_client_lost(context, client);
    watches_of_client_lost(context, client);
}

static const client_link_events text_events = {
    .generate = on_generate,
    .generate_refused = on_generate_refused,
    .tune = on_tune,
    .cancel = on_cancel,
    .watch = on_watch,
    .call = on_call,
    .render = on_render,
    .list = on_list,
    .status = on_status,
    .acknowledged = on_acknowledged,
    .pause = on_pause,
    .left = on_client_left,
};

static status on_joined(void *context, const modeld_hello *hello, void *record, modeld **out,
                        failure *f) {
    return modeld_joined(context, hello, record, out, f);
}

static void on_left(void *context, modeld *d) {
    modeld_left(context, d);
}

static status on_piece(void *context, modeld *d, const vocab_piece *piece, failure *f) {
    return modeld_piece(context, d, piece, f);
}

static void on_unusable(void *context, uint64_t incarnation, const failure *why) {
    service *s = context;
    models_refuse(s->models, incarnation, why);
}

static void on_token(void *context, const modeld *d, const uint8_t id[REQUEST_BYTES],
                     uint32_t attempt, const request_token *token, const Trivium__Drawn *drawn) {
    generation_token(context, d, id, attempt, token, drawn);
}

static void on_retuned(void *context, const modeld *d, const uint8_t id[REQUEST_BYTES],
                       uint32_t attempt, uint32_t change, uint32_t from_step) {
    generation_retuned(context, d, id, attempt, change, from_step);
}

static void on_closed(void *context, const modeld *d, const uint8_t id[REQUEST_BYTES],
                      uint32_t attempt, request_finish finish, const request_closing *closing,
                      const failure *why) {
    generation_closed(context, d, id, attempt, finish, closing, why);
}

static void on_trace(void *context, const uint8_t id[REQUEST_BYTES], const Trivium__Glimpse *trace) {
    watch_trace(context, id, trace);
}

static void on_scored(void *context, const modeld *d, uint64_t number, const modeld_scores *scores) {
    call_scored(context, d, number, scores);
}

static void on_probed(void *context, const modeld *d, uint64_t number, int32_t id,
                      const double *probabilities, size_t n_probabilities) {
    call_probed(context, d, number, id, probabilities, n_probabilities);
}

static void on_call_failed(void *context, const modeld *d, uint64_t number, const failure *why) {
    call_failed(context, d, number, why);
}

static const modeld_link_events modeld_events = {
    .joined = on_joined,
    .left = on_left,
    .piece = on_piece,
    .unusable = on_unusable,
    .token = on_token,
    .retuned = on_retuned,
    .closed = on_closed,
    .trace = on_trace,
    .scored = on_scored,
    .probed = on_probed,
    .call_failed = on_call_failed,
};

/* ---- wiring ---- */

status service_new(service **out, loop *l, const service_options *o, failure *f) {
    service *s = calloc(1, sizeof *s);
    if (!s) return fail(f, STATUS_NO_MEMORY, "no memory");
    s->loop = l;
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
    link_options link = {
        .loop = l,
        .name = o->name,
        .address = o->bind_clients,
        .incarnation = peers_incarnation(),
        .heartbeat_ms = o->heartbeat_ms,
        .insecure = o->insecure,
    };
    if (st == STATUS_OK) st = client_link_new(&s->clients, &link, &text_events, s, f);
    link.address = o->bind_models;
    if (st == STATUS_OK) st = modeld_link_new(&s->modelds, &link, &modeld_events, s, f);
    if (st == STATUS_OK) *out = s;
    else service_free(&s);
    return st;
}

const char *service_clients_at(const service *s) {
    return client_link_address(s->clients);
}

const char *service_models_at(const service *s) {
    return modeld_link_address(s->modelds);
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
    client_link_free(&s->clients);
    modeld_link_free(&s->modelds);
    models_free(&s->models);
    free(s);
}
