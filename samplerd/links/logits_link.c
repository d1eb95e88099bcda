#include "logits_link.h"

#include <stdlib.h>

#include "desk.h"
#include "proto/base/carried/traceparent.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"
#include "proto/net/errors.h"
#include "proto/net/peer.h"
#include "proto/rows/shared_rows.h"
#include "sample_reply.h"

struct logits_link {
    peers *peers;
    const char *address;
    Trivium__SamplerOffer offer;
    shared_view *view;          /* the modeld's rows; NULL: they are sent */
    bool map_rows;
    logits_calls calls;
    void *context;
    threads *pool;
    reply_room room;            /* for one answer */
    bool is_joined, is_released;    /* is_released: it gives us, who drain, nothing any more */
    uint32_t n_taken;
    desk desks[];               /* [threads of the pool], of which n_taken have a request */
};

/* ---- one request ---- */

/* `probabilities`: [n_vocab], or NULL. */
static status send_reply(logits_link *link, peer *p, Trivium__SampleReply *reply, const double *probabilities,
                         uint32_t n_vocab) {
    Trivium__LogitsReply out = TRIVIUM__LOGITS_REPLY__INIT;
    out.body_case = TRIVIUM__LOGITS_REPLY__BODY_SAMPLE;
    out.sample = reply;
    wire_raw raw = {probabilities, n_vocab * sizeof *probabilities};
    return peers_send(link->peers, p, &out.base, &raw, probabilities ? 1 : 0);
}

/* For those who watch, when the ids are on their way. */
static void offer_traces(logits_link *link, const desk *d) {
    Trivium__Glimpse glimpse;
    Trivium__LogitsReply out = TRIVIUM__LOGITS_REPLY__INIT;
    out.body_case = TRIVIUM__LOGITS_REPLY__BODY_GLIMPSE;
    out.glimpse = &glimpse;
    for (uint32_t at = 0; at < d->sampled.n_rows; at++)
        if (sample_reply_trace(&glimpse, d->request, at, &link->room)) peers_offer(link->peers, d->from, &out.base);
}

/* When the answer is on its way. */
static void log_answer(const desk *d, const Trivium__SampleReply *reply, status sent) {
    bool drawn = d->failure.code == STATUS_OK;
    if (drawn && sent == STATUS_OK && !log_writes(LOG_DEBUG)) return;
    char name[2 * REQUEST_BYTES + 1], trace[TRACE_WORD_BYTES];
    desk_name(d, name);
    traceparent_word(d->request->traceparent, trace);
    if (sent != STATUS_OK)
        log_event(LOG_ERROR, "unsent", "request=%s%s modeld=\"%s\" step=%u code=%s", name, trace, peer_name(d->from),
                  reply->step, status_name(sent));
    if (drawn)
        log_event(LOG_DEBUG, "drawn", "request=%s%s modeld=\"%s\" step=%u rows=%zu id=%d", name, trace,
                  peer_name(d->from), reply->step, reply->n_drawn, reply->drawn[reply->n_drawn - 1]->id);
    else
        log_event(LOG_INFO, "refused", "request=%s%s modeld=\"%s\" step=%u code=%s why=\"%s\"", name, trace,
                  peer_name(d->from), reply->step, status_name(d->failure.code), d->failure.message);
}

static void answer(logits_link *link, desk *d) {
    bool drawn = d->failure.code == STATUS_OK;
    Trivium__SampleReply reply;
    Trivium__Error error;
    if (drawn) {
        sample_reply_drawn(&reply, d->request, &d->sampled, &link->room);
    } else {
        error = error_to_wire(&d->failure);
        sample_reply_failed(&reply, d->request, &error);
    }
    reply.sample_ms = d->sample_ms;
    status sent = send_reply(link, d->from, &reply, drawn ? d->sampled.probabilities : NULL, d->request->n_vocab);
    log_answer(d, &reply, sent);
    if (drawn) offer_traces(link, d);
    desk_clear(d);
}

/* ---- several at once ---- */

static void work_at(void *context, uint32_t first, uint32_t end, uint32_t thread) {
    logits_link *link = context;
    (void)thread;
    for (uint32_t i = first; i < end; i++)
        desk_work(&link->desks[i], link->view, link->calls.draw, link->context, i);
}

static void on_all_handed(void *context) {
    logits_link *link = context;
    threads_for(link->pool, link->n_taken, THREADS_WORK_MIN, work_at, link);
    for (uint32_t i = 0; i < link->n_taken; i++) answer(link, &link->desks[i]);
    link->n_taken = 0;
}

/* ---- events of its peers: there is one modeld at most ---- */

static void on_message(void *context, peer *p, const wire_message *m) {
    logits_link *link = context;
    const Trivium__LogitsRequest *incoming = (const Trivium__LogitsRequest *)m->header;
    switch (incoming->body_case) {
    case TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE: break;
    case TRIVIUM__LOGITS_REQUEST__BODY_DRAIN: link->calls.drain(link->context); return;
    case TRIVIUM__LOGITS_REQUEST__BODY_RELEASED: link->is_released = true; return;
    default: return;
    }
    desk_take(&link->desks[link->n_taken++], p, m, incoming->sample);
    if (link->n_taken == threads_count(link->pool)) on_all_handed(link);
}

static void on_refuse(void *context, peer *p, const wire_message *m, const failure *why) {
    logits_link *link = context;
    const Trivium__LogitsRequest *incoming = (const Trivium__LogitsRequest *)m->header;
    if (incoming->body_case != TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE) return;
    desk unread;
    desk_take(&unread, p, m, incoming->sample);
    unread.failure = *why;
    answer(link, &unread);
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
    link->is_joined = true;
    link->is_released = false;
    map_rows(link, p, hello);
    log_event(LOG_INFO, "joined", "modeld=\"%s\" endpoint=%s rows=%s protocol=%u", peer_name(p), link->address,
              link->view ? "mapped" : "sent", peer_version(p));
    if (link->calls.joined) link->calls.joined(link->context, link, peer_incarnation(p));
    return STATUS_OK;
}

static bool asks_who(void *context) {
    logits_link *link = context;
    return link->calls.asks_who && link->calls.asks_who(link->context, link->address);
}

static bool on_met(void *context, uint64_t incarnation) {
    logits_link *link = context;
    return link->calls.met(link->context, link, incarnation);
}

static void on_left(void *context, peer *p, const char *why) {
    logits_link *link = context;
    shared_view_close(&link->view);
    link->is_joined = false;
    log_event(LOG_INFO, "left", "modeld=\"%s\" why=\"%s\"", peer_name(p), why);
    if (link->calls.lost) link->calls.lost(link->context, link);
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
    link->offer.semantics = (char *)CHAIN_SEMANTICS;
    link->offer.takes_cut_rows = options->takes_cut_rows;
    hello.role = TRIVIUM__ROLE__SAMPLERD;
    hello.name = (char *)options->name;
    hello.sampler = &link->offer;
    const endpoint_options where = {
        .address = options->address,
        .high_water = HIGH_WATER_ROWS,
        .link = LINK_LOGITS,
        .keys = options->keys,
        .insecure = options->insecure,
    };
    const peers_options who = {
        .incoming = &trivium__logits_request__descriptor,
        .hello = &hello,
        .incarnation = options->incarnation,
        .heartbeat_ms = options->heartbeat_ms,
        .liveness = LIVENESS_PING,
        .sends_whole = true,
        .events = {.joined = on_joined, .left = on_left, .message = on_message, .refuse = on_refuse,
                   .asks_who = asks_who, .met = on_met, .refused = on_refused, .all_handed = on_all_handed},
        .context = link,
    };
    return peers_join(&link->peers, l, &where, &who, f);
}

status logits_link_join(logits_link **out, loop *l, const logits_link_options *options, failure *f) {
    logits_link *link = calloc(1, sizeof *link + threads_count(options->draw_threads) * sizeof link->desks[0]);
    *out = NULL;
    if (!link) return fail(f, STATUS_NO_MEMORY, "no memory");
    link->pool = options->draw_threads;
    link->address = options->address;
    link->map_rows = options->map_rows;
    link->calls = options->calls;
    link->context = options->context;
    status st = join(link, l, options, f);
    if (st == STATUS_OK) *out = link;
    else logits_link_free(&link);
    return st;
}

void logits_link_drain(logits_link *link) {
    link->is_released = false;  /* whatever was said before */
    peers_drain(link->peers);
}

bool logits_link_is_over(const logits_link *link) {
    return !link->is_joined || (link->is_released && peers_have_sent(link->peers));
}

void logits_link_free(logits_link **link) {
    if (!link || !*link) return;
    peers_free(&(*link)->peers);
    shared_view_close(&(*link)->view);
    free(*link);
    *link = NULL;
}
