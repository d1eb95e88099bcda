#include "row_cutter.h"

#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/draw/chain.h"

enum { SHORTER = 2 }; /* so many times, at least */

struct row_cutter {
    chain *chain;
    cut_row row;
    uint8_t *bytes; /* [n_left_max(n_vocab)] candidates */
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

/* Candidates and probabilities are of the whole row, and so is what a given id is compared with. */
static bool only_draws(const sample_request *r) {
    return r->n_rows == 1 && !r->given && r->n_candidates == 0 && r->n_watched == 0 && !r->want_probabilities;
}

void row_cutter_turn(row_cutter *c) {
    c->spent_us = 0;
}

static bool cut(row_cutter *c, const sample_request *r) {
    const sample_job job = {
        .logits = r->rows, .n_vocab = r->row_width,
        .ids = r->ids, .n_ids = r->n_ids,
        .strategy = r->strategy, .seed = r->seed, .step = r->step,
        .state = r->sampler_state, .n_state_bytes = r->n_sampler_state_bytes,
        .given = SAMPLE_DRAWS,
    };
    uint64_t begin_us = clock_us();
    bool is_cut = chain_cut(c->chain, &job, n_left_max(r->row_width), &c->row);
    c->spent_us += clock_us() - begin_us;
    return is_cut;
}

void row_cutter_cut(row_cutter *c, sample_request *r) {
    if (!only_draws(r) || c->spent_us >= CUT_TURN_US || !cut(c, r)) return;
    cut_row_pack(&c->row, r->rows, c->bytes);
    r->cut = &c->row;
    r->cut_bytes = c->bytes;
    if (!chain_looks_back(r->strategy, c->row.n_stages)) r->n_ids = r->n_prompt = 0;
}
