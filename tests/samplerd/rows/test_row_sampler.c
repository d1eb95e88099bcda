/* Rows of one text, drawn from in order: each follows what the rows before it added. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "samplerd/rows/row_sampler.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { N_VOCAB = 4, N_ROWS = 3 };
static const float LOGITS[N_ROWS * N_VOCAB] = {0, 3, 0, 0, 0, 3, 2.5f, 0, 0, 3, 2.5f, 2};
static const int32_t IDS[2] = {0, 0};

static row_sampler *sampler;
static strategy chosen;
static failure failed;

static int begin(void **state) {
    (void)state;
    strategy_init(&chosen);
    sampler = row_sampler_new(ISA_REF);
    return sampler ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    strategy_clear(&chosen);
    row_sampler_free(&sampler);
    return sampler == NULL ? 0 : -1;
}

static sample_rows all_rows(void) {
    return (sample_rows){.logits = {LOGITS, LOGITS + N_VOCAB, LOGITS + 2 * N_VOCAB}, .n_rows = N_ROWS, .n_vocab = N_VOCAB, .ids = IDS,
                         .n_ids = 2, .strategy = &chosen, .seed = 5, .step = 9};
}

static void choose(stage_kind kind, double number) {
    assert_int_equal(strategy_append(&chosen, kind, &number, 1, &failed), STATUS_OK);
}

/* The largest id of a row is banned once it was drawn. */
static void each_row_follows_what_was_drawn_before_it(void **state) {
    (void)state;
    choose(STAGE_PRESENCE_PENALTY, 100);
    assert_int_equal(strategy_append(&chosen, STAGE_GREEDY, NULL, 0, &failed), STATUS_OK);
    sample_rows rows = all_rows();
    sampled_rows out;
    assert_int_equal(row_sampler_draw(sampler, &rows, &out, &failed), STATUS_OK);
    assert_int_equal(out.results[0].id, 1);
    assert_int_equal(out.results[1].id, 2);
    assert_int_equal(out.results[2].id, 3);
    assert_int_equal(out.n_rows, N_ROWS);
    assert_null(out.probabilities);
    int32_t given[N_ROWS] = {2, GIVEN_NONE, 0};
    rows.given = given;
    assert_int_equal(row_sampler_draw(sampler, &rows, &out, &failed), STATUS_OK);
    assert_int_equal(out.results[0].id, 2);
    assert_int_equal(out.results[1].id, -1);
    assert_int_equal(out.results[2].id, 0);
}

static void what_scoring_takes_of_rows_scores_as_they_do(void **state) {
    (void)state;
    const int32_t given[N_ROWS] = {2, GIVEN_NONE, 0};
    double logprobs[N_ROWS];
    scored_row scored[N_ROWS];
    sample_rows rows = all_rows();
    sampled_rows out;
    rows.given = given;
    assert_int_equal(row_sampler_draw(sampler, &rows, &out, &failed), STATUS_OK);
    chain *c = chain_new(ISA_REF);
    assert_non_null(c);
    for (int i = 0; i < N_ROWS; i++) {
        logprobs[i] = out.results[i].logprob;
        assert_true(chain_score(c, rows.logits[i], N_VOCAB, given[i] < 0 ? SAMPLE_NEITHER : given[i], &scored[i]));
    }
    chain_free(&c);
    memset(rows.logits, 0, sizeof rows.logits);
    rows.scored = scored;
    rows.n_ids = 0;
    assert_int_equal(row_sampler_draw(sampler, &rows, &out, &failed), STATUS_OK);
    for (int i = 0; i < N_ROWS; i++) {
        assert_int_equal(out.results[i].id, given[i]);
        assert_true(out.results[i].logprob == logprobs[i]);
    }
}

/* All at once, or one by one with what the last one gave: the same, to the bit. */
static void rows_at_once_are_rows_one_by_one(void **state) {
    (void)state;
    const double tau_eta[] = {1.5, 0.3};
    choose(STAGE_FREQUENCY_PENALTY, 0.5);
    assert_int_equal(strategy_append(&chosen, STAGE_MIROSTAT, tau_eta, 2, &failed), STATUS_OK);
    for (uint64_t seed = 0; seed < 20; seed++) {
        sample_rows rows = all_rows();
        sampled_rows out;
        sample_result at_once[N_ROWS];
        rows.seed = seed;
        assert_int_equal(row_sampler_draw(sampler, &rows, &out, &failed), STATUS_OK);
        memcpy(at_once, out.results, sizeof at_once);
        int32_t ids[2 + N_ROWS] = {IDS[0], IDS[1]};
        sample_result before = {.n_state_bytes = 0};
        rows.ids = ids;
        rows.n_rows = 1;
        for (uint32_t i = 0; i < N_ROWS; i++) {
            rows.logits[0] = LOGITS + (size_t)i * N_VOCAB;
            rows.step = 9 + i;
            rows.n_ids = 2 + i;
            rows.state = before.state;
            rows.n_state_bytes = before.n_state_bytes;
            assert_int_equal(row_sampler_draw(sampler, &rows, &out, &failed), STATUS_OK);
            before = out.results[0];
            ids[2 + i] = before.id;
            assert_int_equal(before.id, at_once[i].id);
            assert_true(before.logprob == at_once[i].logprob);
            assert_int_equal(before.n_state_bytes, at_once[i].n_state_bytes);
            assert_true(before.n_state_bytes > 0);
            assert_memory_equal(before.state, at_once[i].state, before.n_state_bytes);
        }
    }
}

/* ---- Drafts ---- */

/* What is drawn from all rows, and from fewer, where the draft for the last one of these is wrong. */
static void drawing_ends_with_the_first_row_that_differs_from_its_draft(void **state) {
    (void)state;
    choose(STAGE_PRESENCE_PENALTY, 100);
    assert_int_equal(strategy_append(&chosen, STAGE_GREEDY, NULL, 0, &failed), STATUS_OK);
    sample_rows rows = all_rows();
    sampled_rows out;
    int32_t drafts[N_ROWS - 1] = {1, 2};
    rows.drafts = drafts;
    for (uint32_t n_rows = N_ROWS; n_rows > 0; n_rows--) {
        if (n_rows < N_ROWS) drafts[n_rows - 1] = 3;
        assert_int_equal(row_sampler_draw(sampler, &rows, &out, &failed), STATUS_OK);
        assert_int_equal(out.n_rows, n_rows);
        for (uint32_t i = 0; i < n_rows; i++) assert_int_equal(out.results[i].id, 1 + i);
    }
}

static void each_row_that_was_drafted_has_candidates(void **state) {
    (void)state;
    assert_int_equal(strategy_append(&chosen, STAGE_GREEDY, NULL, 0, &failed), STATUS_OK);
    sample_rows rows = all_rows();
    sampled_rows out;
    const int32_t drafts[] = {1, 1};
    rows.drafts = drafts;
    rows.n_candidates = CANDIDATES_MAX / N_ROWS;
    assert_int_equal(row_sampler_draw(sampler, &rows, &out, &failed), STATUS_OK);
    assert_int_equal(out.n_rows, N_ROWS);
    const int32_t ranked[N_ROWS][N_VOCAB] = {{1, 0, 2, 3}, {1, 2, 0, 3}, {1, 2, 3, 0}};
    for (uint32_t at = 0; at < N_ROWS; at++) {
        assert_int_equal(out.results[at].n_candidates, N_VOCAB);
        for (uint32_t i = 0; i < N_VOCAB; i++)
            assert_int_equal(out.results[at].candidates[i].id, ranked[at][i]);
    }
}

/* The rows before it stand; it is told of when it comes first. */
static void drawing_ends_before_a_row_from_which_none_can_be_drawn(void **state) {
    (void)state;
    assert_int_equal(strategy_append(&chosen, STAGE_GREEDY, NULL, 0, &failed), STATUS_OK);
    const float none[N_VOCAB] = {NAN, 0, 0, 0};
    sample_rows rows = all_rows();
    sampled_rows out;
    const int32_t drafts[] = {1, 1};
    rows.drafts = drafts;
    rows.logits[1] = none;
    assert_int_equal(row_sampler_draw(sampler, &rows, &out, &failed), STATUS_OK);
    assert_int_equal(out.n_rows, 1);
    rows.logits[0] = none;
    assert_int_equal(row_sampler_draw(sampler, &rows, &out, &failed), STATUS_NO_CANDIDATE);
}

static void the_last_row_alone_has_candidates(void **state) {
    (void)state;
    sample_rows rows = all_rows();
    sampled_rows out;
    rows.n_candidates = 2;
    assert_int_equal(row_sampler_draw(sampler, &rows, &out, &failed), STATUS_OK);
    assert_int_equal(out.results[0].n_candidates, 0);
    assert_int_equal(out.results[1].n_candidates, 0);
    assert_int_equal(out.results[2].n_candidates, 2);
    assert_int_equal(out.results[2].candidates[1].id, 2);
}

static void probabilities_of_the_only_row(void **state) {
    (void)state;
    choose(STAGE_TOP_K, 2);
    sample_rows rows = all_rows();
    sampled_rows out;
    rows.logits[0] = LOGITS + N_VOCAB;
    rows.n_rows = 1;
    rows.want_probabilities = true;
    assert_int_equal(row_sampler_draw(sampler, &rows, &out, &failed), STATUS_OK);
    assert_true(out.probabilities[0] == 0 && out.probabilities[3] == 0);
    assert_true(out.probabilities[1] > 0.6 && out.probabilities[1] < 0.65);
    assert_true(out.probabilities[1] + out.probabilities[2] > 0.999999999);
}

static void a_row_that_cannot_be_drawn_from_is_told(void **state) {
    (void)state;
    float second[N_VOCAB];
    memcpy(second, LOGITS, sizeof second);
    second[0] = NAN;
    sample_rows rows = all_rows();
    sampled_rows out;
    rows.logits[1] = second;
    assert_int_equal(row_sampler_draw(sampler, &rows, &out, &failed), STATUS_NO_CANDIDATE);
    rows.logits[1] = LOGITS;
    rows.state = (const uint8_t *)"none of ours";
    rows.n_state_bytes = 12;
    assert_int_equal(row_sampler_draw(sampler, &rows, &out, &failed), STATUS_BAD_REQUEST);
    rows.n_state_bytes = 0;
    rows.n_ids = 0;
    rows.ids = NULL;
    assert_int_equal(row_sampler_draw(sampler, &rows, &out, &failed), STATUS_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(each_row_follows_what_was_drawn_before_it),
        TEST(what_scoring_takes_of_rows_scores_as_they_do),
        TEST(rows_at_once_are_rows_one_by_one),
        TEST(drawing_ends_with_the_first_row_that_differs_from_its_draft),
        TEST(each_row_that_was_drafted_has_candidates),
        TEST(drawing_ends_before_a_row_from_which_none_can_be_drawn),
        TEST(the_last_row_alone_has_candidates),
        TEST(probabilities_of_the_only_row),
        TEST(a_row_that_cannot_be_drawn_from_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
