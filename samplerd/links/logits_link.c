#include "logits_link.h"

#include <stdlib.h>
#include <string.h>

#include "logits.pb-c.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "proto/chain/strategy_wire.h"
#include "proto/net/errors.h"
#include "proto/net/peer.h"
#include "proto/net/wire.h"
#include "proto/rows/shared_rows.h"
#include "sample_reply.h"
#include "sample_request.h"

struct logits_link {
    peers *peers;
    const char *address;
    Trivium__SamplerOffer offer;
    shared_view *view;          /* the modeld's rows; NULL: they are sent */
    bool map_rows;
    logits_calls calls;
    void *context;
    strategy strategy;          /* of the request in hand */
    reply_room room;            /* for its answer */
};

/* ---- one request ---- */

static status draw(logits_link *link, const wire_message *m, const Trivium__SampleRequest *request,
                   sampled_rows *out, failure *f) {
    sample_rows rows;
    status st = sample_request_read(&rows, link->view, m, request, f);
    if (st == STATUS_OK) st = strategy_from_wire(&link->strategy, request->strategy, f);
    rows.strategy = &link->strategy;
    if (st == STATUS_OK) st = link->calls.draw(link->context, &rows, out, f);
    status late = sample_request_recheck(&rows, link->view, request, f);
    return late == STATUS_OK ? st : late;
}

/* The id of the text in hex, for the log; "-" of a score or probe, which has none. */
static void request_name(const ProtobufCBinaryData *id, char out[2 * REQUEST_BYTES + 1]) {
    text_hex(id->data, id->len < REQUEST_BYTES ? id->len : REQUEST_BYTES, out);
    if (id->len == 0) strcpy(out, "-");
}

/* `probabilities`: [n_vocab], or NULL. */
static void send_reply(logits_link *link, peer *p, Trivium__SampleReply *reply,
                       const double *probabilities, uint32_t n_vocab) {
    Trivium__LogitsReply out = TRIVIUM__LOGITS_REPLY__INIT;
    out.body_case = TRIVIUM__LOGITS_REPLY__BODY_SAMPLE;
    out.sample = reply;
    wire_raw raw = {probabilities, n_vocab * sizeof *probabilities};
    status st = peers_send(link->peers, p, &out.base, &raw, probabilities ? 1 : 0);
    if (st == STATUS_OK) return;
    char name[2 * REQUEST_BYTES + 1];
    request_name(&reply->request, name);
    log_event(LOG_ERROR, "unsent", "request=%s modeld=\"%s\" step=%u code=%s", name, peer_name(p),
              reply->step, status_name(st));
}

/* When the id is on its way. */
static void log_drawn(peer *p, const Trivium__SampleRequest *request, const Trivium__SampleReply *reply) {
    char name[2 * REQUEST_BYTES + 1];
    request_name(&request->request, name);
    log_event(LOG_DEBUG, "drawn", "request=%s modeld=\"%s\" step=%u rows=%u id=%d", name, peer_name(p),
              request->step, request->n_rows, reply->drawn[request->n_rows - 1]->id);
}

/* For those who watch, when the id is on its way. */
static void offer_trace(logits_link *link, peer *p, const Trivium__SampleRequest *request) {
    Trivium__Glimpse glimpse;
    sample_reply_trace(&glimpse, request, &link->room);
    Trivium__LogitsReply out = TRIVIUM__LOGITS_REPLY__INIT;
    out.body_case = TRIVIUM__LOGITS_REPLY__BODY_GLIMPSE;
    out.glimpse = &glimpse;
    peers_offer(link->peers, p, &out.base);
}

static void take_request(logits_link *link, peer *p, const wire_message *m,
                         const Trivium__SampleRequest *request) {
    uint64_t begin_us = clock_us();
    failure f = {STATUS_OK, ""};
    sampled_rows sampled = {0};
    Trivium__SampleReply reply;
    Trivium__Error error;
    status st = draw(link, m, request, &sampled, &f);
    if (st == STATUS_OK) {
        sample_reply_drawn(&reply, request, &sampled, &link->room);
    } else {
        char name[2 * REQUEST_BYTES + 1];
        request_name(&request->request, name);
        log_event(LOG_INFO, "refused", "request=%s modeld=\"%s\" step=%u code=%s why=\"%s\"", name,
                  peer_name(p), request->step, status_name(st), f.message);
        error = error_to_wire(&f);
        sample_reply_failed(&reply, request, &error);
    }
    reply.sample_ms = (double)(clock_us() - begin_us) / 1000.0;
    send_reply(link, p, &reply, st == STATUS_OK ? sampled.probabilities : NULL, request->n_vocab);
    if (st == STATUS_OK) log_drawn(p, request, &reply);
    if (st == STATUS_OK && request->n_watched > 0) offer_trace(link, p, request);
}

/* ---- events of its peers: there is one modeld at most ---- */

static void on_message(void *context, peer *p, const wire_message *m) {
    const Trivium__LogitsRequest *incoming = (const Trivium__LogitsRequest *)m->header;
    if (incoming->body_case != TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE) return;
    take_request(context, p, m, incoming->sample);
}

/* Where its rows can be mapped, tell it so. */
static void map_rows(logits_link *link, peer *p, const Trivium__Hello *hello) {
    failure f;
    if (!link->map_rows || !hello->shared_rows) return;
    status st = shared_view_open(&link->view, hello->pid, hello->shared_rows->fd,
                                 peer_incarnation(p), &f);
    if (st != STATUS_OK) {
        log_event(LOG_DEBUG, "not_mapped", "modeld=\"%s\" why=\"%s\"", peer_name(p),
                  f.message);
        return;
    }
    Trivium__RowsMapped mapped = TRIVIUM__ROWS_MAPPED__INIT;
    Trivium__LogitsReply out = TRIVIUM__LOGITS_REPLY__INIT;
    out.body_case = TRIVIUM__LOGITS_REPLY__BODY_MAPPED;
    out.mapped = &mapped;
    if (peers_send(link->peers, p, &out.base, NULL, 0) != STATUS_OK) shared_view_close(&link->view);
}

static status on_joined(void *context, peer *p, const Trivium__Hello *hello, failure *f) {
    logits_link *link = context;
    if (hello->role != TRIVIUM__ROLE__MODELD) {
        return fail(f, STATUS_BAD_REQUEST, "a samplerd joins modelds; this is none");
    }
    map_rows(link, p, hello);
    log_event(LOG_INFO, "joined", "modeld=\"%s\" endpoint=%s rows=%s", peer_name(p), link->address,
              link->view ? "mapped" : "sent");
    return STATUS_OK;
}

static void on_left(void *context, peer *p, const char *why) {
    logits_link *link = context;
    shared_view_close(&link->view);
    log_event(LOG_INFO, "left", "modeld=\"%s\" why=\"%s\"", peer_name(p), why);
}

static void on_refused(void *context, const Trivium__Error *error) {
    const logits_link *link = context;
    log_event(LOG_ERROR, "join_refused", "endpoint=%s why=\"%s\"", link->address,
              error->message);
}

/* ---- life ---- */

static status join(logits_link *link, loop *l, const logits_link_options *options, failure *f) {
    Trivium__Hello hello = TRIVIUM__HELLO__INIT;
    trivium__sampler_offer__init(&link->offer);
    link->offer.pool = (char *)options->pool;
    link->offer.semantics = (char *)ROW_SAMPLER_SEMANTICS;
    hello.role = TRIVIUM__ROLE__SAMPLERD;
    hello.name = (char *)options->name;
    hello.sampler = &link->offer;
    const endpoint_options where = {.address = options->address, .high_water = HIGH_WATER_ROWS};
    const peers_options who = {
        .incoming = &trivium__logits_request__descriptor,
        .hello = &hello,
        .incarnation = options->incarnation,
        .heartbeat_ms = options->heartbeat_ms,
        .liveness = LIVENESS_PING,
        .events = {.joined = on_joined, .left = on_left, .message = on_message,
                   .refused = on_refused},
        .context = link,
    };
    return peers_join(&link->peers, l, &where, &who, f);
}

status logits_link_join(logits_link **out, loop *l, const logits_link_options *options, failure *f) {
    logits_link *link = calloc(1, sizeof *link);
    *out = NULL;
    if (!link) return fail(f, STATUS_NO_MEMORY, "no memory");
    link->address = options->address;
    link->map_rows = options->map_rows;
    link->calls = options->calls;
    link->context = options->context;
    status st = join(link, l, options, f);
    if (st == STATUS_OK) *out = link;
    else logits_link_free(&link);
    return st;
}

void logits_link_free(logits_link **link) {
    if (!link || !*link) return;
    peers_free(&(*link)->peers);
    shared_view_close(&(*link)->view);
    strategy_clear(&(*link)->strategy);
    free(*link);
    *link = NULL;
}
