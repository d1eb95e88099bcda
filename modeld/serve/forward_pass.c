#include "forward_pass.h"

#include <assert.h>
#include <stdlib.h>

#include "modeld/sched/scheduler.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

enum {
    LOGITS_ROWS_MAX = SEQUENCES_MAX + SCORES_RUNNING_MAX * SCORE_ROWS, /* that one pass can want */
    SERVED_US = 1000 * 1000, /* rows that waited longer have no sampler: their owner binds nobody */
};

typedef struct pass_part {
    sequence *sequence;
    uint32_t n_rows;
} pass_part;

struct forward_pass {
    engine *engine;
    kv_cache *cache;
    sequences *sequences;
    forward_pass_rests *rests;
    scheduler scheduler;
    pass_part parts[RUNNING_MAX]; /* in order of arrival; of no rows: it does not take part */
    uint32_t n_parts;
    batch_row rows[BATCH_ROWS_MAX];
    float *logits[LOGITS_ROWS_MAX]; /* where each row that wants logits has them: with its sequence */
    uint32_t n_rows, n_logits;
    bool runs;
    uint64_t n_passes, gather_until_us;
};

forward_pass *forward_pass_new(engine *e, kv_cache *cache, sequences *t, forward_pass_rests *rests) {
    forward_pass *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->engine = e;
    p->cache = cache;
    p->sequences = t;
    p->rests = rests;
    scheduler_init(&p->scheduler, BATCH_ROWS_MAX);
    return p;
}

bool forward_pass_runs(const forward_pass *p) {
    return p->runs;
}

uint64_t forward_pass_gather_until_us(const forward_pass *p) {
    return p->gather_until_us;
}

bool forward_pass_awaits(const forward_pass *p, const sequence *q) {
    return sequence_expected_us(q) < p->gather_until_us && q->owner->n_ready < p->scheduler.rows_an_owner;
}

/* ---- filling ---- */

/* Are its rows with a sampler, or about to be? Where none is there who answers, its time to wait does not begin anew. */
static bool will_go_on(const sequence *q, uint64_t now_us) {
    if (q->state != SEQUENCE_SAMPLING || q->kind == SEQUENCE_PROBE) return false;
    return q->sending.sampler || now_us - q->sending.waiting_us < SERVED_US;
}

/* What it asks of the next pass; false: nothing, and it is not about to. */
static bool make_demand(const sequence *q, uint64_t now_us, demand *d) {
    const bool goes_on = will_go_on(q, now_us);
    *d = (demand){
        .n_rows = sequence_n_wanted(q),
        .decodes = q->state == SEQUENCE_DECODE || (goes_on && sequence_caches(q)), /* else it will prefill */
        .owner = q->owner,
        .last_pass = q->last_pass,
    };
    return goes_on || d->n_rows > 0;
}

/* Who has rows to compute, and how many of them run now. */
static void choose(forward_pass *p) {
    demand demands[RUNNING_MAX];
    uint32_t n_rows[RUNNING_MAX];
    uint64_t now_us = clock_us();
    p->n_parts = 0;
    for (sequence *q = sequences_first(p->sequences); q; q = sequences_next(q)) {
        if (p->rests(q->from) || !make_demand(q, now_us, &demands[p->n_parts])) continue;
        p->parts[p->n_parts++].sequence = q;
    }
    scheduler_share(&p->scheduler, demands, p->n_parts, n_rows);
    for (uint32_t i = 0; i < p->n_parts; i++) p->parts[i].n_rows = n_rows[i];
}

static void take_part(forward_pass *p, pass_part *part) {
    sequence *q = part->sequence;
    if (part->n_rows == 0) return;
    uint32_t n_logits = sequence_batch(q, part->n_rows, p->rows + p->n_rows);
    if (n_logits > 0) sequence_renew_rows(p->sequences, q);
    for (uint32_t i = 0; i < n_logits; i++)
        p->logits[p->n_logits++] = q->rows.logits + (size_t)i * q->rows.width;
    p->n_rows += part->n_rows;
    q->in_pass = true;
    q->last_pass = p->n_passes;
}

uint32_t forward_pass_begin(forward_pass *p) {
    choose(p);
    p->n_passes++;
    p->n_rows = p->n_logits = 0;
    for (uint32_t i = 0; i < p->n_parts; i++) take_part(p, &p->parts[i]);
    if (p->n_rows > 0)
        engine_begin(p->engine, &(engine_pass){.rows = p->rows, .n_rows = p->n_rows, .logits = p->logits});
    p->runs = p->n_rows > 0;
    return p->n_rows;
}

/* ---- its end ---- */

/* Who took part is nobody else's now; false: it was closed meanwhile, and is gone. */
static bool leave_pass(const forward_pass *p, sequence *q) {
    q->in_pass = false;
    if (q->state != SEQUENCE_CLOSED) return true;
    sequences_release(p->sequences, q);
    return false;
}

void forward_pass_end(forward_pass *p) {
    uint64_t elapsed_us = engine_end(p->engine), now_us = clock_us();
    double pass_ms = (double)elapsed_us / 1000.0;
    p->runs = false;
    batch_extend(p->cache, p->rows, p->n_rows);
    scheduler_measure(&p->scheduler, p->n_rows, elapsed_us);
    p->gather_until_us = now_us + scheduler_gather_us(elapsed_us);
    for (uint32_t i = 0; i < p->n_parts; i++) {
        const pass_part *part = &p->parts[i];
        if (part->n_rows == 0 || !leave_pass(p, part->sequence)) continue;
        sequence_computed(p->sequences, part->sequence, part->n_rows, pass_ms / p->n_rows * part->n_rows, now_us);
    }
    log_event(LOG_DEBUG, "pass", "rows=%u logits=%u ms=%.3f", p->n_rows, p->n_logits, pass_ms);
}

void forward_pass_free(forward_pass **out) {
    forward_pass *p = *out;
    if (!p) return;
    for (uint32_t i = 0; p->runs && i < p->n_parts; i++)
        if (p->parts[i].n_rows > 0) leave_pass(p, p->parts[i].sequence);
    free(p);
    *out = NULL;
}
