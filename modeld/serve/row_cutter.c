#include "row_cutter.h"

#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/draw/chain.h"

enum { SHORTER = 2 }; /* so many times, at least */

struct row_cutter {
    chain *chain;
    cut_row row;
    uint8_t *bytes; /* [n_left_max(n_vocab)] candidates */
    scored_row scored[SCORE_ROWS];
    uint64_t spent_us; /* in this turn */
};

static uint32_t n_left_max(uint32_t n_vocab) {
    return n_vocab * (uint32_t)sizeof(float) / (SHORTER * CUT_ROW_BYTES);
}

row_cutter *row_cutter_new(isa best, uint32_t n_vocab) {
    row_cutter *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->chain = chain_new(best);
    c->bytes = malloc((size_t)n_left_max(n_vocab) * CUT_ROW_BYTES + 1);
    if (!c->chain || !c->bytes) row_cutter_free(&c);
    return c;
}

void row_cutter_free(row_cutter **c) {
    if (!*c) return;
    chain_free(&(*c)->chain);
    free((*c)->bytes);
    free(*c);
    *c = NULL;
}

/* Candidates and probabilities are of the whole row. */
static bool asks_for_little(const sample_request *r) {
    return r->n_candidates == 0 && r->n_watched == 0 && !r->want_probabilities;
}

void row_cutter_turn(row_cutter *c) {
    c->spent_us = 0;
}

static void cut(row_cutter *c, sample_request *r) {
    const sample_job job = {
        .logits = r->rows, .n_vocab = r->row_width,
        .ids = r->ids, .n_ids = r->n_ids,
        .strategy = r->strategy, .seed = r->seed, .step = r->step,
        .state = r->sampler_state, .n_state_bytes = r->n_sampler_state_bytes,
        .given = SAMPLE_DRAWS,
    };
    if (!chain_cut(c->chain, &job, n_left_max(r->row_width), &c->row)) return;
    cut_row_pack(&c->row, r->rows, c->bytes);
    r->cut = &c->row;
    r->cut_bytes = c->bytes;
    if (!chain_looks_back(r->strategy, c->row.n_stages)) r->n_ids = r->n_prompt = 0;
}

/* No stage is run for them, so that nobody looks at the ids so far. */
static void score(row_cutter *c, sample_request *r) {
    for (uint32_t i = 0; i < r->n_rows; i++) {
        const float *row = r->rows + (size_t)i * r->row_width;
        int32_t given = r->given[i] >= 0 ? r->given[i] : SAMPLE_NEITHER;
        if (!chain_score(c->chain, row, r->row_width, given, &c->scored[i])) return;
    }
    r->scored = c->scored;
    r->n_ids = r->n_prompt = 0;
}

void row_cutter_cut(row_cutter *c, sample_request *r) {
    bool draws = !r->given && r->n_rows == 1, scores = r->given && r->n_rows <= SCORE_ROWS;
    if (!asks_for_little(r) || !(draws || scores) || c->spent_us >= CUT_TURN_US) return;
    uint64_t begin_us = clock_us();
    if (draws) cut(c, r);
    else score(c, r);
    c->spent_us += clock_us() - begin_us;
}
