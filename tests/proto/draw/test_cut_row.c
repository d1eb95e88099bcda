/* Rows after their first stages: which rows are cut, what they hold, and what is refused of one that somebody sends.
 * That the same is drawn from them stands in test_chain_reference, and in all that chain_case runs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/chain/strategy_json.h"
#include "proto/draw/chain.h"
#include "proto/draw/simd/passes.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { N = 8 };
static const float LOGITS[N] = {1, 9, 3, 9, 5, -INFINITY, 7, 2};
static const int32_t IDS[2] = {1, 6};

static chain *chain_here;
static strategy chosen;
static cut_row row;

static int begin(void **state) {
    (void)state;
    strategy_init(&chosen);
    chain_here = chain_new(ISA_REF);
    return chain_here ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    strategy_clear(&chosen);
    chain_free(&chain_here);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void choose(const char *stages) {
    failure f;
    json_t *array = json_loads(stages, 0, NULL);
    assert_non_null(array);
    assert_int_equal(strategy_from_json(&chosen, array, &f), STATUS_OK);
    json_decref(array);
}

static sample_job job_of(const float *logits) {
    return (sample_job){.logits = logits, .n_vocab = N, .ids = IDS, .n_ids = 2, .strategy = &chosen, .given = SAMPLE_DRAWS};
}

static bool cuts_to(const float *logits, uint32_t n_left_max) {
    sample_job job = job_of(logits);
    return chain_cut(chain_here, &job, n_left_max, &row);
}

/* ---- what is cut ---- */

static void as_few_stages_are_done_as_leave_few_enough(void **state) {
    (void)state;
    choose("[{\"temperature\": 0.5}, {\"top_k\": 4}, {\"temperature\": 2}, {\"top_k\": 2}]");
    assert_true(cuts_to(LOGITS, 7));
    assert_int_equal(row.n_stages, 0);
    assert_int_equal(row.n_left, 7);        /* one is no candidate */
    assert_true(cuts_to(LOGITS, 4));
    assert_int_equal(row.n_stages, 2);
    assert_int_equal(row.n_left, 4);
    assert_true(cuts_to(LOGITS, 3));
    assert_int_equal(row.n_stages, 4);
    assert_int_equal(row.n_left, 2);
    assert_false(cuts_to(LOGITS, 1));
}

static void it_holds_what_is_left_and_the_sums_of_the_whole_row(void **state) {
    (void)state;
    choose("[{\"repetition_penalty\": 2}, {\"temperature\": 0.5}, {\"top_k\": 2}]");
    assert_true(cuts_to(LOGITS, 2));
    assert_int_equal(row.n_left, 2);
    _Alignas(double) uint8_t bytes[2 * CUT_ROW_BYTES];
    cut_row_pack(&row, LOGITS, bytes);
    cut_row_point(&row, bytes);
    assert_true(row.ids[0] == 3 && row.ids[1] == 4);        /* 1 and 6 stand in the text */
    assert_true(row.raw[0] == 9 && row.raw[1] == 5);
    assert_true(row.logits[0] == 18 && row.logits[1] == 10);
    assert_true(row.raw_max == 9);
    uint64_t total = 0;
    for (int i = 0; i < N; i++) total += (uint64_t)nearbyint(ldexp(exp((double)LOGITS[i] - 9), 44));
    assert_in_range(row.raw_total, total - N, total + N);
    assert_true(cut_row_raw(&row, 4) == 5 && cut_row_raw(&row, 3) == 9);
}

static void equals_at_the_edge_stay_together(void **state) {
    (void)state;
    choose("[{\"top_k\": 1}]");
    assert_false(cuts_to(LOGITS, 1));
    assert_true(cuts_to(LOGITS, 2));
    assert_int_equal(row.n_left, 2);
}

static void a_strategy_that_drops_nothing_leaves_the_row_whole(void **state) {
    (void)state;
    assert_false(cuts_to(LOGITS, N));
    choose("[{\"temperature\": 0.5}]");
    assert_false(cuts_to(LOGITS, N));
    choose("[{\"top_k\": 0}, {\"top_p\": 1}, {\"min_p\": 0}]");
    assert_false(cuts_to(LOGITS, 4));
    choose("[{\"adaptive_p\": {\"target\": 0.5, \"decay\": 0.9}}]");
    assert_false(cuts_to(LOGITS, N));
}

static void adaptive_p_is_left_to_whoever_draws(void **state) {
    (void)state;
    choose("[{\"top_k\": 3}, {\"adaptive_p\": {\"target\": 0.5, \"decay\": 0.9}}]");
    assert_true(cuts_to(LOGITS, 3));
    assert_int_equal(row.n_stages, 1);
    assert_false(cuts_to(LOGITS, 2));
}

/* Whoever draws is to tell of it, and gets the whole row. */
static void what_ends_in_an_error_is_not_cut(void **state) {
    (void)state;
    float odd[N];
    const float oddities[] = {NAN, INFINITY};
    choose("[{\"greedy\": true}]");
    for (int i = 0; i < 2; i++) {
        memcpy(odd, LOGITS, sizeof odd);
        odd[2] = oddities[i];
        assert_false(cuts_to(odd, N));
    }
    for (int i = 0; i < N; i++) odd[i] = -INFINITY;
    assert_false(cuts_to(odd, N));
    choose("[{\"logit_bias\": [[8, 1]]}, {\"greedy\": true}]");
    assert_false(cuts_to(LOGITS, N));
    choose("[{\"logit_bias\": [[1, 1.7e308]]}, {\"logit_bias\": [[1, 1.7e308]]}, {\"greedy\": true}]");
    assert_false(cuts_to(LOGITS, 1));
    choose("[{\"top_k\": 2}]");
    sample_job job = job_of(LOGITS);
    job.state = (const uint8_t *)"?";
    job.n_state_bytes = 1;
    assert_false(chain_cut(chain_here, &job, N, &row));
}

#define DRY "{\"dry\": {\"multiplier\": 1, \"base\": 2, \"allowed_length\": 1, \"last_n\": -1, \"breakers\": [[3]]}}, "

/* Whoever cuts has other texts to look after. */
static void stages_that_take_long_are_left_to_whoever_draws(void **state) {
    (void)state;
    enum { LONG = 1 << 19 };
    static int32_t long_text[3 * LONG];
    choose("[" DRY "{\"greedy\": true}]");
    sample_job job = job_of(LOGITS);
    assert_true(chain_cut(chain_here, &job, 1, &row));
    job.ids = long_text;
    job.n_ids = 3 * LONG;
    assert_false(chain_cut(chain_here, &job, 1, &row));
    job.n_ids = LONG;           /* none of them takes long by itself */
    choose("[" DRY DRY "{\"greedy\": true}]");
    assert_true(chain_cut(chain_here, &job, 1, &row));
    choose("[" DRY DRY DRY "{\"greedy\": true}]");
    assert_false(chain_cut(chain_here, &job, 1, &row));
}

static void a_stage_looks_back_where_it_is_still_to_come(void **state) {
    (void)state;
    choose("[{\"repetition_penalty\": 2}, {\"top_k\": 2}]");
    assert_true(chain_looks_back(&chosen, 0));
    assert_false(chain_looks_back(&chosen, 1));
    const char *const others[] = {"[{\"top_k\": 2}, {\"presence_penalty\": 1}]", "[{\"top_k\": 2}, {\"frequency_penalty\": 1}]",
                                  "[{\"top_k\": 2}, {\"dry\": {\"multiplier\": 1, \"base\": 2, \"allowed_length\": 1, \"last_n\": -1}}]"};
    for (int i = 0; i < 3; i++) {
        choose(others[i]);
        assert_true(chain_looks_back(&chosen, 1));
        assert_false(chain_looks_back(&chosen, 2));
    }
}

/* ---- what is refused ---- */

static int32_t ids[3];
static float raw[3];
static double logits[3];

static cut_row good(void) {
    memcpy(ids, (const int32_t[]){0, 3, 7}, sizeof ids);
    memcpy(raw, (const float[]){1, 9, 2}, sizeof raw);
    memcpy(logits, (const double[]){2, 18, 4}, sizeof logits);
    return (cut_row){.n_stages = 1, .n_left = 3, .ids = ids, .raw = raw, .logits = logits, .raw_max = 9, .raw_total = WEIGHT_ONE};
}

static void refused(const cut_row *one, status code, const char *words) {
    failure f;
    assert_int_equal(cut_row_check(one, N, &f), code);
    if (!strstr(f.message, words)) fail_msg("%s: not about \"%s\"", f.message, words);
}

static void sums_of_no_row(void **state) {
    (void)state;
    failure f;
    cut_row one = good();
    assert_int_equal(cut_row_check(&one, N, &f), STATUS_OK);
    one.raw_total = N * WEIGHT_ONE;
    assert_int_equal(cut_row_check(&one, N, &f), STATUS_OK);
    const uint64_t totals[] = {0, WEIGHT_ONE - 1, N * WEIGHT_ONE + 1, UINT64_MAX};
    for (int i = 0; i < 4; i++) {
        one.raw_total = totals[i];
        refused(&one, STATUS_BAD_MESSAGE, "sums");
    }
    const float largest[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        one = good();
        one.raw_max = largest[i];
        refused(&one, STATUS_BAD_MESSAGE, "sums");
    }
}

static void ids_out_of_range_or_order(void **state) {
    (void)state;
    cut_row one = good();
    ids[0] = -1;
    refused(&one, STATUS_BAD_ID, "id -1 is outside");
    one = good();
    ids[2] = N;
    refused(&one, STATUS_BAD_ID, "id 8 is outside");
    one = good();
    ids[2] = 3;
    refused(&one, STATUS_BAD_MESSAGE, "3 comes after 3");
    one = good();
    ids[0] = 4;
    refused(&one, STATUS_BAD_MESSAGE, "3 comes after 4");
}

static void logits_that_no_stage_leaves(void **state) {
    (void)state;
    const double numbers[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        cut_row one = good();
        raw[1] = (float)numbers[i];
        refused(&one, STATUS_BAD_MESSAGE, "a logit of id 3");
        one = good();
        logits[2] = numbers[i];
        refused(&one, STATUS_BAD_MESSAGE, "a logit of id 7");
    }
    cut_row one = good();
    one.raw_max = 8;
    refused(&one, STATUS_BAD_MESSAGE, "a logit of id 3");
}

static void stages_that_cannot_be_done(void **state) {
    (void)state;
    failure f;
    sample_result result;
    cut_row one = good();
    sample_job job = job_of(NULL);
    job.cut = &one;
    choose("[{\"top_k\": 3}, {\"adaptive_p\": {\"target\": 0.5, \"decay\": 0.9}}]");
    assert_int_equal(chain_sample(chain_here, &job, &result, NULL, &f), STATUS_OK);
    for (one.n_stages = 2; one.n_stages < 4; one.n_stages++) {
        assert_int_equal(chain_sample(chain_here, &job, &result, NULL, &f), STATUS_BAD_MESSAGE);
        assert_non_null(strstr(f.message, "stages"));
    }
}

/* ---- rows that are scored ---- */

static void a_score_takes_the_sums_of_its_row_and_one_logit(void **state) {
    (void)state;
    scored_row one;
    float odd[N];
    choose("[{\"top_k\": 2}]");
    assert_true(cuts_to(LOGITS, 2));
    assert_true(chain_score(chain_here, LOGITS, N, 2, &one));
    assert_true(one.raw == 3 && one.raw_max == row.raw_max && one.raw_total == row.raw_total);
    assert_true(chain_score(chain_here, LOGITS, N, 5, &one) && one.raw == -INFINITY);
    assert_true(chain_score(chain_here, LOGITS, N, SAMPLE_NEITHER, &one) && one.raw == -INFINITY);
    memcpy(odd, LOGITS, sizeof odd);
    odd[7] = NAN;
    assert_false(chain_score(chain_here, odd, N, 2, &one));
    for (int i = 0; i < N; i++) odd[i] = -INFINITY;
    assert_false(chain_score(chain_here, odd, N, 2, &one));
}

static void scored_rows_that_cannot_be(void **state) {
    (void)state;
    const scored_row good_one = {.raw_total = WEIGHT_ONE, .raw_max = 9, .raw = -INFINITY};
    scored_row bad[8];
    failure f;
    assert_int_equal(scored_row_check(&good_one, N, &f), STATUS_OK);
    for (int i = 0; i < 8; i++) bad[i] = good_one;
    bad[0].raw_total = WEIGHT_ONE - 1;
    bad[1].raw_total = N * WEIGHT_ONE + 1;
    bad[2].raw_max = NAN;
    bad[3].raw_max = INFINITY;
    bad[4].raw_max = -INFINITY;
    bad[5].raw = 9.5f;
    bad[6].raw = INFINITY;
    bad[7].raw = NAN;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(scored_row_check(&bad[i], N, &f), STATUS_BAD_MESSAGE);
        assert_non_null(strstr(f.message, "scored row"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(as_few_stages_are_done_as_leave_few_enough),
        TEST(it_holds_what_is_left_and_the_sums_of_the_whole_row),
        TEST(equals_at_the_edge_stay_together),
        TEST(a_strategy_that_drops_nothing_leaves_the_row_whole),
        TEST(adaptive_p_is_left_to_whoever_draws),
        TEST(what_ends_in_an_error_is_not_cut),
        TEST(stages_that_take_long_are_left_to_whoever_draws),
        TEST(a_stage_looks_back_where_it_is_still_to_come),
        TEST(sums_of_no_row),
        TEST(ids_out_of_range_or_order),
        TEST(logits_that_no_stage_leaves),
        TEST(stages_that_cannot_be_done),
        TEST(a_score_takes_the_sums_of_its_row_and_one_logit),
        TEST(scored_rows_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
