/* What each stage of a strategy does to the candidates of a row, and the draw. Pure: no sockets, no clock.
 *
 * Everything from the logits on is double. The exact rule of each stage is beside its function in filters.h,
 * penalties.h, dry.h and sampler_state.h. Of equal logits the lower id ranks first. */
#ifndef TRIVIUM_CHAIN_H
#define TRIVIUM_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "cut_row.h"
#include "sampler_state.h"
#include "proto/base/status.h"
#include "proto/chain/strategy.h"
#include "proto/numeric/cpu.h"

/* Name and version of the rules by which ids are drawn. Another rule, another version: a step that one
 * sampler did not answer is taken again only by one of equal semantics. A new stage is another version,
 * too: all samplers of one version must know it. */
#define CHAIN_SEMANTICS "trivium/3"

typedef struct chain chain;     /* scratch, which grows to the width of the rows that it is given */

typedef struct sample_job {
    const float *logits;        /* [n_vocab], borrowed; NULL where there is one of the next two */
    const cut_row *cut;         /* NULL, or in place of the logits: then an id is drawn, and no candidates are told.
                                 * Checked (cut_row_check), borrowed */
    const scored_row *scored;   /* NULL, or in place of the logits: then nothing is drawn, and nothing told but the
                                 * log-probability of a given id. Checked (scored_row_check), borrowed */
    uint32_t n_vocab;
    const int32_t *ids;         /* [n_ids] so far, prompt included, each below n_vocab, borrowed */
    uint32_t n_ids;
    bool goes_on;               /* the ids are those of the chain's last job, in the same place, and may be more */
    const strategy *strategy;
    uint64_t seed;
    uint32_t step;
    const uint8_t *state;       /* [n_state_bytes], borrowed: what the last draw's result gave */
    size_t n_state_bytes;
    uint32_t n_candidates;
    int32_t given;              /* an id: score it and draw nothing; or one of the two below */
} sample_job;

enum { SAMPLE_DRAWS = -1, SAMPLE_NEITHER = -2 };    /* in place of a given id; neither: only candidates */

typedef struct sample_candidate {
    int32_t id;
    double logprob;             /* of the raw softmax */
    double probability;         /* after the chain */
    uint32_t removed_by;        /* 1 + the index of the stage that dropped it; 0: it stayed */
} sample_candidate;

typedef struct sample_result {
    int32_t id;                 /* drawn, or the given one; -1: neither */
    double logprob;             /* its log-probability in the raw softmax; 0 without an id */
    const sample_candidate *candidates; /* likeliest raw first; owned by the chain, valid until its next use */
    uint32_t n_candidates;
    uint32_t n_left[STAGES_MAX + 1]; /* with candidates: how many there were before and after each stage */
    uint32_t n_left_items;      /* stages + 1, or 0 */
    uint8_t state[SAMPLER_STATE_BYTES];    /* for the next draw */
    size_t n_state_bytes;
} sample_result;

chain *chain_new(isa best);     /* the machine has `best` (cpu_isa). NULL: no memory */
void chain_free(chain **c);

/* Run the chain over one row, and draw. STATUS_BAD_REQUEST: the state is none of ours. STATUS_NO_CANDIDATE: no finite
 * logit left, or NaN in the row. STATUS_BAD_ID: a bias or given id outside the row. STATUS_BAD_MESSAGE: the row is cut
 * by stages that do not cut. STATUS_NO_MEMORY.
 * probabilities: NULL, or [n_vocab] for what the chain leaves, 0 for what it dropped. */
status chain_sample(chain *c, const sample_job *job, sample_result *out, double *probabilities, failure *f);

/* Run the first stages over a whole row, as few as leave at most n_left_max candidates: of a job that draws, and wants
 * no candidates. False: whoever draws needs the whole row, since no stage leaves so few, or an error is to be told of
 * it; or these stages together would take many milliseconds, as dry does with many breakers in a long text. *out is the
 * chain's, valid until its next use, but for `raw`, which is the caller's to gather from the row. */
bool chain_cut(chain *c, const sample_job *job, uint32_t n_left_max, cut_row *out);

/* What a score needs of a whole row: of a given id, or SAMPLE_NEITHER. False: whoever scores is to tell of an error. */
bool chain_score(chain *c, const float *logits, uint32_t n_vocab, int32_t given, scored_row *out);

/* Does any stage but the first n_stages look at the ids so far? */
bool chain_looks_back(const strategy *s, uint32_t n_stages);

#endif
