/* Draws from rows of logits that follow each other in one text: each row has the ids so far before it, and what
 * the rows before it added. Where rows were computed after drafts of what would be drawn, drawing ends with the first
 * row whose id is not its draft: those after it belong to another text.
 *
 * It keeps nothing between two calls but room. Pure: no sockets, no clock. */
#ifndef TRIVIUM_ROW_SAMPLER_H
#define TRIVIUM_ROW_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "proto/chain/strategy.h"
#include "proto/draw/chain.h"
#include "proto/numeric/cpu.h"

enum { GIVEN_NONE = -1 };       /* a row of a score that is asked about no id */

typedef struct row_sampler row_sampler;

/* What to draw from. All of it is borrowed for the call. */
typedef struct sample_rows {
    const float *logits[SAMPLE_ROWS_MAX];   /* [n_rows], each [n_vocab] */
    uint32_t n_rows, n_vocab;   /* 1 … SAMPLE_ROWS_MAX; at most N_VOCAB_MAX */
    cut_row cut;                /* where its n_left is above 0, in place of the logits of the only row, which an id is drawn
                                 * from and nothing else is wanted of; checked (cut_row_check) */
    const scored_row *scored;   /* NULL, or [n_rows] in place of logits: then ids are given, and nothing else is wanted;
                                 * checked (scored_row_check) */
    const int32_t *ids;         /* [n_ids] before the first row, prompt included, each below n_vocab */
    uint32_t n_ids;
    const int32_t *given;       /* NULL: draw; else [n_rows] ids to score and draw nothing, or GIVEN_NONE */
    const int32_t *drafts;      /* NULL, or [n_rows - 1], at least one: what each row but the last was guessed to give;
                                 * then nothing is given, and no probabilities are wanted */
    const strategy *strategy;
    uint64_t seed;              /* below SEED_MAX */
    uint32_t step;              /* the first row's; row i is drawn for step + i */
    const uint8_t *state;       /* [n_state_bytes]: what the draw before the first row gave; none: 0 bytes */
    size_t n_state_bytes;
    uint32_t n_candidates;      /* wanted with the last row; with drafts, with each. At most CANDIDATES_MAX in all */
    bool want_probabilities;    /* of what the chain leaves of the only row */
} sample_rows;

/* What came of it: the sampler's, valid until its next call. */
typedef struct sampled_rows {
    const sample_result *results;   /* [n_rows] */
    uint32_t n_rows;                /* without drafts, as many as were asked for; else at least one */
    const double *probabilities;    /* [n_vocab], 0 for what the chain dropped; NULL: not wanted */
} sampled_rows;

row_sampler *row_sampler_new(isa best); /* the machine has `best` (cpu_isa). NULL: no memory */
void row_sampler_free(row_sampler **s); /* sets *s = NULL; NULL is fine */

/* Draw from each row in order. What can go wrong is what chain_sample tells, and STATUS_NO_MEMORY; then none of
 * *out is of use. With drafts, drawing ends before a row from which none can be drawn, unless it is the first. */
status row_sampler_draw(row_sampler *s, const sample_rows *rows, sampled_rows *out, failure *f);

#endif
