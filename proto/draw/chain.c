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

/* All that the stages look at which are done before a row is cut, one by one: candidates, biases, ids so far, and each
 * breaker of dry at each of these. Some nanoseconds each. */
enum { CUT_WORK_MAX = 1 << 22 };

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

static void note_raw_softmax(chain *c, double max, uint64_t total) {
    c->raw_max = max;
    c->raw_log_total = fmath_log((double)total / (double)WEIGHT_ONE);
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

static void run_stage(chain *c, const stage *one) {
    assert(functions[one->kind]);
    functions[one->kind](&c->left, one);
}

/* Returns how many were done before the row came. Of these, one that remembers must know of the draw. */
static uint32_t skip_done(chain *c, const sample_job *job) {
    uint32_t n_done = job->cut ? job->cut->n_stages : 0;
    const stage *last = n_done > 0 ? &job->strategy->stages[n_done - 1] : NULL;
    if (last && last->kind == STAGE_MIROSTAT) mirostat_follow(&c->left, last);
    return n_done;
}

static status run_stages(chain *c, const sample_job *job, sample_result *out, failure *f) {
    candidates *left = &c->left;
    note_stage(c, out, 0);
    for (uint32_t i = skip_done(c, job); i < job->strategy->n_stages; i++) {
        run_stage(c, &job->strategy->stages[i]);
        note_stage(c, out, i + 1);
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

/* adaptive_p comes last, and remembers the draw by what it knows of the candidates before it. */
static bool may_be_done(const strategy *s, uint32_t n_stages) {
    return n_stages == 0 || (n_stages <= s->n_stages && s->stages[n_stages - 1].kind != STAGE_ADAPTIVE_P);
}

static status job_check(const sample_job *job, failure *f) {
    assert(job->n_vocab <= N_VOCAB_MAX && job->n_candidates <= CANDIDATES_MAX);
    assert(job->seed < SEED_MAX && job->given >= SAMPLE_NEITHER);
    assert(!job->cut || (job->given == SAMPLE_DRAWS && job->n_candidates == 0));
    assert(!job->scored || (job->given != SAMPLE_DRAWS && job->n_candidates == 0));
    if (job->n_vocab == 0) return fail(f, STATUS_NO_CANDIDATE, "the row is empty");
    if (job->given >= 0 && (uint32_t)job->given >= job->n_vocab) {
        return fail(f, STATUS_BAD_ID, "id %d is given, but the vocabulary has %u ids", job->given,
                    job->n_vocab);
    }
    if (job->cut && !may_be_done(job->strategy, job->cut->n_stages)) {
        return fail(f, STATUS_BAD_MESSAGE, "%u stages of %zu are no beginning that can be done without the others",
                    job->cut->n_stages, job->strategy->n_stages);
    }
    return strategy_check_ids(job->strategy, job->n_vocab, f);
}

/* All that there is before the row. */
static status begin(chain *c, const sample_job *job, failure *f) {
    candidates *left = &c->left;
    status st = job_check(job, f);
    if (st == STATUS_OK) st = sampler_state_read(&c->state, job->state, job->n_state_bytes, f);
    if (st != STATUS_OK) return st;
    if (candidates_reserve(left, job->n_vocab, job->n_ids) != STATUS_OK) {
        return fail(f, STATUS_NO_MEMORY, "no memory for a row of %u logits", job->n_vocab);
    }
    if (job->goes_on) history_extend(&left->past, job->n_ids);
    else history_follow(&left->past, job->ids, job->n_ids);
    left->seed = job->seed;
    left->step = job->step;
    left->state = &c->state;
    return STATUS_OK;
}

static status take_row(chain *c, const sample_job *job, failure *f) {
    candidates *left = &c->left;
    if (job->cut) {
        candidates_load_left(left, job->cut->ids, job->cut->logits, job->cut->n_left);
        note_raw_softmax(c, (double)job->cut->raw_max, job->cut->raw_total);
        return STATUS_OK;
    }
    if (job->scored) {
        note_raw_softmax(c, (double)job->scored->raw_max, job->scored->raw_total);
        return STATUS_OK;
    }
    status st = candidates_load(left, job->logits, job->n_vocab, f);
    if (st != STATUS_OK) return st;
    candidates_weigh(left);
    note_raw_softmax(c, left->max, left->total);
    return STATUS_OK;
}

static double raw_logit(const sample_job *job, int32_t id) {
    if (job->scored) return (double)job->scored->raw;
    return (double)(job->cut ? cut_row_raw(job->cut, id) : job->logits[id]);
}

status chain_sample(chain *c, const sample_job *job, sample_result *out, double *probabilities,
                    failure *f) {
    candidates *left = &c->left;
    assert(!job->scored || !probabilities);
    *out = (sample_result){.id = job->given >= 0 ? job->given : -1, .candidates = c->likeliest};
    status st = begin(c, job, f);
    if (st == STATUS_OK) st = take_row(c, job, f);
    if (st != STATUS_OK) return st;
    out->n_candidates = note_candidates(c, job->n_candidates);

    bool draws = job->given == SAMPLE_DRAWS;
    if (draws || out->n_candidates > 0 || probabilities) {
        st = run_stages(c, job, out, f);
        if (st != STATUS_OK) return st;
    }
    if (draws) draw(c, job, out);
    out->logprob = out->id >= 0 ? raw_logprob(c, raw_logit(job, out->id)) : 0;
    for (uint32_t i = 0; i < out->n_candidates; i++) {
        uint32_t at = candidates_find(left, c->likeliest[i].id);
        if (at < left->n) c->likeliest[i].probability = probability_at(left, at);
    }
    if (probabilities) spread_probabilities(left, probabilities, job->n_vocab);
    return STATUS_OK;
}

/* ---- the first stages alone ---- */

/* Most strategies that drop nothing are known by that, before anything is computed. */
static bool may_drop(const strategy *s) {
    for (size_t i = 0; i < s->n_stages; i++)
        if (s->stages[i].kind >= STAGE_TOP_N_SIGMA && s->stages[i].kind <= STAGE_MIROSTAT) return true;
    return false;
}

static bool looks_back(const stage *one) {
    return one->kind >= STAGE_REPETITION_PENALTY && one->kind <= STAGE_DRY;
}

static size_t work_of(const stage *one, uint32_t n_left, uint32_t n_ids) {
    return n_left + one->n_biases + (looks_back(one) ? n_ids * (1 + one->n_list_ids) : 0);
}

static bool all_finite(const candidates *left) {
    for (uint32_t i = 0; i < left->n; i++)
        if (!isfinite(left->logits[i])) return false;
    return true;
}

bool chain_cut(chain *c, const sample_job *job, uint32_t n_left_max, cut_row *out) {
    candidates *left = &c->left;
    failure told_by_others;
    if (!may_drop(job->strategy) || begin(c, job, &told_by_others) != STATUS_OK ||
        take_row(c, job, &told_by_others) != STATUS_OK) {
        return false;
    }
    *out = (cut_row){.raw_max = (float)left->max, .raw_total = left->total};
    for (size_t work = 0; left->n > n_left_max; out->n_stages++) {
        const stage *next = &job->strategy->stages[out->n_stages];
        if (out->n_stages == job->strategy->n_stages || !may_be_done(job->strategy, out->n_stages + 1)) return false;
        work += work_of(next, left->n, job->n_ids);
        if (work > CUT_WORK_MAX) return false;
        run_stage(c, next);
    }
    out->n_left = left->n;
    out->ids = left->ids;
    out->logits = left->logits;
    return left->n > 0 && all_finite(left);
}

bool chain_score(chain *c, const float *logits, uint32_t n_vocab, int32_t given, scored_row *out) {
    candidates *left = &c->left;
    failure told_by_others;
    if (candidates_reserve(left, n_vocab, 0) != STATUS_OK ||
        candidates_load(left, logits, n_vocab, &told_by_others) != STATUS_OK) {
        return false;
    }
    candidates_weigh(left);
    *out = (scored_row){left->total, (float)left->max, given >= 0 ? logits[given] : -INFINITY};
    return true;
}

bool chain_looks_back(const strategy *s, uint32_t n_stages) {
    for (size_t i = n_stages; i < s->n_stages; i++)
        if (looks_back(&s->stages[i])) return true;
    return false;
}
