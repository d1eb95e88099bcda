/* One row through a chain that is written as JSON. */
#ifndef TRIVIUM_CHAIN_CASE_H
#define TRIVIUM_CHAIN_CASE_H

#include <jansson.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "proto/draw/chain.h"

enum { CHAIN_CASE_VOCAB_MAX = 65536 };

typedef struct chain_case {
    const float *logits;        /* [n_vocab] */
    uint32_t n_vocab;
    const int32_t *ids;         /* [n_ids] */
    uint32_t n_ids;
    const char *chain;          /* "[{\"top_k\": 40}]"; NULL: no stage */
    uint64_t seed;
    uint32_t step;
    int32_t given;              /* as in sample_job: -1 draws */
    uint32_t n_candidates;
    const uint8_t *state;       /* [n_state_bytes] */
    size_t n_state_bytes;
} chain_case;

/* What came out; `result.candidates` is valid until the next run. */
typedef struct chain_outcome {
    status st;
    failure f;
    sample_result result;
    double probabilities[CHAIN_CASE_VOCAB_MAX];
} chain_outcome;

/* All runs share one chain: nothing of a run may show in the next. The outcome, too, is shared. What draws is drawn again
 * from what the first stages leave (cut_case.h). */
const chain_outcome *chain_case_run(const chain_case *one);

/* A case as the golden files write it: logits, history, chain; seed and step are 0 if missing. */
const chain_outcome *chain_case_run_json(const json_t *one);

/* Calls `check` with each line of a golden file; fails the test when there is none. The path is
 * relative to the root of the repository. */
void chain_case_each_line(const char *path, void (*check)(const json_t *one));

/* A chain for each instruction set of this machine, the plain one first, then NULL: between
 * isa_chains_make and isa_chains_free, which set a group of tests up and take it down. */
extern chain *isa_chains[4];
int isa_chains_make(void **state);
int isa_chains_free(void **state);

#endif
