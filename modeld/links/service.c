#include "service.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "service_parts.h"

/* ---- the turn: admit, send, gather, compute, send ---- */

static void admit(service *s) {
    sequence *q = NULL;
    for (;;) {
        status st = sequences_admit(s->sequences, clock_us(), &q);
        if (st == STATUS_NOT_FOUND) return;
        if (st == STATUS_OK) continue;
        failure f;
        fail(&f, st, "no memory to begin this sequence");
        reply_end(s, q, END_ERROR, &f);
    }
}

static void gather_over(void *context) {
    service *s = context;
    s->gather_due = false;
    service_wake(s);
}

/* True: an id is about to come whose row the next pass should hold, too. A sampler that was slow
 * with the id before is not waited for, and nobody for longer than gather_until_us. */
static bool gathering(service *s) {
    uint64_t now_us = clock_us();
    if (now_us >= s->gather_until_us) return false;
    bool awaited = false;
    for (sequence *q = sequences_first(s->sequences); q && !awaited; q = sequences_next(q))
        awaited = sequence_expected_us(q) < s->gather_until_us;
    if (awaited && !s->gather_due) {
        uint64_t left_us = s->gather_until_us - now_us;
        s->gather_due = loop_once(s->loop, (uint32_t)(left_us / 1000 + 1), gather_over, s) >= 0;
    }
    return awaited && s->gather_due;
}

/* Who runs, with how many rows each, and the rows themselves. */
static void pick(service *s) {
    batch *b = &s->batch;
    b->n_parts = b->n_rows = b->n_logits = 0;
    for (sequence *q = sequences_first(s->sequences); q; q = sequences_next(q)) {
        uint32_t n_wanted = sequence_n_wanted(q);
        if (n_wanted == 0) continue;
        b->parts[b->n_parts] = q;
        b->demands[b->n_parts++] = (demand){n_wanted, q->state == SEQUENCE_DECODE};
    }
    scheduler_share(&s->scheduler, b->demands, b->n_parts, b->part_rows);
    for (uint32_t i = 0; i < b->n_parts; i++) {
        b->part_logits[i] = sequence_batch(b->parts[i], b->part_rows[i], b->rows + b->n_rows);
        b->n_rows += b->part_rows[i];
        b->n_logits += b->part_logits[i];
    }
}

/* Where the pass writes its logits: with the only sequence that wants some, else in between. */
static float *logits_target(service *s) {
    const batch *b = &s->batch;
    for (uint32_t i = 0; i < b->n_parts; i++)
        if (b->part_logits[i] == b->n_logits) return b->parts[i]->rows.logits;
    return s->logits;
}

static void compute(service *s) {
    batch *b = &s->batch;
    float *logits = logits_target(s);
    for (uint32_t i = 0; i < b->n_parts; i++)
        if (b->part_logits[i] > 0) sequence_renew_rows(s->sequences, b->parts[i]);
    uint64_t start_us = clock_us();
    model_forward(s->model, s->cache, b->rows, b->n_rows, logits);
    uint64_t now_us = clock_us();
    scheduler_measure(&s->scheduler, b->n_rows, now_us - start_us);
    s->gather_until_us = now_us + scheduler_gather_us(now_us - start_us);
    double pass_ms = (double)(now_us - start_us) / 1000.0, row_ms = pass_ms / b->n_rows;
    log_event(LOG_DEBUG, "pass", "rows=%u logits=%u ms=%.3f", b->n_rows, b->n_logits, pass_ms);
    size_t n_vocab = s->shape->n_vocab;
    bool in_between = logits == s->logits;
    for (uint32_t i = 0; i < b->n_parts; i++) {
        if (b->part_rows[i] == 0) continue;
        sequence *q = b->parts[i];
        if (in_between) {
            memcpy(q->rows.logits, logits, b->part_logits[i] * n_vocab * sizeof *logits);
            logits += b->part_logits[i] * n_vocab;
        }
        sequence_computed(s->sequences, q, b->part_rows[i], row_ms * b->part_rows[i], now_us);
    }
}

/* Else an answer of a sampler, or of whoever opens or closes something, brings the next turn. */
static bool more_to_compute(const service *s) {
    for (const sequence *q = sequences_first(s->sequences); q; q = sequences_next(q))
        if (sequence_n_wanted(q) > 0) return true;
    return false;
}

/* One bounded step; the loop serves messages and heartbeats before the next. */
static void work(void *context) {
    service *s = context;
    s->work_due = false;
    admit(s);
    rows_send(s);
    if (gathering(s)) return;
    pick(s);
    if (s->batch.n_rows == 0) return;
    compute(s);
    rows_send(s);
    if (more_to_compute(s)) service_wake(s);
}

void service_wake(service *s) {
    if (s->work_due) return;
    s->work_due = loop_once(s->loop, 0, work, s) >= 0;
    if (!s->work_due) log_event(LOG_ERROR, "no_memory", "for=timer");
}

void service_garbage(service *s, const char *what) {
    if (s->n_garbage++ == 0) log_event(LOG_ERROR, "garbage", "message=%s", what);
}

/* ---- making and ending it ---- */

static void introduce(service *s) {
    trivium__model_offer__init(&s->offer);
    s->offer.fingerprint = (char *)model_fingerprint(s->model);
    s->offer.vocabulary = (char *)model_vocabulary_of(s->model)->hash;
    s->offer.n_vocab = s->shape->n_vocab;
    s->offer.n_ctx = s->shape->n_ctx;
    hello_introduce(&s->hello, TRIVIUM__ROLE__MODELD, s->options.name, s->options.heartbeat_ms, s->host);
    s->hello.model = &s->offer;
}

/* Rows that samplerds of this host need not be sent. Without them all is as before, but slower. */
static void share_rows(service *s, uint64_t incarnation) {
    failure f;
    s->sampler_hello = s->hello;
    if (!s->options.share_rows) return;
    if (shared_rows_new(&s->shared, incarnation, SHARED_ROWS_MAX, s->shape->n_vocab, &f) !=
        STATUS_OK) {
        log_event(LOG_INFO, "rows_not_shared", "why=\"%s\"", f.message);
        return;
    }
    trivium__shared_rows__init(&s->shared_offer);
    s->shared_offer.fd = shared_rows_fd(s->shared);
    s->sampler_hello.shared_rows = &s->shared_offer;
}

static status bind_samplers(service *s, uint64_t incarnation, failure *f) {
    endpoint *e = NULL;
    endpoint_options at = {s->options.bind_samplers, HIGH_WATER_ROWS, s->options.insecure};
    if (endpoint_bind(&e, &at, f) != STATUS_OK) return f->code;
    peers_options o = {
        .incoming = &trivium__logits_reply__descriptor,
        .hello = &s->sampler_hello,
        .incarnation = incarnation,
        .heartbeat_ms = s->options.heartbeat_ms,
        .liveness = LIVENESS_PING,
        .events = rows_events,
        .context = s,
    };
    s->sampler_peers = peers_new(s->loop, &e, &o);
    endpoint_close(&e);
    return s->sampler_peers ? STATUS_OK
                            : fail(f, STATUS_NO_MEMORY, "no memory for the samplers' link");
}

static status join(service *s, const char *address, uint64_t incarnation, failure *f) {
    endpoint *e = NULL;
    endpoint_options at = {address, HIGH_WATER_MESSAGES, s->options.insecure};
    if (endpoint_join(&e, &at, f) != STATUS_OK) return f->code;
    front *one = &s->fronts[s->n_fronts++];
    *one = (front){.service = s, .address = address, .hello = s->hello};
    trivium__default_model__init(&one->default_model);
    one->default_model.name = one->default_name;
    one->hello.default_model = &one->default_model;
    peers_options o = {
        .incoming = &trivium__tokens_request__descriptor,
        .hello = &one->hello,
        .incarnation = incarnation,
        .heartbeat_ms = s->options.heartbeat_ms,
        .liveness = LIVENESS_BOTH,
        .events = tokens_events,
        .context = one,
    };
    one->peers = peers_new(s->loop, &e, &o);
    endpoint_close(&e);
    return one->peers ? STATUS_OK
                      : fail(f, STATUS_NO_MEMORY, "no memory for the link to %s", address);
}

static status connect_all(service *s, uint64_t incarnation, failure *f) {
    if (bind_samplers(s, incarnation, f) != STATUS_OK) return f->code;
    for (size_t i = 0; i < s->options.n_joins; i++)
        if (join(s, s->options.joins[i], incarnation, f) != STATUS_OK) return f->code;
    return STATUS_OK;
}

status service_new(service **out, loop *l, model *m, kv_cache *cache,
                   const service_options *options, failure *f) {
    *out = NULL;
    if (vocabulary_check(m, f) != STATUS_OK) return f->code;
    service *s = calloc(1, sizeof *s);
    if (!s) return fail(f, STATUS_NO_MEMORY, "no memory for the service");
    s->loop = l;
    s->model = m;
    s->shape = model_shape_of(m);
    s->cache = cache;
    s->options = *options;
    uint64_t incarnation = peers_incarnation();
    introduce(s);
    share_rows(s, incarnation);
    scheduler_init(&s->scheduler, BATCH_ROWS_MAX);
    s->samplers = samplers_new();
    s->sequences = sequences_new(cache, s->shared, s->shape->n_vocab, s->shape->n_ctx);
    s->logits = malloc((size_t)LOGITS_ROWS_MAX * s->shape->n_vocab * sizeof *s->logits);
    status st = STATUS_OK;
    if (!s->samplers || !s->sequences || !s->logits)
        st = fail(f, STATUS_NO_MEMORY, "no memory for the tables of the service");
    else st = hello_check(&s->hello, f);
    if (st == STATUS_OK) st = connect_all(s, incarnation, f);
    if (st != STATUS_OK) service_free(&s);
    *out = s;
    return st;
}

void service_free(service **s) {
    if (!*s) return;
    for (size_t i = 0; i < (*s)->n_fronts; i++) peers_free(&(*s)->fronts[i].peers);
    peers_free(&(*s)->sampler_peers);
    if ((*s)->sequences) sequences_free(&(*s)->sequences);
    if ((*s)->samplers) samplers_free(&(*s)->samplers);
    shared_rows_free(&(*s)->shared);
    free((*s)->logits);
    free(*s);
    *s = NULL;
}

const char *service_samplers_at(const service *s) {
    return peers_address(s->sampler_peers);
}

const failure *service_refusal(const service *s) {
    return s->refusal.code == STATUS_OK ? NULL : &s->refusal;
}
