#include "forward_pass.h"

#include <stdlib.h>
#include <string.h>

#include "modeld/sched/scheduler.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

enum {
    LOGITS_ROWS_MAX = SEQUENCES_MAX + SCORES_RUNNING_MAX * SCORE_ROWS, /* that one pass can want */
};

typedef struct pass_part {
    sequence *sequence;
    uint32_t n_rows, n_logits;
} pass_part;

struct forward_pass {
    model *model;
    kv_cache *cache;
    size_t n_vocab;
    scheduler scheduler;
    pass_part parts[RUNNING_MAX]; /* in order of arrival */
    uint32_t n_parts;
    batch_row rows[BATCH_ROWS_MAX];
    uint32_t n_rows, n_logits;
    float *logits;   /* [n_logits, n_vocab], where the pass writes them: with a sequence, or in between */
    float *between;  /* [LOGITS_ROWS_MAX, n_vocab]: of passes with logits of several sequences */
    uint64_t now_us; /* when it was computed */
    double pass_ms;
    uint64_t gather_until_us;
};

forward_pass *forward_pass_new(model *m, kv_cache *cache) {
    forward_pass *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->model = m;
    p->cache = cache;
    p->n_vocab = model_shape_of(m)->n_vocab;
    scheduler_init(&p->scheduler, BATCH_ROWS_MAX);
    p->between = malloc(LOGITS_ROWS_MAX * p->n_vocab * sizeof *p->between);
    if (!p->between) forward_pass_free(&p);
    return p;
}

void forward_pass_free(forward_pass **p) {
    if (!*p) return;
    free((*p)->between);
    free(*p);
    *p = NULL;
}

/* Who has rows to compute, and how many of them run now. */
static void choose(forward_pass *p, sequences *t) {
    demand demands[RUNNING_MAX];
    uint32_t n_rows[RUNNING_MAX];
    p->n_parts = 0;
    for (sequence *q = sequences_first(t); q; q = sequences_next(q)) {
        uint32_t n_wanted = sequence_n_wanted(q);
        if (n_wanted == 0) continue;
        p->parts[p->n_parts].sequence = q;
        demands[p->n_parts++] = (demand){n_wanted, q->state == SEQUENCE_DECODE};
    }
    scheduler_share(&p->scheduler, demands, p->n_parts, n_rows);
    for (uint32_t i = 0; i < p->n_parts; i++) p->parts[i].n_rows = n_rows[i];
}

/* Where the pass writes its logits: with the only sequence that wants some, else in between. */
static float *logits_target(const forward_pass *p) {
    for (uint32_t i = 0; i < p->n_parts; i++)
        if (p->parts[i].n_logits == p->n_logits) return p->parts[i].sequence->rows.logits;
    return p->between;
}

uint32_t forward_pass_fill(forward_pass *p, sequences *t) {
    choose(p, t);
    p->n_rows = p->n_logits = 0;
    for (uint32_t i = 0; i < p->n_parts; i++) {
        pass_part *part = &p->parts[i];
        part->n_logits = sequence_batch(part->sequence, part->n_rows, p->rows + p->n_rows);
        p->n_rows += part->n_rows;
        p->n_logits += part->n_logits;
        if (part->n_logits > 0) sequence_renew_rows(t, part->sequence);
    }
    p->logits = logits_target(p);
    return p->n_rows;
}

void forward_pass_run(forward_pass *p) {
    uint64_t start_us = clock_us();
    model_forward(p->model, p->cache, p->rows, p->n_rows, p->logits);
    p->now_us = clock_us();
    uint64_t elapsed_us = p->now_us - start_us;
    scheduler_measure(&p->scheduler, p->n_rows, elapsed_us);
    p->gather_until_us = p->now_us + scheduler_gather_us(elapsed_us);
    p->pass_ms = (double)elapsed_us / 1000.0;
    log_event(LOG_DEBUG, "pass", "rows=%u logits=%u ms=%.3f", p->n_rows, p->n_logits, p->pass_ms);
}

void forward_pass_hand_out(forward_pass *p, sequences *t) {
    const float *logits = p->logits == p->between ? p->between : NULL; /* else they are there */
    double row_ms = p->pass_ms / p->n_rows;
    for (uint32_t i = 0; i < p->n_parts; i++) {
        const pass_part *part = &p->parts[i];
        if (part->n_rows == 0) continue;
        size_t n_floats = part->n_logits * p->n_vocab;
        if (logits) {
            memcpy(part->sequence->rows.logits, logits, n_floats * sizeof *logits);
            logits += n_floats;
        }
        sequence_computed(t, part->sequence, part->n_rows, row_ms * part->n_rows, p->now_us);
    }
}

uint64_t forward_pass_gather_until_us(const forward_pass *p) {
    return p->gather_until_us;
}
