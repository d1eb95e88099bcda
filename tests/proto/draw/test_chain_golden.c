/* The chain against what was worked out elsewhere: probabilities, drawn ids, and frequencies. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "tests/support/chain_case.h"

#include <cmocka.h>     /* last: its macro fail() would hide our function */

static void check_probabilities(const json_t *one) {
    const chain_outcome *out = chain_case_run_json(one);
    const json_t *expected = json_object_get(one, "probs");
    assert_int_equal(out->st, STATUS_OK);
    for (size_t i = 0; i < json_array_size(expected); i++) {
        double probability = json_number_value(json_array_get(expected, i));
        if (probability == 0) assert_true(out->probabilities[i] == 0);
        assert_true(fabs(out->probabilities[i] - probability) <= 1e-6);
    }
}

static void golden_probabilities_are_met_and_zeros_are_zero(void **state) {
    (void)state;
    chain_case_each_line("tests/golden/sampler-chains.jsonl", check_probabilities);
}

static void check_sampler(const json_t *one) {
    const json_t *expected = json_object_get(one, "probs");
    if (!expected) return;      /* a run with a state: test_sampler_state */
    const chain_outcome *out = chain_case_run_json(one);
    double tolerance = json_object_get(one, "source") ? 1e-5 : 1e-6;
    char *text = json_dumps(one, 0);
    if (out->st != STATUS_OK) fail_msg("%s: %s", text, out->f.message);
    for (size_t i = 0; i < json_array_size(expected); i++) {
        double probability = json_number_value(json_array_get(expected, i));
        if (!(fabs(out->probabilities[i] - probability) <= tolerance))
            fail_msg("%s: %g at %zu", text, out->probabilities[i], i);
    }
    free(text);
}

static void further_steps_follow_their_rules(void **state) {
    (void)state;
    chain_case_each_line("tests/golden/samplers.jsonl", check_sampler);
}

static void check_draw(const json_t *one) {
    const chain_outcome *out = chain_case_run_json(one);
    assert_int_equal(out->st, STATUS_OK);
    assert_int_equal(out->result.id, json_integer_value(json_object_get(one, "id")));
}

static void golden_draws_are_met(void **state) {
    (void)state;
    chain_case_each_line("tests/golden/draws.jsonl", check_draw);
}

/* Pearson's χ² of 100,000 draws, a seed each. With 5 degrees of freedom it exceeds 25.7 once in
 * 10,000 times; the seeds are fixed, so it never varies. */
static void ids_are_drawn_as_often_as_their_probabilities_say(void **state) {
    (void)state;
    const float logits[] = {1.5f, 0.2f, -0.7f, 2.0f, 0.9f, 1.1f, -9.0f};
    enum { N = sizeof logits / sizeof *logits, N_DRAWS = 100000 };
    const char *steps = "[{\"temperature\": 0.8}, {\"min_p\": 0.01}]";
    double chi_square = 0;
    int drawn[N] = {0};
    const chain_outcome *out = NULL;
    for (uint64_t seed = 0; seed < N_DRAWS; seed++) {
        out = chain_case_run(&(chain_case){.logits = logits, .n_vocab = N, .chain = steps,
                                           .seed = seed * 7919, .given = -1});
        drawn[out->result.id]++;
    }
    for (int i = 0; i < N; i++) {
        double expected = out->probabilities[i] * N_DRAWS;
        if (expected == 0) assert_int_equal(drawn[i], 0);
        else chi_square += (drawn[i] - expected) * (drawn[i] - expected) / expected;
    }
    assert_int_equal(drawn[N - 1], 0);
    assert_true(chi_square < 25.7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_probabilities_are_met_and_zeros_are_zero),
        cmocka_unit_test(further_steps_follow_their_rules),
        cmocka_unit_test(golden_draws_are_met),
        cmocka_unit_test(ids_are_drawn_as_often_as_their_probabilities_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
