#include "client.h"

#include <stdlib.h>

#include "link/generations.h"
#include "link/pending_calls.h"
#include "link/text_link.h"
#include "link/watching.h"
#include "proto/base/clock.h"
#include "proto/base/process/paths.h"
#include "proto/base/process/resources.h"

enum { LOOK_MS = 20 };          /* between two looks whether an answer is late */

struct client {
    loop *loop;
    text_link *link;
    pending_calls *calls;
    generations *generations;
    watching *watching;
    char default_endpoint[ENDPOINT_BYTES_MAX];
    const char *endpoints[1];   /* that one */
    keys *keys;
    client_waiting *waiting;
    void *waiting_context;
    bool has_joined;            /* once */
};

loop *client_loop(const client *c) {
    return c->loop;
}

void client_set_waiting(client *c, client_waiting *waiting, void *context) {
    c->waiting = waiting;
    c->waiting_context = context;
}

/* ---- what the link tells ---- */

/* Whoever opens a client is about to ask; later on nobody waits for a lost tokenizerd while nothing is asked for. */
static void on_waiting(void *context, const char *sentence) {
    client *c = context;
    bool is_asking = pending_calls_any(c->calls) || generations_any(c->generations) || watching_any(c->watching);
    if (c->waiting && (is_asking || !c->has_joined))
        c->waiting(c->waiting_context, sentence, generations_have_text(c->generations));
}

static void on_joined(void *context) {
    client *c = context;
    c->has_joined = true;
    generations_joined(c->generations);         /* before the calls, which may tune one of them */
    pending_calls_joined(c->calls);
    watching_joined(c->watching);
}

static bool on_under_way(void *context) {
    const client *c = context;
    return generations_under_way(c->generations) || pending_calls_under_way(c->calls) || watching_any(c->watching);
}

static bool on_waits(void *context) {
    const client *c = context;
    return generations_wait(c->generations) || pending_calls_wait(c->calls);
}

static void on_lost(void *context) {
    client *c = context;
    generations_lost(c->generations);
    pending_calls_lost(c->calls);
}

static void on_over(void *context, const failure *why) {
    client *c = context;
    pending_calls_fail(c->calls, why);
    generations_fail(c->generations, why);
    watching_fail(c->watching, why);
}

static void on_started(void *context, const wire_message *m, const Trivium__Started *started) {
    generations_started(((client *)context)->generations, m, started);
}

static void on_chunk(void *context, const Trivium__Chunk *chunk) {
    generations_chunk(((client *)context)->generations, chunk);
}

static void on_done(void *context, const Trivium__Done *done) {
    generations_done(((client *)context)->generations, done);
}

static void on_traced(void *context, const Trivium__Glimpse *trace) {
    watching_traced(((client *)context)->watching, trace);
}

static void on_answered(void *context, uint64_t number, const wire_message *m,
                        const Trivium__TextReply *reply) {
    client *c = context;
    if (!watching_answered(c->watching, number, reply))
        pending_calls_answered(c->calls, number, m, reply);
}

static void on_beat(void *context, Trivium__Heartbeat *beat) {
    generations_acknowledge(((client *)context)->generations, beat);
}

/* ---- what a program asks for ---- */

status client_call(client *c, const question *asked, answer_handler *handler, void *context,
                   failure *f) {
    uint64_t number;
    return pending_calls_ask(c->calls, asked, handler, context, &number, f);
}

/* One call, waited for. */
typedef struct waited_call {
    const client *client;
    answer_handler *handler;
    void *context;
    uint32_t patience_ms;       /* 0: as long as it takes */
    timer looks;
    uint64_t until_ms;          /* 0: it was not sent yet */
    bool answered, is_late;
    failure why;
} waited_call;

static void on_waited(void *context, const answer *a) {
    waited_call *w = context;
    w->answered = true;
    if (a->code == STATUS_OK) w->handler(w->context, a);
    fail(&w->why, a->code, "%s", a->message ? a->message : "");
    loop_stop(w->client->loop);
}

static void on_look(void *context) {
    waited_call *w = context;
    uint64_t now_ms = clock_ms();
    if (w->until_ms == 0 && pending_calls_under_way(w->client->calls)) w->until_ms = now_ms + w->patience_ms;
    w->is_late = w->until_ms > 0 && now_ms >= w->until_ms;
    if (w->is_late) loop_stop(w->client->loop);
}

static status wait_for(client *c, waited_call *w, uint64_t number, failure *f) {
    if (w->patience_ms > 0) loop_every(c->loop, &w->looks, LOOK_MS, on_look, w);
    loop_run(c->loop);
    loop_cancel(c->loop, &w->looks);
    if (w->answered) {
        *f = w->why;
        return f->code;
    }
    pending_calls_cancel(c->calls, number);
    if (w->is_late) return fail(f, STATUS_TIMEOUT, "no answer has come within %g s", w->patience_ms / 1000.0);
    return fail(f, STATUS_CANCELLED, "interrupted");
}

status client_ask_within(client *c, uint32_t patience_ms, const question *asked, answer_handler *handler, void *context,
                         failure *f) {
    waited_call w = {.client = c, .handler = handler, .context = context, .patience_ms = patience_ms};
    uint64_t number;
    status st = pending_calls_ask(c->calls, asked, on_waited, &w, &number, f);
    return st == STATUS_OK ? wait_for(c, &w, number, f) : st;
}

status client_ask(client *c, const question *asked, answer_handler *handler, void *context,
                  failure *f) {
    return client_ask_within(c, 0, asked, handler, context, f);
}

status client_generate(client *c, const generation_request *request,
                       const generation_events *events, void *context, failure *f) {
    return generations_begin(c->generations, request, events, context, f);
}

void client_cancel(client *c, const uint8_t request[REQUEST_BYTES]) {
    generations_cancel(c->generations, request);
}

void client_pause(client *c, const uint8_t request[REQUEST_BYTES]) {
    generations_pause(c->generations, request);
}

void client_resume(client *c, const uint8_t request[REQUEST_BYTES]) {
    generations_resume(c->generations, request);
}

const strategy *client_change(client *c, const uint8_t request[REQUEST_BYTES],
                              const strategy *stages, bool replace, failure *f) {
    return generations_change(c->generations, request, stages, replace, f);
}

status client_watch(client *c, const watch_request *request, const watch_events *events,
                    void *context, failure *f) {
    return watching_begin(c->watching, request, events, context, f);
}

/* ---- open and close ---- */

/* The runtime folder's endpoint, where none is given; never in somebody else's folder. */
static status endpoint_choose(client *c, text_link_options *where, failure *f) {
    if (where->n_endpoints > 0) return STATUS_OK;
    char folder[4096];
    if (paths_check_runtime(folder, sizeof folder, f) != STATUS_OK) return f->code;
    c->endpoints[0] = c->default_endpoint;
    where->endpoints = c->endpoints;
    where->n_endpoints = 1;
    return paths_endpoint("clients", c->default_endpoint, sizeof c->default_endpoint, f);
}

static status link_open(client *c, const client_options *options, failure *f) {
    static const text_link_events events = {
        .waiting = on_waiting, .joined = on_joined, .under_way = on_under_way, .waits = on_waits, .lost = on_lost, .over = on_over,
        .started = on_started, .chunk = on_chunk, .done = on_done,
        .traced = on_traced, .answered = on_answered, .beat = on_beat,
    };
    text_link_options where = {
        .endpoints = options->endpoints,
        .n_endpoints = options->n_endpoints,
        .wait_ms = options->wait_ms,
        .has_own_wait = options->has_own_wait,
        .insecure = options->insecure,
        .owner = options->owner,
    };
    if (endpoint_choose(c, &where, f) != STATUS_OK) return f->code;
    if (keys_open(&c->keys, options->keys_folder, c->loop, f) != STATUS_OK) return f->code;
    where.keys = c->keys;
    client_set_waiting(c, options->waiting, options->context);
    c->link = text_link_new(c->loop, &where, &events, c, f);
    return c->link ? STATUS_OK : f->code;
}

status client_open(client **out, const client_options *options, failure *f) {
    if (resources_check(1, f) != STATUS_OK) return f->code;
    client *c = calloc(1, sizeof *c);
    bool whole = c && (c->loop = loop_new());
    status st = whole ? link_open(c, options, f) : STATUS_OK;
    if (whole && st == STATUS_OK) {
        c->calls = pending_calls_new(c->link);
        c->generations = generations_new(c->link);
        c->watching = watching_new(c->link);
        whole = c->calls && c->generations && c->watching;
    }
    if (!whole) st = fail(f, STATUS_NO_MEMORY, "no memory for a client");
    if (st == STATUS_OK) *out = c;
    else client_close(&c);
    return st;
}

void client_close(client **out) {
    client *c = *out;
    if (!c) return;
    *out = NULL;
    pending_calls_free(&c->calls);
    generations_free(&c->generations);
    watching_free(&c->watching);
    text_link_free(&c->link);
    keys_close(&c->keys);
    loop_free(&c->loop);
    free(c);
}
