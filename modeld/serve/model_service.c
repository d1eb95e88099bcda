#include "model_service.h"

#include <stdlib.h>

#include "endings.h"
#include "modeld/links/garbage.h"
#include "modeld/links/introduction.h"
#include "modeld/links/report.h"
#include "modeld/links/tokenizerd_answer.h"
#include "modeld/links/vocabulary_pieces.h"
#include "forward_pass.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/net/loop.h"
#include "proto/net/peer.h"
#include "sampling.h"
#include "tokenizerds.h"

enum { REST_MS = 1 };       /* until the next look at tokenizerds that are behind */

struct model_service {
    loop *loop;
    model *model;
    const model_shape *shape;
    kv_cache *cache;
    introduction introduction;
    sequences *sequences;
    samplers *samplers;
    shared_rows *shared; /* NULL: all rows are sent */
    engine *engine;
    forward_pass *pass;
    endings endings;
    tokenizerds *tokenizerds;
    sampling *sampling;
    report *report;
    garbage garbage;
    wakeup turn, gathered;
    departing *departing;
    uint64_t n_texts; /* that were told their end */
};

/* ---- the turn: send; between passes admit, gather, begin the next ---- */

/* Whoever asked for a text is told that it waits for pages, and when it does no longer. */
static void tell_queued(sequence *q, bool waits) {
    if (q->kind != SEQUENCE_TEXT || sequence_text(q)->is_told_queued == waits) return;
    text_sequence *text = sequence_text(q);
    text->is_told_queued = waits;
    tokenizerd_answer_queued(q->from, (text_name){text->request, text->attempt, text->number}, !waits);
}

static void tell_all_queued(const model_service *s) {
    if (sequences_n_queued(s->sequences) == 0) return;
    for (sequence *q = sequences_first(s->sequences); q; q = sequences_next(q))
        if (q->state == SEQUENCE_QUEUED) tell_queued(q, true);
}

static void admit(model_service *s) {
    sequence *q = NULL;
    for (;;) {
        status st = sequences_admit(s->sequences, clock_us(), &q);
        if (st == STATUS_NOT_FOUND) {
            tell_all_queued(s);
            return;
        }
        if (st == STATUS_OK) {
            tell_queued(q, false);
            continue;
        }
        failure f;
        fail(&f, st, "no memory to begin this sequence");
        endings_tell(&s->endings, q, END_ERROR, &f);
    }
}

/* True: an id is about to come whose row the next pass should hold, too. A sampler that was slow
 * with the id before is not waited for, and nobody for longer than the pass says. */
static bool gathering(model_service *s) {
    uint64_t now_us = clock_us(), until_us = forward_pass_gather_until_us(s->pass);
    if (now_us >= until_us) return false;
    bool awaited = false;
    for (sequence *q = sequences_first(s->sequences); q && !awaited; q = sequences_next(q))
        awaited = forward_pass_awaits(s->pass, q);
    if (awaited) wakeup_set(&s->gathered, (uint32_t)((until_us - now_us) / 1000 + 1));
    return awaited;
}

/* Else the next turn comes with a sampler's answer, or with whoever opens or closes something. */
static bool more_to_compute(const model_service *s) {
    for (const sequence *q = sequences_first(s->sequences); q; q = sequences_next(q))
        if (sequence_n_wanted(q) > 0) return true;
    return false;
}

/* Texts and calls of a tokenizerd that is behind rest until it has read: else it would be cut in the end, and all of them lost. */
static bool is_behind(const void *from) {
    return tokenizerd_link_behind(from);
}

/* One bounded step, in which nothing is computed: the engine does that, and who it has pages of is not changed
 * while it does. */
static void work(void *context) {
    model_service *s = context;
    if (!forward_pass_runs(s->pass)) admit(s);
    sampling_send(s->sampling);
    if (forward_pass_runs(s->pass) || gathering(s)) return;
    if (forward_pass_begin(s->pass) == 0 && more_to_compute(s)) wakeup_set(&s->gathered, REST_MS);
}

static void on_computed(void *context) {
    model_service *s = context;
    forward_pass_end(s->pass);
    sampling_send(s->sampling);
    if (more_to_compute(s) || sequences_n_queued(s->sequences) > 0) wakeup_set(&s->turn, 0);
}

static void on_gathered(void *context) {
    model_service *s = context;
    wakeup_set(&s->turn, 0);
}

/* ---- the report ---- */

static void take_figures(void *context, report_figures *out) {
    const model_service *s = context;
    *out = (report_figures){
        .kv_pages_used = kv_cache_pages_used(s->cache),
        .kv_pages = kv_cache_pages(s->cache),
        .n_sequences = sequences_count(s->sequences),
        .n_queued = sequences_n_queued(s->sequences),
        .n_drawn = sampling_n_drawn(s->sampling),
        .n_garbage = s->garbage.n_messages + sampling_garbage(s->sampling) +
                     tokenizerds_garbage(s->tokenizerds),
    };
}

/* ---- making and ending it ---- */

/* Rows that samplerds of this host need not be sent. Without them all is as before, but slower. */
static void share_rows(model_service *s, uint64_t incarnation) {
    failure f;
    if (shared_rows_new(&s->shared, incarnation, SHARED_ROWS_MAX, s->shape->n_vocab, &f) != STATUS_OK)
        log_event(LOG_INFO, "rows_not_shared", "why=\"%s\"", f.message);
}

/* What is there before anybody joins. */
static status make_tables(model_service *s, double drain_s, failure *f) {
    s->samplers = samplers_new();
    s->sequences = sequences_new(s->cache, s->shared, s->shape->n_vocab, s->shape->n_ctx);
    if (engine_new(&s->engine, s->model, s->cache, f) != STATUS_OK) return f->code;
    if (s->sequences) s->pass = forward_pass_new(s->engine, s->cache, s->sequences, is_behind);
    s->endings = (endings){s->sequences, &s->turn, &s->n_texts};
    s->turn = (wakeup){.loop = s->loop, .handler = work, .context = s};
    s->gathered = (wakeup){.loop = s->loop, .handler = on_gathered, .context = s};
    const departing_options order = {s->loop, drain_s, s->sequences, &s->n_texts};
    if (s->sequences) s->departing = departing_new(&order);
    s->tokenizerds = tokenizerds_new(&(tokenizerds_options){
        .loop = s->loop,
        .sequences = s->sequences,
        .endings = &s->endings,
        .turn = &s->turn,
        .departing = s->departing,
        .garbage = &s->garbage,
    });
    if (s->samplers) s->report = report_new(s->samplers, take_figures, s);
    bool is_whole = s->report && s->sequences && s->pass && s->departing && s->tokenizerds;
    if (is_whole && loop_add_reader(s->loop, engine_fd(s->engine), on_computed, s) == 0) return STATUS_OK;
    return fail(f, STATUS_NO_MEMORY, "no memory for the tables of the service");
}

static status bind_samplers(model_service *s, const model_service_options *options, uint64_t incarnation,
                            failure *f) {
    sampling_options how = {
        .loop = s->loop,
        .sequences = s->sequences,
        .samplers = s->samplers,
        .tokenizerds = s->tokenizerds,
        .endings = &s->endings,
        .turn = &s->turn,
        .departing = s->departing,
        .step_deadline_ms = options->step_deadline_ms,
        .isa = options->isa,
        .model_name = options->name,
    };
    samplerd_link_options link = {
        .address = options->bind_samplers,
        .keys = options->keys,
        .insecure = options->insecure,
        .hello = &s->introduction.hello,
        .incarnation = incarnation,
        .heartbeat_ms = options->heartbeat_ms,
        .n_vocab = s->shape->n_vocab,
        .model = s->model,
        .shared = s->shared,
        .garbage = &s->garbage,
    };
    return sampling_new(&s->sampling, &how, link, f);
}

static status join_tokenizerds(model_service *s, const model_service_options *options, uint64_t incarnation,
                               failure *f) {
    const tokenizerd_link_options link = {
        .keys = options->keys,
        .insecure = options->insecure,
        .hello = &s->introduction.hello,
        .incarnation = incarnation,
        .heartbeat_ms = options->heartbeat_ms,
        .model = s->model,
        .report = s->report,
        .garbage = &s->garbage,
    };
    return tokenizerds_join(s->tokenizerds, options->joins, options->n_joins, &link, f);
}

status model_service_new(model_service **out, loop *l, model *m, kv_cache *cache,
                         const model_service_options *options, failure *f) {
    *out = NULL;
    if (vocabulary_pieces_check(m, f) != STATUS_OK) return f->code;
    model_service *s = calloc(1, sizeof *s);
    if (!s) return fail(f, STATUS_NO_MEMORY, "no memory for the service");
    s->loop = l;
    s->model = m;
    s->shape = model_shape_of(m);
    s->cache = cache;
    uint64_t incarnation = peers_incarnation();
    introduction_fill(&s->introduction, m, (uint64_t)kv_cache_pages(s->cache) * PAGE_TOKENS, options->name);
    s->introduction.hello.replaces = options->replaces;
    if (options->share_rows) share_rows(s, incarnation);
    status st = make_tables(s, options->drain_s, f);
    if (st == STATUS_OK) st = bind_samplers(s, options, incarnation, f);
    if (st == STATUS_OK) departing_wire(s->departing, s->tokenizerds, s->sampling);
    if (st == STATUS_OK) st = join_tokenizerds(s, options, incarnation, f);
    if (st != STATUS_OK) model_service_free(&s);
    *out = s;
    return st;
}

void model_service_free(model_service **s) {
    if (!*s) return;
    if ((*s)->engine) loop_remove_fd((*s)->loop, engine_fd((*s)->engine));
    departing_end((*s)->departing);
    tokenizerds_free(&(*s)->tokenizerds);
    sampling_free(&(*s)->sampling);
    departing_free(&(*s)->departing);
    report_free(&(*s)->report);
    engine_free(&(*s)->engine);
    forward_pass_free(&(*s)->pass);
    if ((*s)->sequences) sequences_free(&(*s)->sequences);
    if ((*s)->samplers) samplers_free(&(*s)->samplers);
    shared_rows_free(&(*s)->shared);
    wakeup_cancel(&(*s)->turn);
    wakeup_cancel(&(*s)->gathered);
    free(*s);
    *s = NULL;
}

void model_service_set_step_deadline(model_service *s, uint32_t deadline_ms) {
    sampling_set_step_deadline(s->sampling, deadline_ms);
}

const char *model_service_samplers_at(const model_service *s) {
    return sampling_address(s->sampling);
}

const failure *model_service_refusal(const model_service *s) {
    return tokenizerds_refusal(s->tokenizerds);
}
