#include "sampling.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modeld/links/tokenizerd_answer.h"
#include "proto/base/carried/traceparent.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/text.h"
#include "row_cutter.h"
#include "row_request.h"

enum { WATCH_INTERVAL_MS = 20 }; /* between two looks at the deadlines */

struct sampling {
    sampling_options options;
    samplerd_link *link;
    wakeup watch; /* looks at the deadlines */
    row_cutter *cutter;
    uint64_t n_drawn;
};

/* ---- what can go wrong with a sending ---- */

static void log_retry(const sequence *q, const char *why) {
    char name[2 * REQUEST_BYTES + 1], trace[TRACE_WORD_BYTES];
    bool is_text = q->kind == SEQUENCE_TEXT;
    if (is_text) text_hex(sequence_text(q)->request, REQUEST_BYTES, name);
    else snprintf(name, sizeof name, "%llu", (unsigned long long)sequence_call(q));
    log_event(LOG_DEBUG, "retry", "%s=%s%s step=%u tries=%u losses=%u pool=\"%s\" why=\"%s\"",
              is_text ? "request" : "call", name, traceparent_word(q->traceparent, trace), sequence_step(q),
              q->sending.n_tries, q->sending.n_losses, q->pool, why);
}

/* Samplerds that leave mean a pause, of up to wait_ms; but rows that end every samplerd that gets
 * them must not end all there will ever be. */
static void try_again(sampling *s, sequence *q, retry_cause cause, const char *why) {
    const sequence_sending *sending = &q->sending;
    sequence_retry(s->options.sequences, q, cause, clock_us(), why);
    log_retry(q, why);
    failure f = {.code = STATUS_OK};
    why = sending->last_error; /* fit to be told */
    if (sending->n_tries >= STEP_TRIES_MAX)
        fail(&f, STATUS_SAMPLER_FAILED,
             "step %u failed %d times at samplerds of pool %s; the last one: %s", sequence_step(q),
             STEP_TRIES_MAX, q->pool, why);
    else if (sending->n_losses >= STEP_LOSSES_MAX)
        fail(&f, STATUS_SAMPLER_FAILED,
             "%d samplerds of pool %s were lost while they had step %u; the last one: %s",
             STEP_LOSSES_MAX, q->pool, sequence_step(q), why);
    if (f.code == STATUS_OK) wakeup_set(s->options.turn, 0);
    else endings_tell(s->options.endings, q, END_ERROR, &f);
}

static void give_up_waiting(sampling *s, sequence *q) {
    failure f;
    const samplers *there = s->options.samplers;
    const char *semantics = sequence_semantics(q), *last_error = q->sending.last_error;
    const bool other_pool = strcmp(q->pool, DEFAULT_POOL) != 0;
    const join_place where = samplerd_link_place(s->link);
    char command[NAME_BYTES_MAX + 32], hint[JOIN_HINT_BYTES];
    snprintf(command, sizeof command, "samplerd%s%s", other_pool ? " --pool " : "", other_pool ? q->pool : "");
    join_hint(hint, command, &where);
    char rules[NAME_BYTES_MAX + 64] = "";
    if (semantics[0]) snprintf(rules, sizeof rules, " with the rules %s, which began this text,", semantics);
    double wait_s = clock_wait_s(q->sending.wait_ms);
    if (samplers_present(there, q->pool, semantics))
        fail(&f, STATUS_SAMPLER_FAILED,
             "no samplerd of pool %s has answered within %g s; the last one: %s", q->pool, wait_s,
             last_error[0] ? last_error : "it hangs");
    else if (samplers_present(there, q->pool, ""))
        fail(&f, STATUS_NO_SAMPLERD, "no samplerd of pool %s%s has joined model %s within %g s", q->pool, rules,
             s->options.model_name, wait_s);
    else
        fail(&f, STATUS_NO_SAMPLERD, "no samplerd of pool %s%s has joined model %s within %g s; %s", q->pool, rules,
             s->options.model_name, wait_s, hint);
    endings_tell(s->options.endings, q, END_ERROR, &f);
}

/* ---- deadlines ---- */

static void check_deadline(sampling *s, sequence *q, uint64_t now_us) {
    const sequence_sending *sending = &q->sending;
    if (sending->sampler) {
        if (now_us < sending->deadline_us) return;
        char why[NAME_BYTES_MAX + 64];
        snprintf(why, sizeof why, "%s did not answer within %u ms",
                 samplerd_link_name(sending->sampler), s->options.step_deadline_ms);
        sampler_hangs(sending->sampler);
        try_again(s, q, RETRY_FAILED, why);
    } else if (samplers_serve(s->options.samplers, q->pool, sequence_semantics(q))) {
        sequence_may_wait(q, now_us);
    } else if (now_us - sending->waiting_us >= sending->wait_ms * UINT64_C(1000)) {
        give_up_waiting(s, q);
    }
}

/* No timer runs in an idle modeld. */
static void arm_watch(sampling *s) {
    if (sequences_count(s->options.sequences) > 0) wakeup_set(&s->watch, WATCH_INTERVAL_MS);
}

static void watch(void *context) {
    sampling *s = context;
    uint64_t now_us = clock_us();
    sequence *next = NULL;
    for (sequence *q = sequences_first(s->options.sequences); q; q = next) {
        next = sequences_next(q);
        if (q->state == SEQUENCE_SAMPLING) check_deadline(s, q, now_us);
    }
    arm_watch(s);
}

/* ---- samplers that drain ---- */

static void on_changed(void *context) {
    sampling *s = context;
    tokenizerds_beat(s->options.tokenizerds);
    wakeup_set(s->options.turn, 0);
}

void sampling_drain(sampling *s) {
    samplerd_link_drain(s->link);
}

sampler *sampling_ask_to_drain(sampling *s, const drain_worker *order, failure *f) {
    sampler *to = samplerd_link_find(s->link, order->name, order->pid, order->host, f);
    if (to) samplerd_link_ask_to_drain(s->link, to);
    if (to) on_changed(s);
    return to;
}

static bool is_needed(const sampling *s, const sampler *one) {
    if (one->n_outstanding > 0) return true;
    for (const sequence *q = sequences_first(s->options.sequences); q; q = sequences_next(q))
        if (samplers_need(s->options.samplers, one, q->pool, sequence_semantics(q))) return true;
    return false;
}

static void release_idle(sampling *s) {
    for (sampler *one = samplers_first(s->options.samplers); one; one = samplers_next(one))
        if (one->draining && !one->released && !one->lost && !is_needed(s, one)) samplerd_link_release(s->link, one);
}

/* ---- sending ---- */

/* False: `to` cannot be reached, and is not tried again. */
static bool send_rows(sampling *s, sequence *q, sampler *to) {
    uint64_t now_us = clock_us();
    uint32_t deadline_ms = s->options.step_deadline_ms;
    sequence_sent(s->options.sequences, q, to, now_us, now_us + deadline_ms * UINT64_C(1000));
    row_request request;
    row_request_make(&request, q, deadline_ms);
    bool reads_in_place = to->maps_rows && request.wire.in_shared;
    if (to->takes_cut_rows && !reads_in_place) row_cutter_cut(s->cutter, &request.wire);
    status st = samplerd_link_send(s->link, to, &request.wire);
    if (st == STATUS_OK) return true;
    if (st == STATUS_BUSY) {
        try_again(s, q, RETRY_UNSENT, "it could not be reached");
        return false;
    }
    failure f;
    fail(&f, st, "step %u cannot be put into a message to a samplerd: %s", sequence_step(q),
         status_name(st));
    endings_tell(s->options.endings, q, END_ERROR, &f);
    return true;
}

void sampling_send(sampling *s) {
    const samplers *there = s->options.samplers;
    sequence *q = sequences_first_waiting(s->options.sequences);
    row_cutter_turn(s->cutter);
    while (q && samplers_have_room(there)) {
        sequence *next = sequences_next_waiting(q);
        sampler *to = samplers_choose(there, q->pool, sequence_semantics(q), q->sending.avoided);
        if (to && !samplers_may_take(there, sequence_sending_bytes(q, to))) break;
        bool reached = !to || send_rows(s, q, to);
        q = reached ? next : sequences_first_waiting(s->options.sequences);
    }
    samplerd_link_mark_busy(s->link);
    release_idle(s);
    arm_watch(s);
}

/* ---- answers ---- */

/* Another samplerd of equal rules would say the same. */
static bool is_final(status code) {
    return code == STATUS_NO_CANDIDATE || code == STATUS_BAD_REQUEST || code == STATUS_BAD_ID ||
           code == STATUS_TOO_LONG || code == STATUS_UNSUPPORTED;
}

static void take_drawn(sampling *s, sequence *q, const sample_answer *a, const sampler *from) {
    const text_sequence *text = sequence_text(q);
    told_token token = {
        .step = sequence_step(q),
        .change = text->chain.change,
        .semantics = from->semantics,
        .forward_ms = text->timing.forward_ms,
        .sample_ms = sample_answer_ms(a),
        .drawn = sample_answer_first(a),
    };
    tokenizerd_answer_token(q->from, (text_name){text->request, text->attempt, text->number}, &token);
    s->n_drawn++;
    size_t n_state_bytes = 0;
    const uint8_t *state = sample_answer_state(a, &n_state_bytes);
    sequence_drawn(q, sample_answer_id(a), state, n_state_bytes, from->semantics, clock_us());
    if (sequence_over(q) != END_NONE) endings_tell(s->options.endings, q, sequence_over(q), NULL);
}

static void take_scored(sampling *s, sequence *q, const sample_answer *a) {
    double logprobs[SCORE_ROWS];
    for (uint32_t i = 0; i < q->rows.n; i++) logprobs[i] = sample_answer_logprob(a, i);
    sequence_scored(q, logprobs);
    if (sequence_all_scored(q)) endings_scored(s->options.endings, q, a);
}

static const char *fault_of(const sequence *q, const sample_answer *a) {
    int32_t given[SCORE_ROWS];
    sample_expected expected = {
        .n_rows = q->rows.n,
        .row_width = q->rows.width,
        .with_probabilities = q->kind == SEQUENCE_PROBE,
    };
    if (q->kind == SEQUENCE_SCORE) {
        sequence_given(q, given);
        expected.given = given;
    }
    return sample_answer_fault(a, &expected);
}

static void take_answer(sampling *s, sequence *q, const sample_answer *a) {
    failure f;
    if (sample_answer_failed(a, &f)) {
        if (is_final(f.code)) endings_tell(s->options.endings, q, END_ERROR, &f);
        else try_again(s, q, RETRY_FAILED, f.message);
        return;
    }
    const char *fault = fault_of(q, a);
    if (fault) {
        try_again(s, q, RETRY_FAILED, fault);
        return;
    }
    switch (q->kind) {
    case SEQUENCE_TEXT: take_drawn(s, q, a, q->sending.sampler); break;
    case SEQUENCE_SCORE: take_scored(s, q, a); break;
    case SEQUENCE_PROBE: endings_probed(s->options.endings, q, a); break;
    }
}

static void on_answered(void *context, sampler *from, const sample_answer *a) {
    sampling *s = context;
    sequence *q = sequences_by_ticket(s->options.sequences, sample_answer_ticket(a));
    bool in_time = q && q->sending.sampler == from;
    sampler_answered(from, in_time);
    if (in_time) take_answer(s, q, a);
    wakeup_set(s->options.turn, 0);
}

static void on_traced(void *context, const Trivium__Glimpse *g) {
    sampling *s = context;
    tokenizerds_trace(s->options.tokenizerds, g);
}

/* ---- samplers come and go ---- */

static void on_lost(void *context, sampler *gone, const char *why) {
    sampling *s = context;
    sequence *next = NULL;
    for (sequence *q = sequences_first(s->options.sequences); q; q = next) {
        next = sequences_next(q);
        if (q->sending.sampler == gone) try_again(s, q, RETRY_LOST, why);
    }
    sequences_forget(s->options.sequences, gone);
    departing_sampler_left(s->options.departing, gone);
}

static const samplerd_link_events events = {
    .answered = on_answered,
    .traced = on_traced,
    .lost = on_lost,
    .changed = on_changed,
};

/* ---- making and ending it ---- */

status sampling_new(sampling **out, const sampling_options *options, samplerd_link_options link,
                    failure *f) {
    sampling *s = *out = calloc(1, sizeof *s);
    if (!s) return fail(f, STATUS_NO_MEMORY, "no memory for the samplers' link");
    s->options = *options;
    s->watch = (wakeup){.loop = options->loop, .handler = watch, .context = s};
    link.samplers = options->samplers;
    link.events = &events;
    link.context = s;
    s->cutter = row_cutter_new(options->isa, link.n_vocab);
    status st = s->cutter ? samplerd_link_new(&s->link, options->loop, &link, f)
                          : fail(f, STATUS_NO_MEMORY, "no memory for the samplers' link");
    if (st != STATUS_OK) sampling_free(out);
    return st;
}

void sampling_free(sampling **s) {
    if (!*s) return;
    samplerd_link_free(&(*s)->link);
    wakeup_cancel(&(*s)->watch);
    row_cutter_free(&(*s)->cutter);
    free(*s);
    *s = NULL;
}

void sampling_set_step_deadline(sampling *s, uint32_t deadline_ms) {
    s->options.step_deadline_ms = deadline_ms;
}

uint64_t sampling_n_drawn(const sampling *s) {
    return s->n_drawn;
}

uint64_t sampling_garbage(const sampling *s) {
    return samplerd_link_garbage(s->link);
}

const char *sampling_address(const sampling *s) {
    return samplerd_link_address(s->link);
}
