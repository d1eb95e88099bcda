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

typedef void stage_function(candidates *left, const stage *one);

/* What each stage does; its name, fields and ranges are in stage_table. */
static stage_function *const functions[] = {
    [STAGE_LOGIT_BIAS] = penalty_logit_bias,
    [STAGE_REPETITION_PENALTY] = penalty_repetition,
    [STAGE_PRESENCE_PENALTY] = penalty_presence,
    [STAGE_FREQUENCY_PENALTY] = penalty_frequency,
    [STAGE_DRY] = dry_apply,
    [STAGE_TEMPERATURE] = filter_temperature,
    [STAGE_DYNATEMP] = filter_dynatemp,
    [STAGE_TOP_N_SIGMA] = filter_top_n_sigma,
    [STAGE_TOP_K] = filter_top_k,
    [STAGE_TYPICAL_P] = filter_typical_p,
    [STAGE_TOP_P] = filter_top_p,
    [STAGE_MIN_P] = filter_min_p,
    [STAGE_XTC] = filter_xtc,
    [STAGE_GREEDY] = filter_greedy,
    [STAGE_MIROSTAT] = mirostat_apply,
    [STAGE_ADAPTIVE_P] = adaptive_p_apply,
};
_Static_assert(sizeof functions / sizeof *functions == STAGE_KINDS, "as many functions as stages");

struct chain {
    candidates left;
    double raw_max, raw_log_total;          /* of the softmax of the row as it came */
    sample_candidate likeliest[CANDIDATES_MAX];     /* raw, of those that are told */
    sampler_state state;
};

chain *chain_new(isa best) {
    chain *c = calloc(1, sizeof *c);
    if (c) candidates_init(&c->left, best);
    return c;
}

void chain_free(chain **c) {
    if (!c || !*c) return;
    candidates_clear(&(*c)->left);
    free(*c);
    *c = NULL;
}

/* ---- the row as it came ---- */

static double raw_logprob(const chain *c, double logit) {
    return logit - c->raw_max - c->raw_log_total;
}

static void note_raw_softmax(chain *c) {
    candidates_weigh(&c->left);
    c->raw_max = c->left.max;
    c->raw_log_total = fmath_log((double)c->left.total / (double)WEIGHT_ONE);
}

static int compare_raw(const void *a, const void *b) {
    const sample_candidate *x = a, *y = b;
    if (x->logprob != y->logprob) return x->logprob > y->logprob ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* The n likeliest candidates, or as many as there are. They are ranked by logit, which stands in the
 * field until then: two logits that differ may have the same log-probability. */
static uint32_t note_candidates(chain *c, uint32_t n) {
    candidates *left = &c->left;
    if (n == 0) return 0;
    if (n > left->n) n = left->n;
    n = candidates_select(left, candidates_kth(left, n));
    for (uint32_t i = 0; i < n; i++) {
        candidate_rank rank = candidate_rank_of(left, left->members[i]);
        c->likeliest[i] = (sample_candidate){.id = rank.id, .logprob = rank.logit};
    }
    qsort(c->likeliest, n, sizeof *c->likeliest, compare_raw);
    for (uint32_t i = 0; i < n; i++) {
        c->likeliest[i].logprob = raw_logprob(c, c->likeliest[i].logprob);
    }
    return n;
}

/* ---- after the chain ---- */

static double probability_at(const candidates *left, uint32_t i) {
    return (double)left->weights[i] / (double)left->total;
}

static void spread_probabilities(const candidates *left, double *probabilities, uint32_t n_vocab) {
    for (uint32_t id = 0; id < n_vocab; id++) probabilities[id] = 0;
    for (uint32_t i = 0; i < left->n; i++) probabilities[left->ids[i]] = probability_at(left, i);
}

/* What the stage of this number, counted from 1, has left and dropped. */
static void note_stage(chain *c, sample_result *out, uint32_t number) {
    const candidates *left = &c->left;
    if (out->n_candidates == 0) return;
    out->n_left[out->n_left_items++] = left->n;
    for (uint32_t i = 0; i < out->n_candidates; i++) {
        sample_candidate *one = &c->likeliest[i];
        if (one->removed_by == 0 && candidates_find(left, one->id) == left->n)
            one->removed_by = number;
    }
}

static status run_stages(chain *c, const sample_job *job, sample_result *out, failure *f) {
    candidates *left = &c->left;
    left->seed = job->seed;
    left->step = job->step;
    left->state = &c->state;
    note_stage(c, out, 0);
    for (size_t i = 0; i < job->strategy->n_stages; i++) {
        const stage *one = &job->strategy->stages[i];
        assert(functions[one->kind]);
        functions[one->kind](left, one);
        note_stage(c, out, (uint32_t)i + 1);
    }
    candidates_weigh(left);
    if (left->n > 0) return STATUS_OK;
    return fail(f, STATUS_NO_CANDIDATE, "the strategy leaves nothing to draw from: every id is "
                "banned, or a logit overflowed");
}

static void draw(chain *c, const sample_job *job, sample_result *out) {
    const candidates *left = &c->left;
    out->id = candidates_draw(left, rng_bits53(job->seed, job->step, RNG_DRAW));
    sampler_state_drawn(left, candidates_find(left, out->id));
    out->n_state_bytes = sampler_state_write(&c->state, out->state);
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
    candidates *left = &c->left;
    *out = (sample_result){.id = job->given >= 0 ? job->given : -1, .candidates = c->likeliest};
    status st = job_check(job, f);
    if (st != STATUS_OK) return st;
    st = sampler_state_read(&c->state, job->state, job->n_state_bytes, f);
    if (st != STATUS_OK) return st;
    if (candidates_reserve(left, job->n_vocab, job->n_ids) != STATUS_OK) {
        return fail(f, STATUS_NO_MEMORY, "no memory for a row of %u logits", job->n_vocab);
    }
    if (job->goes_on) history_extend(&left->past, job->n_ids);
    else history_follow(&left->past, job->ids, job->n_ids);
    st = candidates_load(left, job->logits, job->n_vocab, f);
    if (st != STATUS_OK) return st;
    note_raw_softmax(c);
    out->n_candidates = note_candidates(c, job->n_candidates);

    bool draws = job->given == SAMPLE_DRAWS;
    if (draws || out->n_candidates > 0 || probabilities) {
        st = run_stages(c, job, out, f);
        if (st != STATUS_OK) return st;
    }
    if (draws) draw(c, job, out);
    out->logprob = out->id >= 0 ? raw_logprob(c, (double)job->logits[out->id]) : 0;
    for (uint32_t i = 0; i < out->n_candidates; i++) {
        uint32_t at = candidates_find(left, c->likeliest[i].id);
        if (at < left->n) c->likeliest[i].probability = probability_at(left, at);
    }
    if (probabilities) spread_probabilities(left, probabilities, job->n_vocab);
    return STATUS_OK;
}
