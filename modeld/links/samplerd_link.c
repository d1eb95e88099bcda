#include "samplerd_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/log.h"
#include "proto/chain/strategy_wire.h"
#include "proto/draw/chain.h"
#include "proto/net/errors.h"
#include "proto/net/peer.h"
#include "vocabulary_pieces.h"
#include "vocabulary_sender.h"

struct samplerd_link {
    samplerd_link_options options;
    peers *peers;
    vocabulary_sender *vocabulary;
    Trivium__Hello hello;
    Trivium__SharedRows offer;
};

/* ---- rows go out ---- */

static void say_cut(Trivium__CutRow *out, const cut_row *row) {
    trivium__cut_row__init(out);
    out->n_stages = row->n_stages;
    out->n_left = row->n_left;
    out->raw_max = row->raw_max;
    out->raw_total = row->raw_total;
}

/* Empty where the sampler reads the row in place. */
static wire_raw frame_of_rows(const sample_request *r, bool in_place) {
    if (in_place) return (wire_raw){r->rows, 0};
    if (r->scored) return (wire_raw){r->scored, r->n_rows * sizeof *r->scored};
    if (r->cut) return (wire_raw){r->cut_bytes, (size_t)r->cut->n_left * CUT_ROW_BYTES};
    return (wire_raw){r->rows, (size_t)r->n_rows * r->row_width * sizeof *r->rows};
}

static status send_request(samplerd_link *link, const sampler *to, const sample_request *r,
                           Trivium__Strategy *stages) {
    static const uint8_t no_request[REQUEST_BYTES];
    Trivium__SharedRow shared = TRIVIUM__SHARED_ROW__INIT, *only_shared = &shared;
    Trivium__CutRow cut;
    Trivium__SampleRequest wire = TRIVIUM__SAMPLE_REQUEST__INIT;
    wire.ticket = r->ticket;
    wire.request.len = REQUEST_BYTES;
    wire.request.data = (uint8_t *)(r->request ? r->request : no_request);
    wire.attempt = r->attempt;
    wire.step = r->step;
    wire.n_rows = r->n_rows;
    wire.n_vocab = r->row_width;
    wire.n_ids = r->n_ids;
    wire.n_prompt = r->n_prompt;
    wire.strategy = stages;
    wire.seed = r->seed;
    wire.state = (ProtobufCBinaryData){r->n_sampler_state_bytes, (uint8_t *)r->sampler_state};
    wire.deadline_ms = r->deadline_ms;
    wire.n_candidates = r->n_candidates;
    wire.n_watched = r->n_watched;
    wire.priority = r->priority;
    if (r->traceparent) wire.traceparent = (char *)r->traceparent;
    wire.want_probabilities = r->want_probabilities;
    wire.given = (int32_t *)r->given;
    wire.n_given = r->given ? r->n_rows : 0;
    wire.scored = r->scored != NULL;
    if (r->in_shared && to->maps_rows) {
        shared.index = r->shared_index;
        shared.generation = r->shared_generation;
        wire.shared = &only_shared;
        wire.n_shared = 1;
    } else if (r->cut) {
        say_cut(&cut, r->cut);
        wire.cut = &cut;
    }
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &wire;
    const wire_raw raw[] = {
        frame_of_rows(r, wire.n_shared > 0),
        {r->ids, r->n_ids * sizeof *r->ids},
    };
    return peers_send(link->peers, to->peer, &m.base, raw, 2);
}

status samplerd_link_send(samplerd_link *link, sampler *to, const sample_request *request) {
    Trivium__Strategy *stages = strategy_to_wire(request->strategy);
    if (!stages) return STATUS_NO_MEMORY;
    status st = send_request(link, to, request, stages);
    trivium__strategy__free_unpacked(stages, NULL);
    if (st == STATUS_BUSY) sampler_lost(to);
    return st;
}

void samplerd_link_mark_busy(samplerd_link *link) {
    for (sampler *one = samplers_first(link->options.samplers); one; one = samplers_next(one))
        peer_set_busy(one->peer, one->n_outstanding > 0);
}

/* ---- answers come back ---- */

static void take_sample(samplerd_link *link, sampler *from, const wire_message *message,
                        const Trivium__SampleReply *reply) {
    sample_answer answer = {reply, message};
    link->options.events->answered(link->options.context, from, &answer);
}

static void take_glimpse(samplerd_link *link, Trivium__Glimpse *g) {
    if (!sample_trace_is_sound(g, link->options.n_vocab))
        garbage_count(link->options.garbage, "glimpse");
    else link->options.events->traced(link->options.context, g);
}

static bool offer_piece(peers *ps, peer *to, Trivium__VocabularyPiece *piece) {
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_VOCABULARY;
    m.vocabulary = piece;
    return peers_offer(ps, to, &m.base);
}

static void take_vocabulary(samplerd_link *link, peer *p, const Trivium__VocabularyQuery *query) {
    if (vocabulary_pieces_wanted(link->options.model, query)) vocabulary_sender_begin(link->vocabulary, link->peers, p);
    else garbage_count(link->options.garbage, "vocabulary");
}

static void on_message(void *context, peer *p, const wire_message *message) {
    samplerd_link *link = context;
    sampler *from = peer_user(p);
    const Trivium__LogitsReply *m = (const Trivium__LogitsReply *)message->header;
    switch (m->body_case) {
    case TRIVIUM__LOGITS_REPLY__BODY_SAMPLE: take_sample(link, from, message, m->sample); return;
    case TRIVIUM__LOGITS_REPLY__BODY_MAPPED: sampler_maps(from); return;
    case TRIVIUM__LOGITS_REPLY__BODY_GLIMPSE: take_glimpse(link, m->glimpse); return;
    case TRIVIUM__LOGITS_REPLY__BODY_VOCABULARY: take_vocabulary(link, p, m->vocabulary); return;
    default: garbage_count(link->options.garbage, "logits_reply");
    }
}

static void on_refuse(void *context, peer *p, const wire_message *message, const failure *why) {
    samplerd_link *link = context;
    const Trivium__LogitsReply *m = (const Trivium__LogitsReply *)message->header;
    if (m->body_case != TRIVIUM__LOGITS_REPLY__BODY_SAMPLE) {
        garbage_count(link->options.garbage, "pieces");
        return;
    }
    Trivium__Error error = error_to_wire(why);
    Trivium__SampleReply unread = *m->sample;
    unread.error = &error;
    take_sample(link, peer_user(p), message, &unread);
}

/* It answers a ping after whatever was sent to it before. */
static void on_heard(void *context, peer *p, const Trivium__Heartbeat *beat) {
    (void)context, (void)beat;
    sampler_heard(peer_user(p));
}

/* ---- samplers come and go ---- */

static status on_joined(void *context, peer *p, const Trivium__Hello *hello, failure *f) {
    samplerd_link *link = context;
    if (hello->role != TRIVIUM__ROLE__SAMPLERD || !hello->sampler)
        return fail(f, STATUS_BAD_REQUEST, "only samplerds join here");
    const Trivium__SamplerOffer *offer = hello->sampler;
    sampler *one = NULL;
    if (samplers_add(link->options.samplers, p, offer->pool, offer->semantics, &one, f) != STATUS_OK)
        return f->code;
    if (offer->takes_cut_rows && strcmp(one->semantics, CHAIN_SEMANTICS) == 0) sampler_takes_cut_rows(one);
    peer_set_user(p, one);
    char place[PEER_PLACE_BYTES];
    log_event(LOG_INFO, "joined", "samplerd=\"%s\" %s pool=\"%s\" semantics=\"%s\" protocol=%u",
              hello->name, peer_place(p, place), one->pool, one->semantics, peer_version(p));
    link->options.events->changed(link->options.context);
    return STATUS_OK;
}

static void on_draining(void *context, peer *p) {
    samplerd_link *link = context;
    sampler *one = peer_user(p);
    char place[PEER_PLACE_BYTES];
    log_event(LOG_INFO, "draining", "samplerd=\"%s\" %s pool=\"%s\"", peer_name(p), peer_place(p, place), one->pool);
    sampler_drains(one);
    link->options.events->changed(link->options.context);
}

static void on_left(void *context, peer *p, const char *why) {
    samplerd_link *link = context;
    sampler *gone = peer_user(p);
    char place[PEER_PLACE_BYTES];
    log_event(LOG_INFO, "left", "samplerd=\"%s\" %s pool=\"%s\" why=\"%s\"", peer_name(p), peer_place(p, place), gone->pool, why);
    vocabulary_sender_forget(link->vocabulary, p);
    sampler_lost(gone);
    char lost[NAME_BYTES_MAX + 128];
    snprintf(lost, sizeof lost, "%s is gone: %.80s", peer_name(p), why);
    link->options.events->lost(link->options.context, gone, lost);
    samplers_remove(link->options.samplers, gone);
    link->options.events->changed(link->options.context);
}

/* ---- draining ---- */

void samplerd_link_drain(samplerd_link *link) {
    peers_drain(link->peers);
}

sampler *samplerd_link_find(const samplerd_link *link, const char *name, int32_t pid, const char *host, failure *f) {
    sampler *found = NULL;
    for (sampler *one = samplers_first(link->options.samplers); one; one = samplers_next(one)) {
        const Trivium__Hello *hello = peer_hello(one->peer);
        if (strcmp(hello->name, name) != 0 || (pid && hello->pid != pid) || (host[0] && strcmp(hello->host, host) != 0))
            continue;
        if (found) {
            fail(f, STATUS_BAD_REQUEST, "there are several samplerds %s: name one by its pid and host", name);
            return NULL;
        }
        found = one;
    }
    if (!found) fail(f, STATUS_NOT_FOUND, "no samplerd %s is here", name);
    return found;
}

/* Whoever cannot be reached is lost, and what is said to it with that. */
static void say(samplerd_link *link, sampler *to, Trivium__LogitsRequest *m, const char *why_not) {
    status st = peers_send(link->peers, to->peer, &m->base, NULL, 0);
    if (st != STATUS_OK && st != STATUS_BUSY) peers_cut(link->peers, to->peer, why_not);
}

void samplerd_link_ask_to_drain(samplerd_link *link, sampler *to) {
    Trivium__DrainSampler drain = TRIVIUM__DRAIN_SAMPLER__INIT;
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_DRAIN;
    m.drain = &drain;
    sampler_drains(to);
    say(link, to, &m, "it could not be told to drain");
}

void samplerd_link_release(samplerd_link *link, sampler *to) {
    Trivium__Released released = TRIVIUM__RELEASED__INIT;
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_RELEASED;
    m.released = &released;
    sampler_released_for_good(to);
    say(link, to, &m, "it drains, and could not be told that nothing comes any more");
}

bool samplerd_link_in_order(const sampler *gone) {
    return peer_is_draining(gone->peer) || peer_has_left(gone->peer);
}

const char *samplerd_link_name(const sampler *one) {
    return peer_name(one->peer);
}

void samplerd_link_describe(const sampler *one, Trivium__SamplerReport *out) {
    const Trivium__Hello *hello = peer_hello(one->peer);
    trivium__sampler_report__init(out);
    out->name = hello->name;
    out->pool = (char *)one->pool;
    out->semantics = (char *)one->semantics;
    out->pid = hello->pid;
    out->host = hello->host;
    out->uptime_ms = peer_uptime_ms(one->peer);
    out->outstanding = one->n_outstanding;
    out->steps = one->n_steps;
    out->draining = one->draining;
    out->hanging = one->hanging;
}

/* ---- making and ending it ---- */

static void introduce(samplerd_link *link) {
    link->hello = *link->options.hello;
    if (!link->options.shared) return;
    trivium__shared_rows__init(&link->offer);
    link->offer.fd = shared_rows_fd(link->options.shared);
    link->hello.shared_rows = &link->offer;
}

static status bind_link(samplerd_link *link, loop *l, failure *f) {
    const samplerd_link_options *options = &link->options;
    const endpoint_options where = {
        .address = options->address,
        .high_water = HIGH_WATER_ROWS,
        .link = LINK_LOGITS,
        .keys = options->keys,
        .insecure = options->insecure,
    };
    const peers_options who = {
        .incoming = &trivium__logits_reply__descriptor,
        .hello = &link->hello,
        .incarnation = options->incarnation,
        .heartbeat_ms = options->heartbeat_ms,
        .liveness = LIVENESS_PING,
        .counts_sent_itself = true, /* SENT_ROWS_BYTES_MAX */
        .sends_whole = true,
        .events = {.joined = on_joined, .left = on_left, .message = on_message, .refuse = on_refuse,
                   .heard = on_heard, .draining = on_draining},
        .context = link,
    };
    return peers_bind(&link->peers, l, &where, &who, f);
}

status samplerd_link_new(samplerd_link **out, loop *l, const samplerd_link_options *options, failure *f) {
    samplerd_link *link = *out = calloc(1, sizeof *link);
    if (!link) return fail(f, STATUS_NO_MEMORY, "no memory for the samplers' link");
    link->options = *options;
    introduce(link);
    link->vocabulary = vocabulary_sender_new(l, options->model, offer_piece);
    status st = link->vocabulary ? bind_link(link, l, f) : fail(f, STATUS_NO_MEMORY, "no memory for the samplers' link");
    if (st != STATUS_OK) samplerd_link_free(out);
    return st;
}

void samplerd_link_free(samplerd_link **link) {
    if (!*link) return;
    vocabulary_sender_free(&(*link)->vocabulary);
    peers_free(&(*link)->peers);
    free(*link);
    *link = NULL;
}

const char *samplerd_link_address(const samplerd_link *link) {
    return peers_address(link->peers);
}

join_place samplerd_link_place(const samplerd_link *link) {
    return (join_place){samplerd_link_address(link), peers_hello(link->peers)->host, link->options.keys != NULL};
}

uint64_t samplerd_link_garbage(const samplerd_link *link) {
    return peers_garbage(link->peers);
}
