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

status row_sampler_draw(row_sampler *s, const sample_rows *rows, sampled_rows *out, failure *f) {
    assert(rows->n_rows > 0 && rows->n_rows <= SAMPLE_ROWS_MAX);
    assert(!rows->want_probabilities || rows->n_rows == 1);
    status st = prepare(s, rows, f);
    double *probabilities = rows->want_probabilities ? s->probabilities : NULL;
    uint32_t n_ids = rows->n_ids;
    for (uint32_t at = 0; at < rows->n_rows && st == STATUS_OK; at++) {
        const sample_result *before = at > 0 ? &s->results[at - 1] : NULL;
        sample_job job = {
            .logits = rows->logits[at], .n_vocab = rows->n_vocab,
            .ids = rows->n_rows > 1 ? s->ids : rows->ids, .n_ids = n_ids,
            .strategy = rows->strategy, .seed = rows->seed, .step = rows->step + at,
            .state = before ? before->state : rows->state,
            .n_state_bytes = before ? before->n_state_bytes : rows->n_state_bytes,
            .n_candidates = at + 1 == rows->n_rows ? rows->n_candidates : 0,
            .given = given_for(rows, at),
        };
        st = chain_sample(s->chain, &job, &s->results[at], probabilities, f);
        if (st == STATUS_OK && s->results[at].id >= 0) s->ids[n_ids++] = s->results[at].id;
    }
    *out = (sampled_rows){s->results, probabilities};
    return st;
}
