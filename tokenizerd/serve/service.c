#include "service.h"

#include <stdlib.h>

#include "answering.h"
#include "generating.h"
#include "joining.h"
#include "leaving.h"
#include "proto/base/clock.h"
#include "proto/net/peer.h"
#include "rendering.h"
#include "tracing.h"
#include "tuning.h"

enum { SWEEP_MS = 50 };         /* how late a wait may end */

struct service {
    loop *loop;
    client_link *clients;
    modeld_link *modelds;
    models *models;
    owners *owners;
    requests *requests;
    calls *calls;
    watches *watches;
    encode_queue *encode_queue;
    wakeup turn;
    joining *joining;
    generating generating;
    tuning tuning;
    tracing tracing;
    renderer renderer;
    answering answering;
    leaving leaving;
    timer sweep_timer;
};

/* ---- its turn ---- */

static void on_turn(void *context) {
    service *s = context;
    joining_ask(s->joining);
    if (joining_take_news(s->joining)) {
        generating_go_on(&s->generating);
        answering_go_on(&s->answering);
        joining_tell(s->joining, &s->generating, &s->answering);
    }
    bool has_more = answering_turn(&s->answering);
    if (encode_queue_turn(s->encode_queue) || has_more) wakeup_set(&s->turn, 0);
}

static void on_sweep(void *context) {
    service *s = context;
    uint64_t now_us = clock_us();
    generating_sweep(&s->generating, now_us);
    answering_sweep(&s->answering, now_us);
    tracing_sweep(&s->tracing, now_us);
    joining_tell(s->joining, &s->generating, &s->answering);
}

/* ---- what the links say ---- */

static void on_generate(void *context, const sender *who, const generate_order *order) {
    service *s = context;
    generating_generate(&s->generating, who, order);
}

static void on_generate_refused(void *context, const sender *who, const uint8_t id[REQUEST_BYTES], uint32_t attempt) {
    service *s = context;
    requests_refused(s->requests, who->owner, id, attempt);
}

static void on_tune(void *context, const sender *who, const tune_order *order) {
    service *s = context;
    tuning_tune(&s->tuning, who, order);
}

static void on_cancel(void *context, const sender *who, uint64_t number, const uint8_t *id, size_t n_id_bytes) {
    service *s = context;
    generating_cancel(&s->generating, who, number, id, n_id_bytes);
}

static void on_watch(void *context, const sender *who, const watch_order *order) {
    service *s = context;
    tracing_watch(&s->tracing, who, order);
}

static void on_call(void *context, const call_order *order, const prompt_piece *text) {
    service *s = context;
    answering_call(&s->answering, order, text);
}

static void on_render(void *context, const sender *who, const prompt_order *order) {
    service *s = context;
    answering_render(&s->answering, who, order);
}

static void on_call_cancelled(void *context, const peer *client, uint64_t number) {
    service *s = context;
    answering_cancel(&s->answering, client, number);
    leaving_cancel(&s->leaving, client, number);
}

static void on_list(void *context, const sender *who, uint64_t number) {
    service *s = context;
    client_link_listed(s->clients, who, number, s->requests);
}

static void on_status(void *context, peer *client, uint64_t number) {
    service *s = context;
    client_link_status(s->clients, client, number, s->models, s->modelds, requests_count(s->requests));
}

static void on_drain(void *context, peer *client, const drain_order *order) {
    service *s = context;
    leaving_order(&s->leaving, client, order);
}

static void on_acknowledged(void *context, const peer *client, const uint8_t id[REQUEST_BYTES], uint32_t attempt,
                            uint32_t change) {
    service *s = context;
    tuning_acknowledged(&s->tuning, client, id, attempt, change);
}

static void on_pause(void *context, const peer *client, const uint8_t id[REQUEST_BYTES], uint32_t attempt, uint32_t n_steps) {
    service *s = context;
    generating_pause(&s->generating, client, id, attempt, n_steps);
}

static void on_find_work(void *context) {
    const service *s = context;
    for (request *r = requests_first(s->requests); r; r = requests_next(r)) client_link_works(r->client);
    for (call *c = calls_first(s->calls); c; c = calls_next(c)) client_link_works(c->client);
    for (watch *w = watches_first(s->watches); w; w = watches_next(w)) client_link_works(w->watcher);
}

static void on_client_left(void *context, const peer *client) {
    service *s = context;
    generating_client_left(&s->generating, client);
    answering_client_left(&s->answering, client);
    tracing_client_left(&s->tracing, client);
    leaving_client_left(&s->leaving, client);
}

static const client_link_events text_events = {
    .generate = on_generate,
    .generate_refused = on_generate_refused,
    .tune = on_tune,
    .cancel = on_cancel,
    .watch = on_watch,
    .call = on_call,
    .render = on_render,
    .call_cancelled = on_call_cancelled,
    .list = on_list,
    .status = on_status,
    .drain = on_drain,
    .acknowledged = on_acknowledged,
    .pause = on_pause,
    .find_work = on_find_work,
    .left = on_client_left,
};

static status on_joined(void *context, const modeld_hello *hello, void *record, modeld **out, failure *f) {
    service *s = context;
    return joining_joined(s->joining, hello, record, out, f);
}

/* Whatever is new finds another one, or waits for one. */
static void on_draining(void *context, modeld *d) {
    (void)context;
    modeld_drain(d);
}

static void on_left(void *context, modeld *d) {
    service *s = context;
    generating_modeld_left(&s->generating, d);
    answering_modeld_left(&s->answering, d);
    leaving_modeld_left(&s->leaving, d);
    joining_left(s->joining, d);
}

static void on_samplers_changed(void *context, modeld *d) {
    service *s = context;
    joining_samplers_changed(s->joining, d);
    generating_samplers_changed(&s->generating, modeld_model(d));
    answering_samplers_changed(&s->answering, modeld_model(d));
}

static status on_piece(void *context, modeld *d, const vocab_piece *piece, failure *f) {
    service *s = context;
    return joining_piece(s->joining, d, piece, f);
}

static void on_unusable(void *context, uint64_t incarnation, const failure *why) {
    service *s = context;
    models_refuse(s->models, incarnation, why);
}

static void on_token(void *context, const modeld *d, named_text name, const request_token *token, const Trivium__Drawn *drawn) {
    service *s = context;
    generating_token(&s->generating, d, name, token, drawn);
}

static void on_retuned(void *context, const modeld *d, named_text name, uint32_t change, uint32_t from_step) {
    service *s = context;
    generating_retuned(&s->generating, d, name, change, from_step);
}

static void on_queued(void *context, const modeld *d, named_text name, bool over) {
    service *s = context;
    generating_queued(&s->generating, d, name, over);
}

static void on_closed(void *context, const modeld *d, named_text name, request_finish finish,
                      const request_closing *closing, const failure *why) {
    service *s = context;
    generating_closed(&s->generating, d, name, finish, closing, why);
}

static void on_trace(void *context, named_text name, const Trivium__Glimpse *trace) {
    service *s = context;
    tracing_trace(&s->tracing, name, trace);
}

static void on_scored(void *context, const modeld *d, uint64_t number, const modeld_scores *scores) {
    service *s = context;
    answering_scored(&s->answering, d, number, scores);
}

static void on_probed(void *context, const modeld *d, uint64_t number, int32_t id,
                      const double *probabilities, size_t n_probabilities) {
    service *s = context;
    answering_probed(&s->answering, d, number, id, probabilities, n_probabilities);
}

static void on_call_failed(void *context, const modeld *d, uint64_t number, const failure *why) {
    service *s = context;
    answering_failed(&s->answering, d, number, why);
    leaving_failed(&s->leaving, d, number, why);
}

static void on_drained(void *context, const modeld *d, uint64_t number, uint32_t n_texts, uint32_t n_left) {
    service *s = context;
    leaving_drained(&s->leaving, d, number, n_texts, n_left);
}

static const modeld_link_events modeld_events = {
    .joined = on_joined,
    .draining = on_draining,
    .left = on_left,
    .samplers_changed = on_samplers_changed,
    .piece = on_piece,
    .unusable = on_unusable,
    .token = on_token,
    .retuned = on_retuned,
    .queued = on_queued,
    .closed = on_closed,
    .trace = on_trace,
    .scored = on_scored,
    .probed = on_probed,
    .call_failed = on_call_failed,
    .drained = on_drained,
};

/* ---- wiring ---- */

static status tables_new(service *s, const service_options *o, failure *f) {
    s->models = models_new();
    s->owners = holdings_new(&o->limits);
    if (s->owners) {
        s->requests = requests_new(&models_serving, s->owners);
        s->calls = calls_new(&models_serving, s->owners);
        s->watches = watches_new(&models_serving, s->owners);
    }
    s->encode_queue = encode_queue_new();
    s->turn = (wakeup){.loop = s->loop, .handler = on_turn, .context = s};
    loop_every(s->loop, &s->sweep_timer, SWEEP_MS, on_sweep, s);
    if (!s->models || !s->requests || !s->calls || !s->watches || !s->encode_queue)
        return fail(f, STATUS_NO_MEMORY, "no memory");
    service_set_default_model(s, o->default_model);
    return STATUS_OK;
}

void service_set_limits(service *s, const owner_limits *limits) {
    holdings_limit(s->owners, limits);
}

void service_set_default_model(service *s, const char *name) {
    default_model_set(models_default(s->models), name ? name : "");
}

static status links_new(service *s, const service_options *o, failure *f) {
    link_options options = {
        .loop = s->loop,
        .name = o->name,
        .address = o->bind_clients,
        .incarnation = peers_incarnation(),
        .heartbeat_ms = o->heartbeat_ms,
        .link = LINK_TEXT,
        .keys = o->keys,
        .insecure = o->insecure,
    };
    status st = client_link_new(&s->clients, &options, &text_events, s, f);
    options.address = o->bind_models;
    options.link = LINK_TOKENS;
    return st == STATUS_OK ? modeld_link_new(&s->modelds, &options, &modeld_events, s, f) : st;
}

static void wire(service *s) {
    s->generating = (generating){
        .clients = s->clients,
        .modelds = s->modelds,
        .models = s->models,
        .requests = s->requests,
        .watches = s->watches,
        .encode_queue = s->encode_queue,
        .turn = &s->turn,
        .renderer = &s->renderer,
        .leaving = &s->leaving,
    };
    s->tuning = (tuning){
        .clients = s->clients,
        .modelds = s->modelds,
        .requests = s->requests,
        .generating = &s->generating,
    };
    s->tracing = (tracing){
        .clients = s->clients,
        .modelds = s->modelds,
        .requests = s->requests,
        .watches = s->watches,
    };
    s->renderer = (renderer){
        .encode_queue = s->encode_queue,
        .turn = &s->turn,
    };
    s->answering = (answering){
        .clients = s->clients,
        .modelds = s->modelds,
        .models = s->models,
        .calls = s->calls,
        .encode_queue = s->encode_queue,
        .turn = &s->turn,
        .renderer = &s->renderer,
        .leaving = &s->leaving,
    };
    s->leaving = (leaving){
        .clients = s->clients,
        .modelds = s->modelds,
        .models = s->models,
        .requests = s->requests,
        .calls = s->calls,
    };
}

status service_new(service **out, loop *l, const service_options *o, failure *f) {
    service *s = calloc(1, sizeof *s);
    if (!s) return fail(f, STATUS_NO_MEMORY, "no memory");
    s->loop = l;
    status st = tables_new(s, o, f);
    if (st == STATUS_OK) st = links_new(s, o, f);
    if (st == STATUS_OK) {
        owners_call(s->owners, client_link_call_owner, s->clients);
        s->joining = joining_new(l, &s->turn, s->models, s->modelds, RETURN_HEARTBEATS * o->heartbeat_ms);
        if (!s->joining) st = fail(f, STATUS_NO_MEMORY, "no memory");
    }
    wire(s);
    if (st == STATUS_OK) st = leaving_begin(&s->leaving, l, o->drain_s, f);
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
    loop_cancel(s->loop, &s->sweep_timer);
    leaving_end(&s->leaving);
    joining_free(&s->joining);
    requests_free(&s->requests);
    calls_free(&s->calls);
    watches_free(&s->watches);
    owners_free(&s->owners);
    encode_queue_free(&s->encode_queue);
    client_link_free(&s->clients);
    modeld_link_free(&s->modelds);
    models_free(&s->models);
    wakeup_cancel(&s->turn);
    free(s);
}
