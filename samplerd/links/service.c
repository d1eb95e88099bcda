#include "service.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logits.pb-c.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"
#include "proto/chain/strategy_wire.h"
#include "proto/net/endpoint.h"
#include "proto/net/errors.h"
#include "proto/net/hello.h"
#include "proto/net/peer.h"
#include "proto/net/wire.h"
#include "proto/rows/shared_rows.h"
#include "samplerd/chain/chain.h"
#include "service_request.h"

/* Name and version of the rules by which ids are drawn. Another rule, another version: a step that
 * one sampler did not answer is taken again only by one of equal semantics. */
static char SEMANTICS[] = "trivium/3";

enum { JOB_DRAWS = -1, JOB_NEITHER = -2 };

/* One modeld that we join. */
typedef struct joint {
    service *service;
    peers *peers;
    const char *address;
    shared_view *view;          /* its rows; NULL: they are sent */
} joint;

struct service {
    chain *chain;
    strategy strategy;          /* of the request in hand */
    int32_t *ids;               /* [ids_capacity]: its ids, and behind them what its rows added */
    double *probabilities;      /* [probabilities_capacity] */
    size_t ids_capacity, probabilities_capacity;
    Trivium__Drawn drawn[SAMPLE_ROWS_MAX], *drawn_list[SAMPLE_ROWS_MAX];
    Trivium__Candidate candidates[CANDIDATES_MAX], *candidate_list[CANDIDATES_MAX];
    uint32_t n_left[STEPS_MAX + 1];
    Trivium__Drawn watched;     /* the last row's, for who watches */
    uint8_t states[SAMPLE_ROWS_MAX][MEMORY_BYTES];

    Trivium__Hello hello;
    Trivium__SamplerOffer offer;
    char host[HOST_BYTES];
    bool map_rows;
    joint joints[JOINS_MAX];
    size_t n_joints;
};

/* ---- sampling ---- */

/* Room for n items; what was there is lost. False: no memory. */
static bool make_room(void **items, size_t *capacity, size_t n, size_t item_bytes) {
    if (n <= *capacity) return true;
    free(*items);
    *items = malloc(n * item_bytes);
    *capacity = *items ? n : 0;
    return *items != NULL;
}

static status prepare(service *s, const request *q, failure *f) {
    size_t n_ids = (size_t)q->n_ids + q->n_rows;
    size_t n_wanted = q->message->want_probabilities ? q->n_vocab : 0;
    if (!make_room((void **)&s->ids, &s->ids_capacity, n_ids, sizeof *s->ids) ||
        !make_room((void **)&s->probabilities, &s->probabilities_capacity, n_wanted,
                   sizeof *s->probabilities)) {
        return fail(f, STATUS_NO_MEMORY, "no memory for a step with %u ids", q->n_ids);
    }
    if (q->n_ids > 0) memcpy(s->ids, q->ids, q->n_ids * sizeof *s->ids);
    return strategy_from_wire(&s->strategy, q->message->strategy, f);
}

/* Only one row of a message has candidates, so that all may share one array. */
static void set_drawn(service *s, uint32_t at, const sample_result *result) {
    Trivium__Drawn *drawn = &s->drawn[at];
    trivium__drawn__init(drawn);
    drawn->id = result->id;
    drawn->logprob = result->logprob;
    memcpy(s->states[at], result->state, result->n_state_bytes);
    drawn->state = (ProtobufCBinaryData){result->n_state_bytes, s->states[at]};
    memcpy(s->n_left, result->n_left, result->n_left_items * sizeof *s->n_left);
    drawn->n_n_left = result->n_left_items;
    drawn->n_left = s->n_left;
    drawn->n_candidates = result->n_candidates;
    drawn->candidates = s->candidate_list;
    for (uint32_t i = 0; i < result->n_candidates; i++) {
        Trivium__Candidate *candidate = &s->candidates[i];
        trivium__candidate__init(candidate);
        candidate->id = result->candidates[i].id;
        candidate->logprob = result->candidates[i].logprob;
        candidate->probability = result->candidates[i].probability;
        candidate->removed_by = result->candidates[i].removed_by;
    }
}

/* The likeliest n of what there is. */
static void keep_candidates(Trivium__Drawn *drawn, uint32_t n) {
    if (drawn->n_candidates > n) drawn->n_candidates = n;
    if (n == 0) drawn->n_n_left = 0;
}

/* Who watches shares the last row's candidates with who asked, each gets as many as are wanted: to find
 * them takes far less than to do the step again. */
static void share_candidates(service *s, const Trivium__SampleRequest *m, Trivium__Drawn *last) {
    s->watched = *last;
    s->watched.state.len = 0;
    keep_candidates(&s->watched, m->n_watched);
    keep_candidates(last, m->n_candidates);
}

/* Row i follows the ids so far and what the rows before it added: the ids drawn, or those given. */
static status sample_rows(service *s, const request *q, failure *f) {
    const Trivium__SampleRequest *m = q->message;
    uint32_t n_ids = q->n_ids;
    uint32_t n_wanted = m->n_candidates > m->n_watched ? m->n_candidates : m->n_watched;
    sample_result result = {.n_state_bytes = 0};
    const uint8_t *state = m->state.data;
    size_t n_state_bytes = m->state.len;
    for (uint32_t at = 0; at < q->n_rows; at++) {
        int32_t given = m->n_given > 0 ? m->given[at] : JOB_DRAWS;
        if (m->n_given > 0 && given == GIVEN_NONE) given = JOB_NEITHER;
        sample_job job = {
            .logits = q->rows + (size_t)at * q->n_vocab, .n_vocab = q->n_vocab,
            .ids = s->ids, .n_ids = n_ids, .n_prompt = m->n_prompt,
            .strategy = &s->strategy, .seed = m->seed, .step = m->step + at,
            .state = state, .n_state_bytes = n_state_bytes,
            .n_candidates = at + 1 == q->n_rows ? n_wanted : 0, .given = given,
        };
        double *probabilities = m->want_probabilities ? s->probabilities : NULL;
        status st = chain_sample(s->chain, &job, &result, probabilities, f);
        if (st != STATUS_OK) return st;
        set_drawn(s, at, &result);
        state = s->states[at];
        n_state_bytes = result.n_state_bytes;
        if (result.id >= 0) s->ids[n_ids++] = result.id;
    }
    share_candidates(s, m, &s->drawn[q->n_rows - 1]);
    return STATUS_OK;
}

static status answer(const joint *link, const wire_message *m,
                     const Trivium__SampleRequest *sample, failure *f) {
    service *s = link->service;
    request q;
    status st = request_from_wire(&q, link->view, m, sample, f);
    if (st == STATUS_OK) st = prepare(s, &q, f);
    if (st == STATUS_OK) st = sample_rows(s, &q, f);
    status late = request_recheck(&q, link->view, f);
    return late == STATUS_OK ? st : late;
}

/* ---- messages ---- */

static void send_reply(const joint *link, peer *p, const Trivium__SampleRequest *sample,
                       const failure *f, double sample_ms) {
    const service *s = link->service;
    Trivium__Error error;
    Trivium__SampleReply reply = TRIVIUM__SAMPLE_REPLY__INIT;
    reply.ticket = sample->ticket;
    reply.request = sample->request;
    reply.attempt = sample->attempt;
    reply.step = sample->step;
    reply.sample_ms = sample_ms;
    if (f->code == STATUS_OK) {
        reply.n_drawn = sample->n_rows;
        reply.drawn = (Trivium__Drawn **)s->drawn_list;
    } else {
        error = error_to_wire(f);
        reply.error = &error;
    }
    Trivium__LogitsReply out = TRIVIUM__LOGITS_REPLY__INIT;
    out.body_case = TRIVIUM__LOGITS_REPLY__BODY_SAMPLE;
    out.sample = &reply;
    bool spread = f->code == STATUS_OK && sample->want_probabilities;
    wire_raw raw = {s->probabilities, spread ? sample->n_vocab * sizeof *s->probabilities : 0};
    status st = peers_send(link->peers, p, &out.base, &raw, spread ? 1 : 0);
    if (st != STATUS_OK) {
        log_event(LOG_ERROR, "not_sent", "modeld=\"%s\" code=%s", peer_name(p), status_name(st));
    }
}

/* For who watches, when the id is on its way. */
static void send_glimpse(const joint *link, peer *p, const Trivium__SampleRequest *sample) {
    Trivium__Glimpse glimpse = TRIVIUM__GLIMPSE__INIT;
    glimpse.request = sample->request;
    glimpse.attempt = sample->attempt;
    glimpse.step = sample->step;
    glimpse.drawn = &link->service->watched;
    glimpse.strategy = sample->strategy;
    Trivium__LogitsReply out = TRIVIUM__LOGITS_REPLY__INIT;
    out.body_case = TRIVIUM__LOGITS_REPLY__BODY_GLIMPSE;
    out.glimpse = &glimpse;
    peers_offer(link->peers, p, &out.base);
}

static void on_message(void *context, peer *p, const wire_message *m) {
    const joint *link = context;
    const Trivium__LogitsRequest *incoming = (const Trivium__LogitsRequest *)m->header;
    if (incoming->body_case != TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE) return;
    const Trivium__SampleRequest *sample = incoming->sample;
    uint64_t begin_us = clock_us();
    failure f = {STATUS_OK, ""};
    status st = answer(link, m, sample, &f);
    if (st != STATUS_OK) {
        log_event(LOG_INFO, "refused", "modeld=\"%s\" step=%u code=%s reason=\"%s\"", peer_name(p),
                  sample->step, status_name(st), f.message);
    }
    send_reply(link, p, sample, &f, (double)(clock_us() - begin_us) / 1000.0);
    if (st == STATUS_OK && sample->n_watched > 0) send_glimpse(link, p, sample);
}

/* Where its rows can be mapped, tell it so. */
static void map_rows(joint *link, peer *p, const Trivium__Hello *hello) {
    failure f;
    if (!link->service->map_rows || !hello->shared_rows) return;
    status st = shared_view_open(&link->view, hello->pid, hello->shared_rows->fd,
                                 peer_incarnation(p), &f);
    if (st != STATUS_OK) {
        log_event(LOG_DEBUG, "not_mapped", "modeld=\"%s\" reason=\"%s\"", peer_name(p),
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
    joint *link = context;
    if (hello->role != TRIVIUM__ROLE__MODELD) {
        return fail(f, STATUS_BAD_REQUEST, "a samplerd joins modelds; this is none");
    }
    map_rows(link, p, hello);
    log_event(LOG_INFO, "joined", "modeld=\"%s\" endpoint=%s rows=%s", peer_name(p), link->address,
              link->view ? "mapped" : "sent");
    return STATUS_OK;
}

static void on_left(void *context, peer *p, const char *why) {
    joint *link = context;
    shared_view_close(&link->view);
    log_event(LOG_INFO, "left", "modeld=\"%s\" reason=\"%s\"", peer_name(p), why);
}

static void on_refused(void *context, const Trivium__Error *error) {
    const joint *link = context;
    log_event(LOG_ERROR, "join_refused", "endpoint=%s reason=\"%s\"", link->address,
              error->message);
}

/* ---- life ---- */

static void introduce(service *s, const service_options *options) {
    trivium__sampler_offer__init(&s->offer);
    s->offer.pool = (char *)options->pool;
    s->offer.semantics = SEMANTICS;
    hello_introduce(&s->hello, TRIVIUM__ROLE__SAMPLERD, options->name, options->heartbeat_ms, s->host);
    s->hello.sampler = &s->offer;
}

static status join(service *s, loop *l, const char *address, uint64_t incarnation, failure *f) {
    joint *link = &s->joints[s->n_joints];
    endpoint *e = NULL;
    status st = endpoint_join(&e, &(endpoint_options){.address = address,
                                                      .high_water = HIGH_WATER_ROWS}, f);
    if (st != STATUS_OK) return st;
    *link = (joint){.service = s, .address = address};
    link->peers = peers_new(l, &e, &(peers_options){
        .incoming = &trivium__logits_request__descriptor,
        .hello = &s->hello,
        .incarnation = incarnation,
        .heartbeat_ms = s->hello.heartbeat_ms,
        .liveness = LIVENESS_PING,
        .events = {.joined = on_joined, .left = on_left, .message = on_message,
                   .refused = on_refused},
        .context = link,
    });
    if (!link->peers) {
        endpoint_close(&e);
        return fail(f, STATUS_NO_MEMORY, "no memory to join %s", address);
    }
    s->n_joints++;
    return STATUS_OK;
}

status service_new(service **out, loop *l, const service_options *options, failure *f) {
    assert(options->n_joins > 0 && options->n_joins <= JOINS_MAX);
    service *s = calloc(1, sizeof *s);
    uint64_t incarnation = peers_incarnation();
    status st = STATUS_OK;
    if (s) s->chain = chain_new(options->isa);
    if (!s || !s->chain) {
        st = fail(f, STATUS_NO_MEMORY, "no memory");
        goto done;
    }
    for (size_t i = 0; i < SAMPLE_ROWS_MAX; i++) s->drawn_list[i] = &s->drawn[i];
    for (size_t i = 0; i < CANDIDATES_MAX; i++) s->candidate_list[i] = &s->candidates[i];
    s->map_rows = options->map_rows;
    introduce(s, options);
    st = hello_check(&s->hello, f);
    for (size_t i = 0; i < options->n_joins && st == STATUS_OK; i++) {
        st = join(s, l, options->joins[i], incarnation, f);
    }
    if (st != STATUS_OK) goto done;
    *out = s;
    s = NULL;
done:
    service_free(&s);
    return st;
}

void service_free(service **s) {
    if (!s || !*s) return;
    for (size_t i = 0; i < (*s)->n_joints; i++) {
        peers_free(&(*s)->joints[i].peers);
        shared_view_close(&(*s)->joints[i].view);
    }
    chain_free(&(*s)->chain);
    strategy_clear(&(*s)->strategy);
    free((*s)->ids);
    free((*s)->probabilities);
    free(*s);
    *s = NULL;
}
