#include "row_sampler.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct row_sampler {
    chain *chain;
    int32_t *ids;               /* [ids_capacity]: of several rows, those so far, then what the rows added */
    double *probabilities;      /* [probabilities_capacity] */
    size_t ids_capacity, probabilities_capacity;
    sample_result results[SAMPLE_ROWS_MAX];
    sample_candidate candidates[CANDIDATES_MAX];    /* of rows with drafts, one row's after another's */
};

row_sampler *row_sampler_new(isa best) {
    row_sampler *s = calloc(1, sizeof *s);
    if (s) s->chain = chain_new(best);
    if (s && !s->chain) row_sampler_free(&s);
    return s;
}

void row_sampler_free(row_sampler **s) {
    if (!s || !*s) return;
    chain_free(&(*s)->chain);
    free((*s)->ids);
    free((*s)->probabilities);
    free(*s);
    *s = NULL;
}

/* Room for n items; what was there is lost. False: no memory. */
static bool make_room(void **items, size_t *capacity, size_t n, size_t item_bytes) {
    if (n <= *capacity) return true;
    free(*items);
    *items = malloc(n * item_bytes);
    *capacity = *items ? n : 0;
    return *items != NULL;
}

static status prepare(row_sampler *s, const sample_rows *rows, failure *f) {
    size_t n_ids = (size_t)rows->n_ids + rows->n_rows;
    size_t n_wanted = rows->want_probabilities ? rows->n_vocab : 0;
    if (!make_room((void **)&s->ids, &s->ids_capacity, n_ids, sizeof *s->ids) ||
        !make_room((void **)&s->probabilities, &s->probabilities_capacity, n_wanted,
                   sizeof *s->probabilities)) {
        return fail(f, STATUS_NO_MEMORY, "no memory for a step with %u ids", rows->n_ids);
    }
    if (rows->n_ids > 0 && rows->n_rows > 1) memcpy(s->ids, rows->ids, rows->n_ids * sizeof *s->ids);
    return STATUS_OK;
}

static int32_t given_for(const sample_rows *rows, uint32_t at) {
    if (!rows->given) return SAMPLE_DRAWS;
    return rows->given[at] == GIVEN_NONE ? SAMPLE_NEITHER : rows->given[at];
}

static bool wants_candidates(const sample_rows *rows, uint32_t at) {
    return rows->drafts || at + 1 == rows->n_rows;
}

static bool is_cut(const sample_rows *rows) {
    return rows->cut.n_left > 0;
}

/* Row `at`, after n_ids ids and the rows before it. */
static sample_job job_at(const row_sampler *s, const sample_rows *rows, uint32_t at, uint32_t n_ids) {
    const sample_result *before = at > 0 ? &s->results[at - 1] : NULL;
    return (sample_job){
        .logits = rows->logits[at], .cut = is_cut(rows) ? &rows->cut : NULL,
        .scored = rows->scored ? &rows->scored[at] : NULL, .n_vocab = rows->n_vocab,
        .ids = rows->n_rows > 1 ? s->ids : rows->ids, .n_ids = n_ids, .goes_on = before != NULL,
        .strategy = rows->strategy, .seed = rows->seed, .step = rows->step + at,
        .state = before ? before->state : rows->state,
        .n_state_bytes = before ? before->n_state_bytes : rows->n_state_bytes,
        .n_candidates = wants_candidates(rows, at) ? rows->n_candidates : 0,
        .given = given_for(rows, at),
    };
}

/* Until now they are the chain's, which goes on. */
static void keep_candidates(row_sampler *s, sample_result *drawn, size_t *n_kept) {
    sample_candidate *kept = s->candidates + *n_kept;
    memcpy(kept, drawn->candidates, drawn->n_candidates * sizeof *kept);
    drawn->candidates = kept;
    *n_kept += drawn->n_candidates;
}

static void check_rows(const sample_rows *rows) {
    assert(rows->n_rows > 0 && rows->n_rows <= SAMPLE_ROWS_MAX);
    assert(!rows->want_probabilities || rows->n_rows == 1);
    assert(!is_cut(rows) ||
           (rows->n_rows == 1 && !rows->given && rows->n_candidates == 0 && !rows->want_probabilities));
    assert(!rows->scored || (rows->given && rows->n_candidates == 0 && !rows->want_probabilities && !is_cut(rows)));
    assert(!rows->drafts || (rows->n_rows > 1 && !rows->given));
    assert(!rows->drafts || rows->n_rows * rows->n_candidates <= CANDIDATES_MAX);
}

status row_sampler_draw(row_sampler *s, const sample_rows *rows, sampled_rows *out, failure *f) {
    check_rows(rows);
    status st = prepare(s, rows, f);
    double *probabilities = rows->want_probabilities ? s->probabilities : NULL;
    uint32_t n_ids = rows->n_ids, n_drawn = 0;
    size_t n_kept = 0;
    for (bool goes_on = st == STATUS_OK; goes_on; n_drawn++) {
        sample_result *drawn = &s->results[n_drawn];
        const sample_job job = job_at(s, rows, n_drawn, n_ids);
        st = chain_sample(s->chain, &job, drawn, probabilities, f);
        if (st != STATUS_OK) break;
        if (drawn->id >= 0) s->ids[n_ids++] = drawn->id;
        if (rows->drafts) keep_candidates(s, drawn, &n_kept);
        goes_on = n_drawn + 1 < rows->n_rows && (!rows->drafts || drawn->id == rows->drafts[n_drawn]);
    }
    *out = (sampled_rows){s->results, n_drawn, probabilities};
    return rows->drafts && n_drawn > 0 ? STATUS_OK : st;
}
