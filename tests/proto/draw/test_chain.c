/* chain.h, rule by rule: what each stage keeps, the edges of its range, what is refused. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/chain/strategy_json.h"
#include "tests/support/chain_case.h"

#include <cmocka.h>     /* last: its macro fail() would hide our function */

enum { WIDTH = 6 };

/* Six logits through a chain, after a history that ends with -1. */
static const chain_outcome *run(const float logits[WIDTH], const char *steps, const int32_t *ids) {
    uint32_t n_ids = 0;
    while (ids && ids[n_ids] >= 0) n_ids++;
    return chain_case_run(&(chain_case){.logits = logits, .n_vocab = WIDTH, .ids = ids,
                                        .n_ids = n_ids, .chain = steps, .given = -1});
}

/* The survivors as a word: '1' for an id that may be drawn, '0' for one that was dropped. */
static const char *kept(const float logits[WIDTH], const char *steps) {
    static char word[WIDTH + 1];
    const chain_outcome *out = run(logits, steps, NULL);
    if (out->st != STATUS_OK) return out->f.message;
    for (int i = 0; i < WIDTH; i++) word[i] = out->probabilities[i] > 0 ? '1' : '0';
    return word;
}

/* e^(logit i - logit k) after the chain. */
static double ratio(const chain_outcome *out, int i, int k) {
    return out->probabilities[i] / out->probabilities[k];
}

static void assert_near(double a, double b) {
    assert_true(fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b)));
}

static const float TIED[WIDTH] = {1, 3, 2, 2, 2, 0};
static const float EQUAL[WIDTH] = {1, 1, 1, 1, -100, -100};

/* ---- filters ---- */

static void top_k_keeps_what_equals_the_last_of_the_k(void **state) {
    (void)state;
    assert_string_equal(kept(TIED, "[{\"top_k\": 1}]"), "010000");
    assert_string_equal(kept(TIED, "[{\"top_k\": 2}]"), "011110");
    assert_string_equal(kept(TIED, "[{\"top_k\": 4}]"), "011110");
    assert_string_equal(kept(TIED, "[{\"top_k\": 5}]"), "111110");
    const float zeros[WIDTH] = {-1, 0.0f, -0.0f, -1, -1, -1};
    assert_string_equal(kept(zeros, "[{\"top_k\": 1}]"), "011000");
}

static void top_k_of_0_or_of_more_than_there_are_keeps_all(void **state) {
    (void)state;
    assert_string_equal(kept(TIED, "[{\"top_k\": 0}]"), "111111");
    assert_string_equal(kept(TIED, "[{\"top_k\": 6}]"), "111111");
    assert_string_equal(kept(TIED, "[{\"top_k\": 1000000000000000000}]"), "111111");
}

static void top_p_keeps_the_one_that_crosses_p(void **state) {
    (void)state;
    const float halves[WIDTH] = {0, -0.6931472f, -1.3862944f, -2.0794415f, -40, -40};  /* 8 4 2 1 */
    assert_string_equal(kept(halves, "[{\"top_p\": 0.53}]"), "100000");
    assert_string_equal(kept(halves, "[{\"top_p\": 0.54}]"), "110000");
    assert_string_equal(kept(halves, "[{\"top_p\": 0.79}]"), "110000");
    assert_string_equal(kept(halves, "[{\"top_p\": 0.81}]"), "111000");
    assert_string_equal(kept(halves, "[{\"top_p\": 1e-300}]"), "100000");
}

static void top_p_ranks_equals_by_id_and_drops_where_the_mass_is_exactly_p(void **state) {
    (void)state;
    assert_string_equal(kept(EQUAL, "[{\"top_p\": 0.5}]"), "110000");
    assert_string_equal(kept(EQUAL, "[{\"top_p\": 0.5000001}]"), "111000");
    assert_string_equal(kept(EQUAL, "[{\"top_p\": 0.25}]"), "100000");
}

static void top_p_of_1_keeps_even_the_unlikeliest(void **state) {
    (void)state;
    const float wide[WIDTH] = {0, -1, -2, -3, -20, -30};
    assert_string_equal(kept(wide, "[{\"top_p\": 1}]"), "111111");
    assert_string_equal(kept(wide, "[{\"top_p\": 0.999}]"), "111100");
}

static void min_p_is_relative_to_the_likeliest(void **state) {
    (void)state;
    const float halves[WIDTH] = {0, -0.7f, -1.4f, -2.1f, -0.69f, -40};
    assert_string_equal(kept(halves, "[{\"min_p\": 0.5}]"), "100010");
    assert_string_equal(kept(halves, "[{\"min_p\": 0.2}]"), "111010");
    assert_string_equal(kept(EQUAL, "[{\"min_p\": 1}]"), "111100");
    const float wide[WIDTH] = {0, -1, -2, -3, -20, -30};
    assert_string_equal(kept(wide, "[{\"min_p\": 0}]"), "111111");
}

static void greedy_takes_the_largest_and_of_equals_the_lowest_id(void **state) {
    (void)state;
    const float late[WIDTH] = {1, 2, 5, 5, 5, -1};
    assert_string_equal(kept(late, "[{\"greedy\": true}]"), "001000");
    assert_int_equal(run(late, "[{\"greedy\": true}]", NULL)->result.id, 2);
}

static void steps_apply_in_the_order_of_the_chain(void **state) {
    (void)state;
    const float row[WIDTH] = {3, 2, 1, 0, -1, -2};
    assert_string_equal(kept(row, "[{\"temperature\": 4}, {\"top_p\": 0.6}]"), "111000");
    assert_string_equal(kept(row, "[{\"top_p\": 0.6}, {\"temperature\": 4}]"), "100000");
    assert_string_equal(kept(row, "[{\"top_k\": 5}, {\"top_k\": 3}]"), "111000");
}

/* ---- steps that change logits ---- */

static void temperature_divides(void **state) {
    (void)state;
    const float row[WIDTH] = {1, 3, -1, -2, 0, 2};
    const chain_outcome *out = run(row, "[{\"temperature\": 0.5}]", NULL);
    assert_near(ratio(out, 1, 0), exp(4));
    assert_near(ratio(out, 2, 3), exp(2));
}

static void the_smallest_temperature_is_as_good_as_greedy(void **state) {
    (void)state;
    const float positive[WIDTH] = {1, 7, 2, 3, 0, 2}, negative[WIDTH] = {-9, -7, -2, -3, -8, -4};
    assert_string_equal(kept(positive, "[{\"temperature\": 1e-310}]"), "010000");
    assert_string_equal(kept(negative, "[{\"temperature\": 1e-310}]"), "001000");
    assert_string_equal(kept(TIED, "[{\"top_k\": 4}, {\"temperature\": 1e-310}]"), "010000");
}

static void repetition_divides_what_is_positive_and_multiplies_the_rest_once(void **state) {
    (void)state;
    const float row[WIDTH] = {2, 2, -2, -2, 0, 0};
    const chain_outcome *out = run(row, "[{\"repetition_penalty\": 2}]",
                                   (const int32_t[]){0, 2, 4, 0, 0, -1});
    assert_near(ratio(out, 0, 1), exp(1 - 2));
    assert_near(ratio(out, 2, 3), exp(-4 + 2));
    assert_near(ratio(out, 4, 5), 1);
}

static void presence_counts_once_and_frequency_each_time(void **state) {
    (void)state;
    const float row[WIDTH] = {0, 0, 0, 0, 0, 0};
    const int32_t ids[] = {0, 1, 1, 1, -1};
    const chain_outcome *out = run(row, "[{\"presence_penalty\": 0.5}]", ids);
    assert_near(ratio(out, 0, 2), exp(-0.5));
    assert_near(ratio(out, 1, 2), exp(-0.5));
    out = run(row, "[{\"frequency_penalty\": 0.5}]", ids);
    assert_near(ratio(out, 0, 2), exp(-0.5));
    assert_near(ratio(out, 1, 2), exp(-1.5));
    out = run(row, "[{\"presence_penalty\": -1}, {\"frequency_penalty\": 0.25}]", ids);
    assert_near(ratio(out, 1, 2), exp(1 - 0.75));
}

static void penalties_pass_over_ids_that_are_gone(void **state) {
    (void)state;
    const chain_outcome *out = run(TIED, "[{\"top_k\": 4}, {\"repetition_penalty\": 2}]",
                                   (const int32_t[]){0, 3, 5, -1});
    assert_true(out->probabilities[0] == 0 && out->probabilities[5] == 0);
    assert_near(ratio(out, 3, 4), exp(1 - 2));
}

static void a_history_does_not_outlive_its_run(void **state) {
    (void)state;
    const char *steps = "[{\"frequency_penalty\": 1}]";
    run(EQUAL, steps, (const int32_t[]){0, 0, 1, -1});
    const chain_outcome *out = run(EQUAL, steps, (const int32_t[]){1, -1});
    assert_near(ratio(out, 0, 2), 1);
    assert_near(ratio(out, 1, 2), exp(-1));
}

static void biases_add_and_minus_infinity_bans(void **state) {
    (void)state;
    const float row[WIDTH] = {0, 0, 0, 0, 0, 0};
    const char *steps = "[{\"logit_bias\": [[1, 0.5], [2, \"-inf\"], [1, 1]]}]";
    const chain_outcome *out = run(row, steps, NULL);
    assert_near(ratio(out, 1, 0), exp(1.5));
    assert_true(out->probabilities[2] == 0);
}

/* A logit that overflowed downwards: as if it had been banned, for every step that counts candidates. */
static void a_logit_that_became_minus_infinity_is_no_candidate(void **state) {
    (void)state;
    static const char *const steps[] = {
        "{\"top_n_sigma\": 1}", "{\"xtc\": {\"probability\": 1, \"threshold\": 0}}",
        "{\"dynatemp\": {\"low\": 0.5, \"high\": 2, \"exponent\": 1}}", "{\"typical_p\": 0.5}",
        "{\"min_p\": 1e-300}", "{\"mirostat\": {\"tau\": 3, \"eta\": 1}}",
        "{\"adaptive_p\": {\"target\": 0, \"decay\": 0.9}}",
    };
    const float logits[WIDTH] = {2, 1.5f, 1, 0.5f, 0, -1};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        char overflowed[256], banned[256];
        double expected[WIDTH];
        snprintf(overflowed, sizeof overflowed,
                 "[{\"presence_penalty\": 1e308}, {\"temperature\": 0.5}, %s]", steps[i]);
        snprintf(banned, sizeof banned,
                 "[{\"logit_bias\": [[1, \"-inf\"]]}, {\"temperature\": 0.5}, %s]", steps[i]);
        memcpy(expected, run(logits, banned, NULL)->probabilities, sizeof expected);
        const chain_outcome *out = run(logits, overflowed, (const int32_t[]){1, -1});
        if (out->st != STATUS_OK) fail_msg("%s: %s", steps[i], out->f.message);
        for (int id = 0; id < WIDTH; id++)
            if (out->probabilities[id] != expected[id])
                fail_msg("%s: id %d has %g, not %g", steps[i], id, out->probabilities[id], expected[id]);
    }
}

/* A number that is allowed, whatever the field. */
static double allowed(const stage_field *field) {
    const double number = field->above_min ? field->min + 1 : field->min;
    return fmin(fmax(number, 0), field->max);
}

static void each_stage_has_its_row_and_its_function(void **state) {
    (void)state;
    const float logits[WIDTH] = {2, 1.5f, 1, 0.5f, 0, -1};
    for (int kind = 0; kind < STAGE_KINDS; kind++) {
        const stage_row *row = &stage_table[kind];
        double numbers[STAGE_NUMBERS_MAX] = {0};
        strategy s;
        failure f;
        assert_non_null(row->name);
        strategy_init(&s);
        for (size_t i = 0; i < row->n_fields; i++) numbers[i] = allowed(&row->fields[i]);
        status st = row->shape == SHAPE_BIASES
                        ? strategy_append_biases(&s, (const int32_t[]){1}, (const double[]){1}, 1, &f)
                        : strategy_append(&s, (stage_kind)kind, numbers, row->n_fields, &f);
        if (st != STATUS_OK) fail_msg("%s: %s", row->name, f.message);
        json_t *json = strategy_to_json(&s);
        char *text = json_dumps(json, 0);
        assert_int_equal(run(logits, text, NULL)->st, STATUS_OK);
        free(text);
        json_decref(json);
        strategy_clear(&s);
    }
}

/* The values of llama.cpp's own tests, where its rules and ours agree. */
static void other_samplers_give_the_same_values(void **state) {
    (void)state;
    const float none = -INFINITY, fifth = logf(0.2f);
    const float tenths[WIDTH] = {logf(0.1f), logf(0.2f), logf(0.3f), logf(0.4f), none, none};
    static const struct {
        const char *steps;
        double expected[4];
    } cases[] = {
        {"[{\"top_k\": 1}]", {0, 0, 0, 1}},
        {"[{\"top_k\": 3}]", {0, 0.222222, 0.333333, 0.444444}},
        {"[{\"top_p\": 0.8}]", {0, 0.222222, 0.333333, 0.444444}},
        {"[{\"min_p\": 0.24}]", {0.1, 0.2, 0.3, 0.4}},
        {"[{\"min_p\": 0.26}]", {0, 0.222222, 0.333333, 0.444444}},
        {"[{\"min_p\": 0.51}]", {0, 0, 0.428571, 0.571429}},
        {"[{\"min_p\": 0.76}]", {0, 0, 0, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const chain_outcome *out = run(tenths, cases[i].steps, NULL);
        for (int id = 0; id < 4; id++) {
            assert_true(fabs(out->probabilities[id] - cases[i].expected[id]) < 1e-6);
        }
    }
    const float fifths[WIDTH] = {fifth, fifth, fifth, fifth, fifth, none};
    const int32_t ids[] = {0, 1, 2, 0, 0, -1};
    const chain_outcome *out = run(fifths, "[{\"repetition_penalty\": 50}]", ids);
    assert_true(fabs(out->probabilities[3] - 0.5) < 1e-6 && out->probabilities[0] < 1e-6);
    out = run(fifths, "[{\"presence_penalty\": 5}, {\"frequency_penalty\": 5}]", ids);
    assert_true(fabs(out->probabilities[1] - 0.000023) < 1e-6 && out->probabilities[0] < 1e-6);
    assert_true(fabs(out->probabilities[3] - 0.499977) < 1e-6);
}

/* ---- what is refused ---- */

static void a_row_without_a_finite_logit_or_with_nan_is_refused(void **state) {
    (void)state;
    const float none[WIDTH] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY};
    const float nan[WIDTH] = {1, 2, NAN, 3, 4, 5}, infinite[WIDTH] = {1, 2, 3, 4, 5, INFINITY};
    assert_int_equal(run(none, NULL, NULL)->st, STATUS_NO_CANDIDATE);
    assert_int_equal(run(infinite, NULL, NULL)->st, STATUS_NO_CANDIDATE);
    const chain_outcome *out = run(nan, "[{\"greedy\": true}]", NULL);
    assert_int_equal(out->st, STATUS_NO_CANDIDATE);
    assert_string_equal(out->f.message, "the logit of id 2 is not a number");
    out = chain_case_run(&(chain_case){.logits = NULL, .n_vocab = 0, .given = -1});
    assert_int_equal(out->st, STATUS_NO_CANDIDATE);
}

static void a_strategy_that_leaves_nothing_is_refused(void **state) {
    (void)state;
    const float two[WIDTH] = {1, 2, -INFINITY, -INFINITY, -INFINITY, -INFINITY};
    const char *ban = "[{\"logit_bias\": [[0, \"-inf\"], [1, \"-inf\"]]}, {\"temperature\": 2},"
                      " {\"top_k\": 2}, {\"top_p\": 0.5}, {\"min_p\": 0.5}, {\"greedy\": true}]";
    const char *overflow = "[{\"logit_bias\": [[0, 1.7e308]]}, {\"logit_bias\": [[0, 1.7e308]]},"
                           " {\"top_k\": 1}]";
    assert_int_equal(run(two, ban, NULL)->st, STATUS_NO_CANDIDATE);
    assert_int_equal(run(two, overflow, NULL)->st, STATUS_NO_CANDIDATE);
    assert_int_equal(run(two, "[{\"repetition_penalty\": 1e-320}]", (const int32_t[]){1, -1})->st,
                     STATUS_NO_CANDIDATE);
}

static void ids_outside_the_row_are_refused(void **state) {
    (void)state;
    assert_int_equal(run(TIED, "[{\"logit_bias\": [[6, 1]]}]", NULL)->st, STATUS_BAD_ID);
    const chain_outcome *out = chain_case_run(&(chain_case){
        .logits = TIED, .n_vocab = WIDTH, .given = 6});
    assert_int_equal(out->st, STATUS_BAD_ID);
}

/* ---- log-probabilities and candidates ---- */

static void log_probabilities_are_of_the_raw_softmax(void **state) {
    (void)state;
    const float row[WIDTH] = {5, 3, 2, 1, 0.5f, -INFINITY};
    double total = exp(5) + exp(3) + exp(2) + exp(1) + exp(0.5);
    const chain_outcome *out = run(row, "[{\"temperature\": 9}, {\"greedy\": true}]", NULL);
    assert_near(out->result.logprob, 5 - log(total));
    for (int32_t id = 0; id < WIDTH; id++) {
        out = chain_case_run(&(chain_case){.logits = row, .n_vocab = WIDTH, .given = id});
        assert_int_equal(out->result.id, id);
        if (id == 5) assert_true(out->result.logprob == -INFINITY);
        else assert_near(out->result.logprob, (double)row[id] - log(total));
    }
}

static void candidates_are_the_likeliest_raw_ones_in_order_of_rank(void **state) {
    (void)state;
    const chain_outcome *out = chain_case_run(&(chain_case){
        .logits = TIED, .n_vocab = WIDTH, .given = -1, .n_candidates = 3,
        .chain = "[{\"logit_bias\": [[2, \"-inf\"], [0, 5]]}]"});
    const int32_t expected[] = {1, 2, 3};
    assert_int_equal(out->result.n_candidates, 3);
    for (int i = 0; i < 3; i++) {
        const sample_candidate *one = &out->result.candidates[i];
        assert_int_equal(one->id, expected[i]);
        assert_true(one->probability == out->probabilities[one->id]);
    }
    assert_true(out->result.candidates[1].probability == 0);
    assert_near(out->result.candidates[0].logprob - out->result.candidates[1].logprob, 1);
}

static void candidates_can_be_asked_for_alone(void **state) {
    (void)state;
    const float row[WIDTH] = {1, -INFINITY, 3, -INFINITY, 2, -INFINITY};
    const chain_outcome *out = chain_case_run(&(chain_case){
        .logits = row, .n_vocab = WIDTH, .given = -2, .n_candidates = CANDIDATES_MAX});
    assert_int_equal(out->st, STATUS_OK);
    assert_int_equal(out->result.id, -1);
    assert_int_equal(out->result.n_candidates, 3);
    assert_int_equal(out->result.candidates[0].id, 2);
    assert_int_equal(out->result.candidates[2].id, 0);
}

static void many_candidates_come_in_order(void **state) {
    (void)state;
    static float row[20000];
    for (int i = 0; i < 20000; i++) row[i] = (float)((i * 7919) % 500) / 50;
    const chain_outcome *out = chain_case_run(&(chain_case){
        .logits = row, .n_vocab = 20000, .given = -2, .n_candidates = CANDIDATES_MAX});
    assert_int_equal(out->result.n_candidates, CANDIDATES_MAX);
    for (uint32_t i = 1; i < CANDIDATES_MAX; i++) {
        int32_t before = out->result.candidates[i - 1].id, id = out->result.candidates[i].id;
        assert_true(row[before] > row[id] || (row[before] == row[id] && before < id));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(top_k_keeps_what_equals_the_last_of_the_k),
        cmocka_unit_test(top_k_of_0_or_of_more_than_there_are_keeps_all),
        cmocka_unit_test(top_p_keeps_the_one_that_crosses_p),
        cmocka_unit_test(top_p_ranks_equals_by_id_and_drops_where_the_mass_is_exactly_p),
        cmocka_unit_test(top_p_of_1_keeps_even_the_unlikeliest),
        cmocka_unit_test(min_p_is_relative_to_the_likeliest),
        cmocka_unit_test(greedy_takes_the_largest_and_of_equals_the_lowest_id),
        cmocka_unit_test(steps_apply_in_the_order_of_the_chain),
        cmocka_unit_test(temperature_divides),
        cmocka_unit_test(the_smallest_temperature_is_as_good_as_greedy),
        cmocka_unit_test(repetition_divides_what_is_positive_and_multiplies_the_rest_once),
        cmocka_unit_test(presence_counts_once_and_frequency_each_time),
        cmocka_unit_test(penalties_pass_over_ids_that_are_gone),
        cmocka_unit_test(a_history_does_not_outlive_its_run),
        cmocka_unit_test(biases_add_and_minus_infinity_bans),
        cmocka_unit_test(a_logit_that_became_minus_infinity_is_no_candidate),
        cmocka_unit_test(each_stage_has_its_row_and_its_function),
        cmocka_unit_test(other_samplers_give_the_same_values),
        cmocka_unit_test(a_row_without_a_finite_logit_or_with_nan_is_refused),
        cmocka_unit_test(a_strategy_that_leaves_nothing_is_refused),
        cmocka_unit_test(ids_outside_the_row_are_refused),
        cmocka_unit_test(log_probabilities_are_of_the_raw_softmax),
        cmocka_unit_test(candidates_are_the_likeliest_raw_ones_in_order_of_rank),
        cmocka_unit_test(candidates_can_be_asked_for_alone),
        cmocka_unit_test(many_candidates_come_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
