#include "chain.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "dry.h"
#include "filters.h"
#include "penalties.h"
#include "proto/numeric/fmath.h"
#include "rng.h"
#include "candidates.h"

typedef void step_function(row *r, const step *one);

/* What each step does; its name, fields and ranges stand in step_table. */
static step_function *const functions[] = {
    [STEP_LOGIT_BIAS] = penalty_logit_bias,
    [STEP_REPETITION_PENALTY] = penalty_repetition,
    [STEP_PRESENCE_PENALTY] = penalty_presence,
    [STEP_FREQUENCY_PENALTY] = penalty_frequency,
    [STEP_DRY] = dry_apply,
    [STEP_TEMPERATURE] = filter_temperature,
    [STEP_DYNATEMP] = filter_dynatemp,
    [STEP_TOP_N_SIGMA] = filter_top_n_sigma,
    [STEP_TOP_K] = filter_top_k,
    [STEP_TYPICAL_P] = filter_typical_p,
    [STEP_TOP_P] = filter_top_p,
    [STEP_MIN_P] = filter_min_p,
    [STEP_XTC] = filter_xtc,
    [STEP_GREEDY] = filter_greedy,
    [STEP_MIROSTAT] = memory_mirostat,
    [STEP_ADAPTIVE_P] = memory_adaptive_p,
};
_Static_assert(sizeof functions / sizeof *functions == STEP_KINDS, "each step has its function");

struct chain {
    row row;
    double raw_max, raw_log_total;          /* of the softmax of the row as it came */
    sample_candidate candidates[CANDIDATES_MAX];
    memory memory;
};

chain *chain_new(isa best) {
    chain *c = calloc(1, sizeof *c);
    if (c) row_init(&c->row, best);
    return c;
}

void chain_free(chain **c) {
    if (!c || !*c) return;
    row_clear(&(*c)->row);
    free(*c);
    *c = NULL;
}

/* ---- the row as it came ---- */

static double raw_logprob(const chain *c, double logit) {
    return logit - c->raw_max - c->raw_log_total;
}

static void note_raw_softmax(chain *c) {
    row_weigh(&c->row);
    c->raw_max = c->row.max;
    c->raw_log_total = fmath_log((double)c->row.total / (double)WEIGHT_ONE);
}

static int compare_raw(const void *a, const void *b) {
    const sample_candidate *x = a, *y = b;
    if (x->logprob != y->logprob) return x->logprob > y->logprob ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* The n likeliest candidates, or as many as there are. They are ranked by logit, which stands in the
 * field until then: two logits that differ may have the same log-probability. */
static uint32_t note_candidates(chain *c, uint32_t n) {
    row *r = &c->row;
    if (n == 0) return 0;
    if (n > r->n) n = r->n;
    n = row_select(r, row_kth(r, n));
    for (uint32_t i = 0; i < n; i++) {
        row_rank rank = row_rank_of(r, r->members[i]);
        c->candidates[i] = (sample_candidate){.id = rank.id, .logprob = rank.logit};
    }
    qsort(c->candidates, n, sizeof *c->candidates, compare_raw);
    for (uint32_t i = 0; i < n; i++) {
        c->candidates[i].logprob = raw_logprob(c, c->candidates[i].logprob);
    }
    return n;
}

/* ---- after the chain ---- */

static double probability_at(const row *r, uint32_t i) {
    return (double)r->weights[i] / (double)r->total;
}

static void spread_probabilities(const row *r, double *probabilities, uint32_t n_vocab) {
    for (uint32_t id = 0; id < n_vocab; id++) probabilities[id] = 0;
    for (uint32_t i = 0; i < r->n; i++) probabilities[r->ids[i]] = probability_at(r, i);
}

/* What the step of this number, from 1 on, has left and dropped. */
static void note_step(chain *c, sample_result *out, uint32_t number) {
    const row *r = &c->row;
    if (out->n_candidates == 0) return;
    out->n_left[out->n_left_items++] = r->n;
    for (uint32_t i = 0; i < out->n_candidates; i++) {
        sample_candidate *one = &c->candidates[i];
        if (one->removed_by == 0 && row_find(r, one->id) == r->n) one->removed_by = number;
    }
}

static status run_steps(chain *c, const sample_job *job, sample_result *out, failure *f) {
    row *r = &c->row;
    r->seed = job->seed;
    r->step = job->step;
    r->memory = &c->memory;
    history_follow(&r->past, job->ids, job->n_ids);
    note_step(c, out, 0);
    for (size_t i = 0; i < job->strategy->n_steps; i++) {
        const step *one = &job->strategy->steps[i];
        functions[one->kind](r, one);
        note_step(c, out, (uint32_t)i + 1);
    }
    row_weigh(r);
    if (r->n > 0) return STATUS_OK;
    return fail(f, STATUS_NO_CANDIDATE, "the strategy leaves nothing to draw from: every id is "
                "banned, or a logit overflowed");
}

static void draw(chain *c, const sample_job *job, sample_result *out) {
    const row *r = &c->row;
    out->id = row_draw(r, rng_bits53(job->seed, job->step, RNG_DRAW));
    memory_drawn(r, row_find(r, out->id));
    out->n_state_bytes = memory_write(&c->memory, out->state);
}

static status job_check(const sample_job *job, failure *f) {
    assert(job->n_vocab <= N_VOCAB_MAX && job->n_candidates <= CANDIDATES_MAX);
    assert(job->seed < SEED_MAX && job->given >= SAMPLE_NEITHER);
    if (job->n_vocab == 0) return fail(f, STATUS_NO_CANDIDATE, "the row is empty");
    if (job->given >= 0 && (uint32_t)job->given >= job->n_vocab) {
        return fail(f, STATUS_BAD_ID, "id %d is given, but the vocabulary has %u ids", job->given,
                    job->n_vocab);
    }
    return strategy_check_ids(job->strategy, job->n_vocab, f);
}

status chain_sample(chain *c, const sample_job *job, sample_result *out, double *probabilities,
                    failure *f) {
    row *r = &c->row;
    *out = (sample_result){.id = job->given >= 0 ? job->given : -1, .candidates = c->candidates};
    status st = job_check(job, f);
    if (st != STATUS_OK) return st;
    st = memory_read(&c->memory, job->state, job->n_state_bytes, f);
    if (st != STATUS_OK) return st;
    if (row_reserve(r, job->n_vocab, job->n_ids) != STATUS_OK) {
        return fail(f, STATUS_NO_MEMORY, "no memory for a row of %u logits", job->n_vocab);
    }
    st = row_load(r, job->logits, job->n_vocab, f);
    if (st != STATUS_OK) return st;
    note_raw_softmax(c);
    out->n_candidates = note_candidates(c, job->n_candidates);

    bool draws = job->given == SAMPLE_DRAWS;
    if (draws || out->n_candidates > 0 || probabilities) {
        st = run_steps(c, job, out, f);
        if (st != STATUS_OK) return st;
    }
    if (draws) draw(c, job, out);
    out->logprob = out->id >= 0 ? raw_logprob(c, (double)job->logits[out->id]) : 0;
    for (uint32_t i = 0; i < out->n_candidates; i++) {
        uint32_t at = row_find(r, c->candidates[i].id);
        if (at < r->n) c->candidates[i].probability = probability_at(r, at);
    }
    if (probabilities) spread_probabilities(r, probabilities, job->n_vocab);
    return STATUS_OK;
}
