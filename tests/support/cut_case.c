#include "cut_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>     /* last: its macro fail() would hide our function */

static void check_draw(chain *drawer, const sample_job *job, cut_row row, status st, const sample_result *whole) {
    void *bytes = malloc((size_t)row.n_left * CUT_ROW_BYTES);
    failure f;
    sample_result drawn;
    assert_non_null(bytes);
    cut_row_pack(&row, job->logits, bytes);
    cut_row_point(&row, bytes);
    assert_int_equal(cut_row_check(&row, job->n_vocab, &f), STATUS_OK);
    sample_job rest = *job;
    rest.logits = NULL;
    rest.cut = &row;
    if (!chain_looks_back(job->strategy, row.n_stages)) rest.n_ids = 0;
    assert_int_equal(chain_sample(drawer, &rest, &drawn, NULL, &f), st);
    free(bytes);
    if (st != STATUS_OK) return;
    assert_int_equal(drawn.id, whole->id);
    assert_memory_equal(&drawn.logprob, &whole->logprob, sizeof whole->logprob);
    assert_int_equal(drawn.n_state_bytes, whole->n_state_bytes);
    assert_memory_equal(drawn.state, whole->state, whole->n_state_bytes);
}

uint32_t cut_case_check_by(chain *cutter, chain *drawer, const sample_job *job, status st, const sample_result *whole) {
    sample_job plain = *job;
    uint32_t n_cuts = 0;
    cut_row row;
    plain.n_candidates = 0;
    for (uint32_t n_left_max = job->n_vocab; chain_cut(cutter, &plain, n_left_max, &row); n_left_max = row.n_left - 1) {
        check_draw(drawer, &plain, row, st, whole);
        n_cuts++;
    }
    return n_cuts;
}

uint32_t cut_case_check(const sample_job *job, status st, const sample_result *whole) {
    static chain *cutter, *drawer;
    isa best;
    failure f;
    assert_int_equal(cpu_isa(&best, "auto", &f), STATUS_OK);
    if (!cutter) assert_non_null(cutter = chain_new(best));
    if (!drawer) assert_non_null(drawer = chain_new(ISA_REF));
    return cut_case_check_by(cutter, drawer, job, st, whole);
}
