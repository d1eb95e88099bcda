#include "link/private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/process/paths.h"
#include "proto/base/process/resources.h"

enum {
    HANDSHAKE_MS_MIN = 500,     /* even --wait 0 leaves time to find a tokenizerd that is there */
    TURN_MS = 500,              /* for each of several endpoints */
};

loop *client_loop(const client *c) {
    return c->loop;
}

void timer_clear(client *c, int *timer) {
    if (*timer >= 0) loop_cancel(c->loop, *timer);
    *timer = -1;
}

char *name_or_empty(const char *name) {
    return (char *)(name ? name : "");
}

ProtobufCBinaryData bytes_of(const uint8_t *bytes, size_t n_bytes) {
    return (ProtobufCBinaryData){.len = n_bytes, .data = (uint8_t *)bytes};
}

candidate *candidates_from_wire(Trivium__Candidate *const *wire, size_t n) {
    candidate *list = n ? malloc(n * sizeof *list) : NULL;
    for (size_t i = 0; list && i < n; i++) {
        const Trivium__Candidate *from = wire[i];
        list[i] = (candidate){from->id, from->logprob, from->probability, from->removed_by,
                              from->text.data, from->text.len};
    }
    return list;
}

/* ---- the wait for a tokenizerd ---- */

static void endpoints_text(const client *c, char *out, size_t out_bytes) {
    size_t n_bytes = 0;
    for (size_t i = 0; i < c->n_endpoints && n_bytes < out_bytes; i++) {
        n_bytes += (size_t)snprintf(out + n_bytes, out_bytes - n_bytes, "%s%s", i ? " or " : "",
                                    c->endpoints[i]);
    }
}

/* The end of the wait: everything under way fails, and what is asked later, too. */
static void client_give_up(client *c, const failure *why) {
    c->over = *why;
    timer_clear(c, &c->wait_timer);
    timer_clear(c, &c->turn_timer);
    timer_clear(c, &c->joined_timer);
    c->tokenizerd = NULL;
    peers_free(&c->link);
    client_calls_fail(c, &c->over);
    generations_fail(c, &c->over);
    watching_fail(c, &c->over);
}

static void on_wait_over(void *context) {
    client *c = context;
    c->wait_timer = -1;
    failure f = c->refusal;
    if (f.code == STATUS_OK) {
        char where[ENDPOINT_BYTES_MAX + 64];
        endpoints_text(c, where, sizeof where);
        fail(&f, STATUS_NO_TOKENIZERD,
             "no tokenizerd answers at %s: start the daemons with `trivium up`", where);
    }
    client_give_up(c, &f);
}

static status wait_begin(client *c, failure *f) {
    if (c->wait_timer >= 0) return STATUS_OK;
    uint32_t wait_ms = c->wait_ms > HANDSHAKE_MS_MIN ? c->wait_ms : HANDSHAKE_MS_MIN;
    c->wait_timer = loop_once(c->loop, wait_ms, on_wait_over, c);
    return c->wait_timer >= 0 ? STATUS_OK : fail(f, STATUS_NO_MEMORY, "no memory for a timer");
}

/* ---- joining, one endpoint at a time ---- */

static status client_join(client *c, failure *f);

static void on_turn(void *context) {
    client *c = context;
    c->turn_timer = -1;
    if (c->tokenizerd) return;
    peers_free(&c->link);
    c->at = (c->at + 1) % c->n_endpoints;
    failure f;
    if (client_join(c, &f) != STATUS_OK) client_give_up(c, &f);
}

/* The next endpoint, from the loop: a handler of the link must not free it. */
static void turn_after(client *c, uint32_t delay_ms) {
    timer_clear(c, &c->turn_timer);
    if (c->n_endpoints > 1) c->turn_timer = loop_once(c->loop, delay_ms, on_turn, c);
}

static void on_joined_turn(void *context) {
    client *c = context;
    c->joined_timer = -1;
    if (!c->tokenizerd) return;
    generations_joined(c);      /* before the calls, which may tune one of them */
    client_calls_joined(c);
    watching_joined(c);
}

static status on_joined(void *context, peer *p, const Trivium__Hello *hello, failure *f) {
    client *c = context;
    if (hello->role != TRIVIUM__ROLE__TOKENIZERD) {
        fail(f, STATUS_BAD_REQUEST, "what listens at %s is no tokenizerd", c->endpoints[c->at]);
        c->refusal = *f;
        turn_after(c, 0);
        return f->code;
    }
    c->tokenizerd = p;
    c->refusal.code = STATUS_OK;
    timer_clear(c, &c->wait_timer);
    timer_clear(c, &c->turn_timer);
    timer_clear(c, &c->joined_timer);
    c->joined_timer = loop_once(c->loop, 0, on_joined_turn, c);
    return STATUS_OK;
}

static void on_left(void *context, peer *p, const char *why) {
    (void)p;
    (void)why;
    client *c = context;
    c->tokenizerd = NULL;
    client_calls_lost(c);
    turn_after(c, 0);
    failure f;
    wait_begin(c, &f);
}

static void on_refused_turn(void *context) {
    client *c = context;
    c->turn_timer = -1;
    if (!c->tokenizerd) client_give_up(c, &c->refusal);
}

/* A full tokenizerd may have room later; any other refusal is final, unless there is another
 * endpoint to try. */
static void on_refused(void *context, const Trivium__Error *error) {
    client *c = context;
    error_from_wire(error, "tokenizerd", &c->refusal);
    timer_clear(c, &c->turn_timer);
    if (c->n_endpoints > 1) turn_after(c, 0);
    else if (c->refusal.code != STATUS_BUSY)
        c->turn_timer = loop_once(c->loop, 0, on_refused_turn, c);
}

static void on_heartbeat(void *context, peer *p, Trivium__Heartbeat *beat) {
    (void)p;
    generations_heartbeat(context, beat);
}

static void on_message(void *context, peer *p, const wire_message *m) {
    (void)p;
    client *c = context;
    const Trivium__TextReply *reply = (const Trivium__TextReply *)m->header;
    switch (reply->body_case) {
    case TRIVIUM__TEXT_REPLY__BODY_STARTED:
    case TRIVIUM__TEXT_REPLY__BODY_CHUNK:
    case TRIVIUM__TEXT_REPLY__BODY_DONE:
        generations_message(c, m, reply);
        break;
    default:
        if (!watching_message(c, reply)) client_calls_message(c, m, reply);
    }
}

static status client_join(client *c, failure *f) {
    endpoint *e = NULL;
    const endpoint_options where = {
        .address = c->endpoints[c->at],
        .high_water = HIGH_WATER_MESSAGES,
    };
    status st = endpoint_join(&e, &where, f);
    if (st != STATUS_OK) return st;
    const peers_options how = {
        .incoming = &trivium__text_reply__descriptor,
        .hello = &c->hello,
        .incarnation = c->incarnation,
        .heartbeat_ms = HEARTBEAT_MS,
        .liveness = LIVENESS_BOTH,
        .events = {
            .joined = on_joined,
            .left = on_left,
            .message = on_message,
            .heartbeat = on_heartbeat,
            .refused = on_refused,
        },
        .context = c,
    };
    c->link = peers_new(c->loop, &e, &how);
    endpoint_close(&e);
    if (!c->link) return fail(f, STATUS_NO_MEMORY, "no memory for a connection");
    turn_after(c, TURN_MS);
    return STATUS_OK;
}

status client_send(client *c, Trivium__TextRequest *m, const wire_raw *raw, size_t n_raw,
                   failure *f) {
    assert(c->tokenizerd);
    status st = peers_send(c->link, c->tokenizerd, &m->base, raw, n_raw);
    switch (st) {
    case STATUS_OK:
    case STATUS_BUSY: return STATUS_OK;         /* cut: `left` follows from the loop */
    case STATUS_TOO_LONG: return fail(f, st, "the request is longer than a message may be");
    default: return fail(f, st, "no memory for a message");
    }
}

/* ---- open and close ---- */

static status endpoints_set(client *c, const client_options *options, failure *f) {
    if (options->n_endpoints > 0) {
        assert(options->n_endpoints <= JOINS_MAX);
        c->n_endpoints = options->n_endpoints;
        memcpy(c->endpoints, options->endpoints, c->n_endpoints * sizeof *c->endpoints);
        return STATUS_OK;
    }
    char folder[4096];
    status st = paths_ensure_runtime(folder, sizeof folder, f); /* never somebody else's folder */
    if (st == STATUS_OK) {
        st = paths_endpoint("clients", c->default_endpoint, sizeof c->default_endpoint, f);
    }
    c->endpoints[0] = c->default_endpoint;
    c->n_endpoints = 1;
    return st;
}

status client_open(client **out, const client_options *options, failure *f) {
    if (resources_check(1, f) != STATUS_OK) return f->code;
    client *c = calloc(1, sizeof *c);
    if (!c || !(c->loop = loop_new())) {
        free(c);
        return fail(f, STATUS_NO_MEMORY, "no memory for a client");
    }
    c->wait_timer = c->turn_timer = c->joined_timer = -1;
    c->wait_ms = options->wait_ms > 0 ? options->wait_ms : 1;   /* on the wire 0 is the default */
    c->incarnation = peers_incarnation();
    hello_introduce(&c->hello, TRIVIUM__ROLE__CLIENT, "trivium", HEARTBEAT_MS, c->host);
    status st = endpoints_set(c, options, f);
    if (st == STATUS_OK) st = client_join(c, f);
    if (st == STATUS_OK) st = wait_begin(c, f);
    if (st != STATUS_OK) {
        client_close(&c);
        return st;
    }
    *out = c;
    return STATUS_OK;
}

void client_close(client **c) {
    if (!*c) return;
    peers_free(&(*c)->link);
    client_calls_free(*c);
    generations_free(*c);
    watching_free(*c);
    loop_free(&(*c)->loop);
    free(*c);
    *c = NULL;
}
