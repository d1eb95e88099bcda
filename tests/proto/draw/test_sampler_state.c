/* Stages that remember what was drawn, from one draw to the next, and the chance of xtc. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/chain_case.h"

#include <cmocka.h>     /* last: its macro fail() would hide our function */

enum { WIDTH = 12, SEEDS = 100000 };

static void read_row(float row[WIDTH], const json_t *numbers) {
    assert_int_equal(json_array_size(numbers), WIDTH);
    for (size_t i = 0; i < WIDTH; i++)
        row[i] = (float)json_number_value(json_array_get(numbers, i));
}

/* The numbers of a state. */
static double number_of(const uint8_t *state, int which) {
    double value;
    memcpy(&value, state + 2 + 8 * which, sizeof value);    /* tests run on little-endian machines */
    return value;
}

static void assert_near(double got, double want) {
    if (!(fabs(got - want) <= 1e-6 * (1 + fabs(want)))) fail_msg("%.9g, not %.9g", got, want);
}

static void check_state(const uint8_t *state, size_t n_bytes, const json_t *seen) {
    const json_t *mu = json_object_get(seen, "mu");
    assert_int_equal(n_bytes, SAMPLER_STATE_BYTES);
    assert_int_equal(state[0], 1);
    if (mu) {
        assert_near(number_of(state, 0), json_number_value(mu));
    } else {
        assert_near(number_of(state, 0), json_number_value(json_object_get(seen, "weighted")));
        assert_near(number_of(state, 1), json_number_value(json_object_get(seen, "total")));
    }
}

/* Draw with one seed after the other until the id is the one that the golden run has. */
static const chain_outcome *draw_id(chain_case *one, int32_t id) {
    const chain_outcome *out = NULL;
    for (one->seed = 0; one->seed < SEEDS; one->seed++) {
        out = chain_case_run(one);
        if (out->st != STATUS_OK || out->result.id == id) break;
    }
    if (out->st != STATUS_OK) fail_msg("%s", out->f.message);
    assert_int_equal(out->result.id, id);
    return out;
}

static void check_run(const json_t *line) {
    const json_t *rows = json_object_get(line, "rows"), *states = json_object_get(line, "states");
    if (!rows) return;
    char *steps = json_dumps(json_object_get(line, "chain"), 0);
    uint8_t blob[SAMPLER_STATE_BYTES];
    size_t n_bytes = 0;
    for (size_t k = 0; k < json_array_size(rows); k++) {
        const json_t *seen = json_array_get(states, k), *probs = json_object_get(seen, "probs");
        float row[WIDTH];
        read_row(row, json_array_get(rows, k));
        if (k > 0) check_state(blob, n_bytes, seen);
        chain_case one = {.logits = row, .n_vocab = WIDTH, .chain = steps, .given = -1,
                          .state = blob, .n_state_bytes = n_bytes};
        const chain_outcome *out =
            draw_id(&one, (int32_t)json_integer_value(json_object_get(seen, "id")));
        for (size_t i = 0; i < WIDTH; i++)
            assert_near(out->probabilities[i], json_number_value(json_array_get(probs, i)));
        n_bytes = out->result.n_state_bytes;
        memcpy(blob, out->result.state, n_bytes);
    }
    free(steps);
}

static void a_state_goes_from_draw_to_draw(void **state) {
    (void)state;
    chain_case_each_line("tests/golden/samplers.jsonl", check_run);
}

static const float LOGITS[] = {2.0f, 1.5f, 1.0f, 0.5f, 0.0f, -0.5f};
static const chain_case PLAIN = {.logits = LOGITS, .n_vocab = 6, .given = -1};

static void another_rules_state_is_the_beginning(void **state) {
    (void)state;
    chain_case one = PLAIN;
    uint8_t blob[SAMPLER_STATE_BYTES];
    one.chain = "[{\"mirostat\": {\"tau\": 1, \"eta\": 0.1}}]";
    const chain_outcome *out = chain_case_run(&one);
    assert_int_equal(out->result.n_state_bytes, SAMPLER_STATE_BYTES);
    memcpy(blob, out->result.state, SAMPLER_STATE_BYTES);
    one.chain = "[{\"adaptive_p\": {\"target\": 0.3, \"decay\": 0.9}}]";
    double fresh = chain_case_run(&one)->probabilities[0];
    one.state = blob;
    one.n_state_bytes = SAMPLER_STATE_BYTES;
    out = chain_case_run(&one);
    assert_true(out->st == STATUS_OK && out->probabilities[0] == fresh);
    one.chain = "[{\"temperature\": 0.7}]";
    assert_int_equal(chain_case_run(&one)->result.n_state_bytes, 0);
}

static void a_state_that_is_none_of_ours_is_refused(void **state) {
    (void)state;
    uint8_t blob[SAMPLER_STATE_BYTES] = {1, 1};
    chain_case one = PLAIN;
    one.chain = "[]";
    one.state = blob;
    one.n_state_bytes = SAMPLER_STATE_BYTES;
    assert_int_equal(chain_case_run(&one)->st, STATUS_OK);
    blob[0] = 9;
    assert_int_equal(chain_case_run(&one)->st, STATUS_BAD_REQUEST);
    blob[0] = 1;
    one.n_state_bytes = SAMPLER_STATE_BYTES - 1;
    assert_int_equal(chain_case_run(&one)->st, STATUS_BAD_REQUEST);
    one.n_state_bytes = SAMPLER_STATE_BYTES;
    memset(blob + 2, 0xff, 8);        /* not a number */
    assert_int_equal(chain_case_run(&one)->st, STATUS_BAD_REQUEST);
    memset(blob + 2, 0, 16);
    blob[1] = 2;                      /* adaptive_p's Z is never 0 */
    assert_int_equal(chain_case_run(&one)->st, STATUS_BAD_REQUEST);
}

/* What mirostat and adaptive_p may be told to remember stays a state that the next draw takes. */
static void extreme_numbers_leave_a_state(void **state) {
    (void)state;
    static const char *const chains[] = {
        "[{\"mirostat\": {\"tau\": 1e308, \"eta\": 1}}]",
        "[{\"mirostat\": {\"tau\": 1e308, \"eta\": 1e308}}]",
        "[{\"mirostat\": {\"tau\": 1e-300, \"eta\": 1e308}}]",
        "[{\"adaptive_p\": {\"target\": 0, \"decay\": 0}}]",
        "[{\"adaptive_p\": {\"target\": 1, \"decay\": 1}}]",
    };
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        uint8_t blob[SAMPLER_STATE_BYTES];
        chain_case one = PLAIN;
        one.chain = chains[i];
        one.state = blob;
        for (one.step = 0; one.step < 4; one.step++) {
            const chain_outcome *out = chain_case_run(&one);
            if (out->st != STATUS_OK) fail_msg("%s, step %u: %s", chains[i], one.step, out->f.message);
            one.n_state_bytes = out->result.n_state_bytes;
            memcpy(blob, out->result.state, SAMPLER_STATE_BYTES);
        }
    }
}

static void nothing_follows_a_step_that_remembers(void **state) {
    (void)state;
    strategy s;
    failure f;
    strategy_init(&s);
    const double mirostat[] = {5, 0.1}, temperature = 0.8;
    assert_int_equal(strategy_append(&s, STAGE_MIROSTAT, mirostat, 2, &f), STATUS_OK);
    assert_int_equal(strategy_append(&s, STAGE_TEMPERATURE, &temperature, 1, &f), STATUS_BAD_REQUEST);
    assert_non_null(strstr(f.message, "mirostat must be the last step"));
    stage one = {.kind = STAGE_ADAPTIVE_P, .numbers = {0.3, 0.9}};
    assert_int_equal(strategy_set(&s, &one, &f), STATUS_BAD_REQUEST);
    one = (stage){.kind = STAGE_TEMPERATURE, .numbers = {0.8}};
    assert_int_equal(strategy_set(&s, &one, &f), STATUS_OK);
    assert_int_equal(s.stages[0].kind, STAGE_TEMPERATURE);
    strategy_clear(&s);
}

/* Of 20,000 seeds 30 % act, within five standard deviations; the draw of a seed in which xtc does not
 * act is the draw without it. */
static void xtc_acts_by_a_chance_of_its_own(void **state) {
    (void)state;
    enum { N = 20000 };
    int n_acted = 0;
    chain_case with = PLAIN, without = PLAIN;
    with.chain = "[{\"xtc\": {\"probability\": 0.3, \"threshold\": 0.1}}]";
    for (uint64_t seed = 0; seed < N; seed++) {
        with.seed = without.seed = seed;
        const chain_outcome *out = chain_case_run(&with);
        bool acted = out->probabilities[0] == 0;
        int32_t id = out->result.id;
        n_acted += acted;
        if (!acted) assert_int_equal(chain_case_run(&without)->result.id, id);
    }
    assert_in_range(n_acted, 6000 - 325, 6000 + 325);
}

static void candidates_say_which_step_dropped_them(void **state) {
    (void)state;
    chain_case one = PLAIN;
    one.n_candidates = 6;
    one.chain = "[{\"top_k\": 4}, {\"temperature\": 0.5}, {\"min_p\": 0.2}]";
    const chain_outcome *out = chain_case_run(&one);
    const uint32_t n_left[] = {6, 4, 4, 2}, removed_by[] = {0, 0, 3, 3, 1, 1};
    assert_int_equal(out->result.n_left_items, 4);
    for (int i = 0; i < 4; i++) assert_int_equal(out->result.n_left[i], n_left[i]);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(out->result.candidates[i].id, i);
        assert_int_equal(out->result.candidates[i].removed_by, removed_by[i]);
        assert_int_equal(out->result.candidates[i].probability == 0, removed_by[i] != 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_goes_from_draw_to_draw),
        cmocka_unit_test(another_rules_state_is_the_beginning),
        cmocka_unit_test(a_state_that_is_none_of_ours_is_refused),
        cmocka_unit_test(extreme_numbers_leave_a_state),
        cmocka_unit_test(nothing_follows_a_step_that_remembers),
        cmocka_unit_test(xtc_acts_by_a_chance_of_its_own),
        cmocka_unit_test(candidates_say_which_step_dropped_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
