/* Rows to samplerds, ids back. A row is kept until it is answered: whoever fails, another takes it.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/chain/strategy_wire.h"
#include "service_parts.h"

enum { WATCH_INTERVAL_MS = 20 }; /* between two looks at the deadlines */

static void arm_watch(service *s);

/* ---- sending ---- */

/* While a sampler has rows, its silence is not counted: the deadline watches it. */
static void mark_busy(service *s) {
    for (sampler *one = samplers_first(s->samplers); one; one = samplers_next(one))
        peer_set_busy(one->peer, one->n_outstanding > 0);
}

/* What only a text's request says. */
static void ask_for_text(Trivium__SampleRequest *r, Trivium__SharedRow *shared, const sequence *q) {
    text_sequence *text = sequence_text(q);
    r->request.data = text->request;
    r->attempt = text->attempt;
    r->n_prompt = text->n_prompt;
    r->seed = text->seed;
    r->state = (ProtobufCBinaryData){text->n_sampler_state_bytes, text->sampler_state};
    r->n_candidates = text->n_candidates;
    r->n_watched = text->n_watched;
    if (!text->shared.taken || !q->sending.sampler->maps_rows) return;
    shared->index = text->shared.index;
    shared->generation = text->shared.generation;
    r->shared = shared;
}

/* Of a score: the ids up to the first row; candidates are wanted with its last piece. */
static void ask_for_score(Trivium__SampleRequest *r, int32_t *given, const sequence *q) {
    const score_sequence *score = sequence_score(q);
    r->n_ids = r->n_prompt = score->pages.n_computed - q->rows.n + 1;
    if (score->pages.n_computed == q->n_ids) r->n_candidates = score->n_candidates;
    sequence_given(q, given);
    r->given = given;
    r->n_given = q->rows.n;
}

static void ask_for_probe(Trivium__SampleRequest *r, const sequence *q) {
    r->seed = sequence_probe(q)->seed;
    r->want_probabilities = true;
}

static status send_request(service *s, sequence *q, Trivium__Strategy *chain) {
    static uint8_t no_request[REQUEST_BYTES];
    int32_t given[SCORE_ROWS];
    Trivium__SharedRow shared = TRIVIUM__SHARED_ROW__INIT;
    Trivium__SampleRequest r = TRIVIUM__SAMPLE_REQUEST__INIT;
    r.ticket = q->sending.ticket;
    r.request = (ProtobufCBinaryData){REQUEST_BYTES, no_request};
    r.step = sequence_step(q);
    r.n_rows = q->rows.n;
    r.n_vocab = q->rows.width;
    r.n_ids = r.n_prompt = q->n_ids;
    r.strategy = chain;
    r.deadline_ms = s->options.step_deadline_ms;
    switch (q->kind) {
    case SEQUENCE_TEXT: ask_for_text(&r, &shared, q); break;
    case SEQUENCE_SCORE: ask_for_score(&r, given, q); break;
    case SEQUENCE_PROBE: ask_for_probe(&r, q); break;
    }
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &r;
    const wire_raw raw[] = {
        {q->rows.logits, r.shared ? 0 : (size_t)q->rows.n * q->rows.width * sizeof *q->rows.logits},
        {q->ids, r.n_ids * sizeof *q->ids},
    };
    return peers_send(s->sampler_peers, q->sending.sampler->peer, &m.base, raw, 2);
}

static void try_again(service *s, sequence *q, retry_cause cause, const char *why);

/* False: `to` cannot be reached, and is not tried again. */
static bool send_rows(service *s, sequence *q, sampler *to) {
    uint64_t now_us = clock_us();
    sequence_sent(s->sequences, q, to, now_us,
                  now_us + s->options.step_deadline_ms * UINT64_C(1000));
    Trivium__Strategy *chain = strategy_to_wire(sequence_strategy(q));
    status st = chain ? send_request(s, q, chain) : STATUS_NO_MEMORY;
    if (chain) trivium__strategy__free_unpacked(chain, NULL);
    if (st == STATUS_OK) return true;
    if (st == STATUS_BUSY) {
        to->lost = true;
        try_again(s, q, RETRY_UNSENT, "it could not be reached");
        return false;
    }
    failure f;
    fail(&f, st, "step %u cannot be put into a message to a samplerd: %s", sequence_step(q),
         status_name(st));
    reply_end(s, q, END_ERROR, &f);
    return true;
}

void rows_send(service *s) {
    sequence *q = sequences_first_waiting(s->sequences);
    while (q && samplers_have_room(s->samplers)) {
        sequence *next = sequences_next_waiting(q);
        sampler *to = samplers_choose(s->samplers, q->pool, sequence_semantics(q), q->sending.avoided);
        bool reached = !to || send_rows(s, q, to);
        q = reached ? next : sequences_first_waiting(s->sequences);
    }
    mark_busy(s);
    arm_watch(s);
}

/* ---- what can go wrong with a sending ---- */

/* Samplerds that go are a pause, for as long as wait_ms; but rows that end every samplerd which
 * gets them must not end all there will ever be. */
static void try_again(service *s, sequence *q, retry_cause cause, const char *why) {
    sequence_retry(s->sequences, q, cause, clock_us(), why);
    log_event(LOG_DEBUG, "retry", "step=%u tries=%u losses=%u pool=\"%s\" why=\"%s\"",
              sequence_step(q), q->sending.n_tries, q->sending.n_losses, q->pool, why);
    failure f = {.code = STATUS_OK};
    why = q->sending.last_error; /* fit to be told */
    if (q->sending.n_tries >= STEP_TRIES_MAX)
        fail(&f, STATUS_SAMPLER_FAILED,
             "step %u failed %d times at samplerds of pool %s; the last one: %s", sequence_step(q),
             STEP_TRIES_MAX, q->pool, why);
    else if (q->sending.n_losses >= STEP_LOSSES_MAX)
        fail(&f, STATUS_SAMPLER_FAILED,
             "%d samplerds of pool %s were lost while they had step %u; the last one: %s",
             STEP_LOSSES_MAX, q->pool, sequence_step(q), why);
    if (f.code == STATUS_OK) service_wake(s);
    else reply_end(s, q, END_ERROR, &f);
}

static void give_up_waiting(service *s, sequence *q) {
    failure f;
    bool other_pool = strcmp(q->pool, DEFAULT_POOL) != 0;
    if (samplers_present(s->samplers, q->pool, sequence_semantics(q)))
        fail(&f, STATUS_SAMPLER_FAILED,
             "no samplerd of pool %s has answered within %g s; the last one: %s", q->pool,
             q->sending.wait_ms / 1000.0, q->sending.last_error[0] ? q->sending.last_error : "it hangs");
    else if (samplers_present(s->samplers, q->pool, ""))
        fail(&f, STATUS_NO_SAMPLERD,
             "no samplerd of pool %s with the rules %s, which began this text, has joined model %s "
             "within %g s",
             q->pool, sequence_semantics(q), s->options.name, q->sending.wait_ms / 1000.0);
    else
        fail(&f, STATUS_NO_SAMPLERD,
             "no samplerd of pool %s has joined model %s within %g s; start one with: "
             "samplerd --join %s%s%s",
             q->pool, s->options.name, q->sending.wait_ms / 1000.0, service_samplers_at(s),
             other_pool ? " --pool " : "", other_pool ? q->pool : "");
    reply_end(s, q, END_ERROR, &f);
}

static void check_deadline(service *s, sequence *q, uint64_t now_us) {
    if (q->sending.sampler) {
        if (now_us < q->sending.deadline_us) return;
        char why[NAME_BYTES_MAX + 64];
        snprintf(why, sizeof why, "%s did not answer within %u ms", peer_name(q->sending.sampler->peer),
                 s->options.step_deadline_ms);
        sampler_hangs(q->sending.sampler);
        try_again(s, q, RETRY_FAILED, why);
    } else if (samplers_serve(s->samplers, q->pool, sequence_semantics(q))) {
        q->sending.waiting_us = now_us;
    } else if (now_us - q->sending.waiting_us >= q->sending.wait_ms * UINT64_C(1000)) {
        give_up_waiting(s, q);
    }
}

static void watch(void *context) {
    service *s = context;
    s->watch_due = false;
    uint64_t now_us = clock_us();
    sequence *next = NULL;
    for (sequence *q = sequences_first(s->sequences); q; q = next) {
        next = sequences_next(q);
        if (q->state == SEQUENCE_SAMPLING) check_deadline(s, q, now_us);
    }
    arm_watch(s);
}

/* No timer runs in an idle modeld. */
static void arm_watch(service *s) {
    if (s->watch_due || sequences_count(s->sequences) == 0) return;
    s->watch_due = loop_once(s->loop, WATCH_INTERVAL_MS, watch, s) >= 0;
    if (!s->watch_due) log_event(LOG_ERROR, "no_memory", "for=timer");
}

/* ---- answers ---- */

static bool is_id(int32_t id, uint32_t n_vocab) {
    return id >= 0 && (uint32_t)id < n_vocab;
}

static const char *fault_of_candidates(const Trivium__Drawn *d, uint32_t n_vocab) {
    if (d->n_candidates > CANDIDATES_MAX) return "it gave too many candidates";
    for (size_t i = 0; i < d->n_candidates; i++)
        if (!is_id(d->candidates[i]->id, n_vocab) || isnan(d->candidates[i]->logprob))
            return "a candidate of it makes no sense";
    return NULL;
}

/* What is wrong with one row's answer; NULL: nothing. `given` as in sequence_given; -2: an id is
 * drawn. */
static const char *fault_of_row(const sequence *q, const Trivium__Drawn *d, int32_t given) {
    if (given == -2 && !is_id(d->id, q->rows.width)) return "it drew an id outside the vocabulary";
    if (given >= 0 && d->id != given) return "it scored another id";
    if (given != -1 && isnan(d->logprob)) return "its log-probability is not a number";
    if (d->state.len > STATE_BYTES_MAX) return "its state is too long";
    return fault_of_candidates(d, q->rows.width);
}

static const char *fault_of_reply(const sequence *q, const Trivium__SampleReply *r,
                                  const wire_message *m) {
    int32_t given[SCORE_ROWS] = {-2};
    if (q->kind == SEQUENCE_SCORE) sequence_given(q, given);
    if (r->n_drawn != q->rows.n) return "it answered another number of rows";
    for (uint32_t i = 0; i < q->rows.n; i++) {
        const char *fault = fault_of_row(q, r->drawn[i], given[i]);
        if (fault) return fault;
    }
    if (q->kind == SEQUENCE_PROBE && !wire_array(m, 0, q->rows.width, sizeof(double)))
        return "it left out the probabilities";
    return NULL;
}

/* Another samplerd of equal rules would say the same. */
static bool is_final(Trivium__Code code) {
    return code == TRIVIUM__CODE__NO_CANDIDATE || code == TRIVIUM__CODE__BAD_REQUEST ||
           code == TRIVIUM__CODE__BAD_ID || code == TRIVIUM__CODE__TOO_LONG ||
           code == TRIVIUM__CODE__UNSUPPORTED;
}

static void take_error(service *s, sequence *q, const Trivium__Error *e) {
    failure f;
    error_from_wire(e, "it", &f);
    if (is_final(e->code)) reply_end(s, q, END_ERROR, &f);
    else try_again(s, q, RETRY_FAILED, f.message);
}

static void take_drawn(service *s, sequence *q, const Trivium__SampleReply *r,
                       const sampler *from) {
    const Trivium__Drawn *d = r->drawn[0];
    reply_token(s, q, r, from->semantics);
    sequence_drawn(q, d->id, d->state.data, d->state.len, from->semantics, clock_us());
    if (sequence_over(q) != END_NONE) reply_end(s, q, sequence_over(q), NULL);
}

static void take_scored(service *s, sequence *q, const Trivium__SampleReply *r) {
    double logprobs[SCORE_ROWS];
    for (uint32_t i = 0; i < q->rows.n; i++) logprobs[i] = r->drawn[i]->logprob;
    sequence_scored(q, logprobs);
    if (sequence_all_scored(q)) reply_scored(s, q, r);
}

static void take_reply(service *s, sequence *q, const Trivium__SampleReply *r,
                       const wire_message *m) {
    sampler *from = q->sending.sampler;
    const char *fault = r->error ? NULL : fault_of_reply(q, r, m);
    if (r->error) take_error(s, q, r->error);
    else if (fault) try_again(s, q, RETRY_FAILED, fault);
    else if (q->kind == SEQUENCE_TEXT) take_drawn(s, q, r, from);
    else if (q->kind == SEQUENCE_SCORE) take_scored(s, q, r);
    else reply_probed(s, q, r->drawn[0]->id, wire_array(m, 0, q->rows.width, sizeof(double)));
}

static void take_sample(service *s, sampler *from, const wire_message *message,
                        const Trivium__SampleReply *r) {
    sequence *q = sequences_by_ticket(s->sequences, r->ticket);
    bool in_time = q && q->sending.sampler == from;
    sampler_answered(from, in_time);
    if (in_time) take_reply(s, q, r, message);
    service_wake(s);
}

/* Passed on to who asked for the text; when the text has ended meanwhile, to every tokenizerd: the one
 * that it is for knows it. */
static void take_glimpse(service *s, Trivium__Glimpse *g) {
    const Trivium__Drawn *d = g->drawn;
    uint32_t n_vocab = s->shape->n_vocab;
    if (g->request.len != REQUEST_BYTES || !d || !is_id(d->id, n_vocab) || isnan(d->logprob) ||
        fault_of_candidates(d, n_vocab)) {
        service_garbage(s, "glimpse");
        return;
    }
    const sequence *q = sequences_find(s->sequences, g->request.data);
    if (q) {
        reply_glimpse(q->owner, g);
        return;
    }
    for (size_t i = 0; i < s->n_fronts; i++) reply_glimpse(&s->fronts[i], g);
}

static void on_message(void *context, peer *p, const wire_message *message) {
    service *s = context;
    sampler *from = peer_user(p);
    const Trivium__LogitsReply *m = (const Trivium__LogitsReply *)message->header;
    switch (m->body_case) {
    case TRIVIUM__LOGITS_REPLY__BODY_SAMPLE: take_sample(s, from, message, m->sample); return;
    case TRIVIUM__LOGITS_REPLY__BODY_MAPPED: from->maps_rows = true; return;
    case TRIVIUM__LOGITS_REPLY__BODY_GLIMPSE: take_glimpse(s, m->glimpse); return;
    default: service_garbage(s, "logits_reply");
    }
}

/* ---- samplers come and go ---- */

static status on_joined(void *context, peer *p, const Trivium__Hello *hello, failure *f) {
    service *s = context;
    if (hello->role != TRIVIUM__ROLE__SAMPLERD || !hello->sampler)
        return fail(f, STATUS_BAD_REQUEST, "only samplerds join here");
    sampler *one = NULL;
    if (samplers_add(s->samplers, p, hello->sampler->pool, hello->sampler->semantics, &one, f) !=
        STATUS_OK)
        return f->code;
    peer_set_user(p, one);
    log_event(LOG_INFO, "joined", "samplerd=\"%s\" pid=%d pool=\"%s\" semantics=\"%s\"",
              hello->name, hello->pid, one->pool, one->semantics);
    report_send(s);
    service_wake(s);
    return STATUS_OK;
}

static void on_left(void *context, peer *p, const char *why) {
    service *s = context;
    sampler *gone = peer_user(p);
    log_event(LOG_INFO, "left", "samplerd=\"%s\" pool=\"%s\" why=\"%s\"", peer_name(p), gone->pool,
              why);
    gone->lost = true;
    char lost[NAME_BYTES_MAX + 128];
    snprintf(lost, sizeof lost, "%s is gone: %.80s", peer_name(p), why);
    sequence *next = NULL;
    for (sequence *q = sequences_first(s->sequences); q; q = next) {
        next = sequences_next(q);
        if (q->sending.sampler == gone) try_again(s, q, RETRY_LOST, lost);
    }
    for (sequence *q = sequences_first(s->sequences); q; q = sequences_next(q))
        if (q->sending.avoided == gone) q->sending.avoided = NULL;
    samplers_remove(s->samplers, gone);
    report_send(s);
}

const peers_events rows_events = {
    .joined = on_joined,
    .left = on_left,
    .message = on_message,
};
