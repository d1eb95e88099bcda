/* Rows after their first stages, of random chains of all stages there are, in any order: whoever cuts and whoever draws, by
 * whatever instructions, an id, its log-probability and the state are those of the whole row, to the bit, step after step.
 * So are scores by the sums of a row. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/chain/strategy.h"
#include "proto/draw/chain.h"
#include "tests/support/chain_case.h"
#include "tests/support/cut_case.h"
#include "tests/support/random_case.h"

#include <cmocka.h>     /* last: its macro fail() would hide our function */

enum { N_CASES = 1500, N_STEPS = 3, WIDTH_MAX = 2000, IDS_MAX = 64, STAGES = 6, BIASES = 4 };

/* ---- random chains ---- */

static double random_bias(void) {
    switch (case_below(12)) {
    case 0: return 1.7e308;
    case 1: return -1.7e308;
    case 2: case 3: case 4: return -INFINITY;
    default: return case_unit() * 6 - 3;
    }
}

static void append_biases(strategy *s, uint32_t width) {
    failure f;
    int32_t ids[BIASES];
    double biases[BIASES];
    uint32_t n = 1 + case_below(BIASES);
    for (uint32_t i = 0; i < n; i++) {
        ids[i] = (int32_t)case_below(width);
        biases[i] = random_bias();
    }
    status st = strategy_append_biases(s, ids, biases, n, &f);
    assert_true(st == STATUS_OK || st == STATUS_BAD_REQUEST);   /* those of one id may add up to too much */
}

/* Within the ranges of stage_table, each off now and then where it can be. */
static void random_numbers(stage_kind kind, uint32_t width, double *n) {
    bool off = case_below(8) == 0;
    switch (kind) {
    case STAGE_REPETITION_PENALTY: n[0] = off ? 1 : 0.5 + case_unit(); break;
    case STAGE_PRESENCE_PENALTY:
    case STAGE_FREQUENCY_PENALTY: n[0] = off ? 0 : case_below(20) ? case_unit() * 3 - 1 : 1.7e308; break;
    case STAGE_DRY:
        n[0] = off ? 0 : case_unit() * 2, n[1] = 1 + case_unit(), n[2] = case_below(4);
        n[3] = (double)case_below(IDS_MAX) - 1;
        break;
    case STAGE_TEMPERATURE: n[0] = off ? 1 : 0.2 + case_unit() * 1.5; break;
    case STAGE_DYNATEMP: n[0] = 0.1 + case_unit(), n[1] = n[0] + case_unit() * 2, n[2] = off ? 0 : case_unit() * 2; break;
    case STAGE_TOP_N_SIGMA: n[0] = case_unit() * 4; break;
    case STAGE_TOP_K: n[0] = off ? 0 : case_below(width + 3); break;
    case STAGE_TYPICAL_P:
    case STAGE_TOP_P: n[0] = off ? 1 : case_share(); break;
    case STAGE_MIN_P: n[0] = off ? case_below(2) : case_share() * 0.2; break;
    case STAGE_XTC: n[0] = off ? 0 : case_unit(), n[1] = case_share() * 0.6; break;
    case STAGE_MIROSTAT: n[0] = case_unit() * 6, n[1] = case_unit(); break;
    case STAGE_ADAPTIVE_P: n[0] = case_unit(), n[1] = case_unit(); break;
    default: break;
    }
}

/* The ends of the ranges, where logits overflow. */
static void extreme_numbers(stage_kind kind, double *n) {
    const stage_row *row = &stage_table[kind];
    for (size_t i = 0; i < row->n_fields; i++) {
        double least = row->fields[i].above_min ? DBL_TRUE_MIN : row->fields[i].min;
        n[i] = case_below(2) ? row->fields[i].max : least;
    }
    if (kind == STAGE_DYNATEMP && n[0] > n[1]) n[0] = n[1];
}

/* The text has few ids, so that it repeats itself. */
static int32_t random_id(uint32_t width) {
    return (int32_t)case_below(width < 8 ? width : 8);
}

static void append(strategy *s, stage_kind kind, uint32_t width) {
    failure f;
    double numbers[STAGE_NUMBERS_MAX] = {0};
    const int32_t breakers[] = {random_id(width), -1, random_id(width), random_id(width), -1};
    size_t n_list_ids = kind != STAGE_DRY ? 0 : case_below(2) ? 2 : case_below(2) ? 5 : 0;
    if (kind == STAGE_LOGIT_BIAS) {
        append_biases(s, width);
        return;
    }
    if (case_below(16)) random_numbers(kind, width, numbers);
    else extreme_numbers(kind, numbers);
    assert_int_equal(strategy_append_lists(s, kind, numbers, stage_table[kind].n_fields, breakers, n_list_ids, &f), STATUS_OK);
}

/* One that draws stands at the end of half of all chains. Few are greedy, after which there is one candidate. */
static void random_chain(strategy *s, uint32_t width) {
    for (uint32_t i = case_below(STAGES); i > 0; i--) {
        stage_kind kind = (stage_kind)case_below(STAGE_GREEDY + 1);
        if (kind != STAGE_GREEDY || case_below(4) == 0) append(s, kind, width);
    }
    if (case_below(2)) append(s, case_below(2) ? STAGE_MIROSTAT : STAGE_ADAPTIVE_P, width);
}

/* ---- the comparison ---- */

static uint32_t n_cuts[STAGE_KINDS];    /* of rows whose chain has such a stage */

static void count_cuts(const strategy *s, uint32_t n) {
    for (size_t i = 0; i < s->n_stages; i++) n_cuts[s->stages[i].kind] += n;
}

/* What it gives by plain C is what it gives by all others, whole or cut. */
static status check_step(const sample_job *job, sample_result *first) {
    failure f;
    status st = chain_sample(isa_chains[0], job, first, NULL, &f);
    for (int i = 0; isa_chains[i]; i++) {
        sample_result result;
        assert_int_equal(chain_sample(isa_chains[i], job, &result, NULL, &f), st);
        if (st == STATUS_OK) {
            assert_int_equal(result.id, first->id);
            assert_memory_equal(&result.logprob, &first->logprob, sizeof first->logprob);
            assert_int_equal(result.n_state_bytes, first->n_state_bytes);
            assert_memory_equal(result.state, first->state, first->n_state_bytes);
        }
        for (int k = 0; isa_chains[k]; k++)
            count_cuts(job->strategy, cut_case_check_by(isa_chains[i], isa_chains[k], job, st, first));
    }
    return st;
}

static void check_text(uint32_t number) {
    static float logits[WIDTH_MAX];
    static int32_t ids[IDS_MAX + N_STEPS];
    case_begin(number);
    uint32_t width = 1 + case_below(case_below(4) ? 80 : WIDTH_MAX);
    strategy s;
    strategy_init(&s);
    random_chain(&s, width);
    sample_result before = {0};
    sample_job job = {.n_vocab = width, .ids = ids, .n_ids = case_below(IDS_MAX), .strategy = &s, .seed = case_seed(),
                      .step = case_below(1000), .given = SAMPLE_DRAWS};
    for (uint32_t i = 0; i < job.n_ids; i++) ids[i] = random_id(width);
    for (int step = 0; step < N_STEPS; step++) {
        sample_result result;
        case_row(logits, width);
        job.logits = logits;
        job.state = before.state;
        job.n_state_bytes = before.n_state_bytes;
        if (check_step(&job, &result) != STATUS_OK) break;
        ids[job.n_ids++] = result.id;
        job.step++;
        before = result;
    }
    strategy_clear(&s);
}

static void what_is_drawn_from_a_cut_row_is_what_the_whole_one_gives(void **state) {
    (void)state;
    for (uint32_t number = 1; number <= N_CASES; number++) check_text(number);
    for (int kind = 0; kind < STAGE_KINDS; kind++)
        if (n_cuts[kind] < N_CASES / 10) fail_msg("%s: %u cuts", stage_table[kind].name, n_cuts[kind]);
}

/* ---- scores ---- */

static void check_score(const float *logits, uint32_t width, int32_t given) {
    failure f;
    strategy none;
    strategy_init(&none);
    for (int i = 0; isa_chains[i]; i++)
        for (int k = 0; isa_chains[k]; k++) {
            scored_row scored;
            sample_result whole, result;
            sample_job job = {.logits = logits, .n_vocab = width, .strategy = &none, .given = given};
            assert_int_equal(chain_sample(isa_chains[0], &job, &whole, NULL, &f), STATUS_OK);
            assert_true(chain_score(isa_chains[i], logits, width, given, &scored));
            assert_int_equal(scored_row_check(&scored, width, &f), STATUS_OK);
            job.logits = NULL;
            job.scored = &scored;
            assert_int_equal(chain_sample(isa_chains[k], &job, &result, NULL, &f), STATUS_OK);
            assert_int_equal(result.id, whole.id);
            assert_memory_equal(&result.logprob, &whole.logprob, sizeof whole.logprob);
        }
}

static void what_is_scored_by_sums_is_what_the_whole_row_gives(void **state) {
    (void)state;
    static float logits[WIDTH_MAX];
    case_begin(2);
    for (uint32_t number = 0; number < N_CASES; number++) {
        uint32_t width = 1 + case_below(case_below(4) ? 80 : WIDTH_MAX);
        case_row(logits, width);
        check_score(logits, width, case_below(8) ? (int32_t)case_below(width) : SAMPLE_NEITHER);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_drawn_from_a_cut_row_is_what_the_whole_one_gives),
        cmocka_unit_test(what_is_scored_by_sums_is_what_the_whole_row_gives),
    };
    return cmocka_run_group_tests(tests, isa_chains_make, isa_chains_free);
}
