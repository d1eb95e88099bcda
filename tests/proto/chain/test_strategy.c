/* strategy.h: ranges, the default order, presets, merging. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/chain/strategy.h"

#include <cmocka.h>     /* last: its macro fail() would hide our function */

static failure f;

static status append(strategy *s, stage_kind kind, double number) {
    f = (failure){STATUS_OK, ""};
    return strategy_append(s, kind, &number, stage_table[kind].n_fields, &f);
}

static status set(strategy *s, stage_kind kind, double number) {
    return strategy_set(s, &(stage){.kind = kind, .numbers = {number}}, &f);
}

static status bias(strategy *s, int32_t id, double value) {
    return strategy_set(s, &(stage){.kind = STAGE_LOGIT_BIAS, .bias_ids = &id, .biases = &value,
                                    .n_biases = 1}, &f);
}

/* "temperature 0.8, top_p 0.9" */
static const char *written(const strategy *s) {
    static char text[1024];
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < s->n_stages; i++) {
        const stage *one = &s->stages[i];
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? ", " : "",
                              stage_table[one->kind].name);
        for (size_t b = 0; b < one->n_biases; b++) {
            n += (size_t)snprintf(text + n, sizeof text - n, " %d=%g", one->bias_ids[b],
                                  one->biases[b]);
        }
        if (stage_table[one->kind].shape == SHAPE_NUMBER) {
            n += (size_t)snprintf(text + n, sizeof text - n, " %g", one->numbers[0]);
        }
    }
    return text;
}

/* ---- ranges ---- */

static void each_number_has_its_range(void **state) {
    (void)state;
    static const struct {
        stage_kind kind;
        double inside[4], outside[5];
    } cases[] = {
        {STAGE_REPETITION_PENALTY, {1, DBL_TRUE_MIN, DBL_MAX, 1.1}, {0, -1, INFINITY, NAN, -0.0}},
        {STAGE_PRESENCE_PENALTY, {0, -DBL_MAX, DBL_MAX, 1}, {INFINITY, -INFINITY, NAN, NAN, NAN}},
        {STAGE_FREQUENCY_PENALTY, {0, -DBL_MAX, DBL_MAX, 1}, {INFINITY, -INFINITY, NAN, NAN, NAN}},
        {STAGE_TEMPERATURE, {1, DBL_TRUE_MIN, DBL_MAX, 0.8}, {0, -0.0, -1, INFINITY, NAN}},
        {STAGE_TOP_K, {0, 1, 40, 1e18}, {-1, 0.5, 39.999, INFINITY, NAN}},
        {STAGE_TOP_P, {1, DBL_TRUE_MIN, 0.9, 0.5}, {0, -0.1, 1.0000000001, INFINITY, NAN}},
        {STAGE_MIN_P, {0, 1, 0.05, 0.5}, {-0.1, 1.0000000001, INFINITY, -INFINITY, NAN}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        strategy s;
        strategy_init(&s);
        for (int k = 0; k < 4; k++) {
            assert_int_equal(append(&s, cases[i].kind, cases[i].inside[k]), STATUS_OK);
        }
        for (int k = 0; k < 5; k++) {
            assert_int_equal(append(&s, cases[i].kind, cases[i].outside[k]), STATUS_BAD_REQUEST);
            bool names_greedy = cases[i].kind == STAGE_TEMPERATURE && cases[i].outside[k] == 0;
            assert_non_null(strstr(f.message, names_greedy ? "greedy" : stage_table[cases[i].kind].fields[0].range));
            assert_int_equal(set(&s, cases[i].kind, cases[i].outside[k]), STATUS_BAD_REQUEST);
        }
        assert_int_equal(s.n_stages, 4);
        strategy_clear(&s);
    }
}

static void a_refusal_names_step_range_and_value(void **state) {
    (void)state;
    strategy s;
    strategy_init(&s);
    append(&s, STAGE_TOP_P, 2);
    assert_string_equal(f.message, "top_p must be above 0 and at most 1, not 2");
    append(&s, STAGE_TOP_P, 1.0000000001);
    assert_string_equal(f.message, "top_p must be above 0 and at most 1, not 1.0000000001");
    append(&s, STAGE_TOP_K, -1);
    assert_string_equal(f.message, "top_k must be a whole number, 0 or more, not -1");
    append(&s, STAGE_TEMPERATURE, NAN);
    assert_string_equal(f.message, "temperature must be above 0 and finite, not nan");
}

static void a_chain_has_a_bounded_number_of_steps(void **state) {
    (void)state;
    strategy s;
    strategy_init(&s);
    for (int i = 0; i < STAGES_MAX; i++) assert_int_equal(append(&s, STAGE_TOP_K, 5), STATUS_OK);
    assert_int_equal(append(&s, STAGE_TOP_K, 5), STATUS_BAD_REQUEST);
    assert_int_equal(set(&s, STAGE_TOP_P, 0.5), STATUS_BAD_REQUEST);
    assert_int_equal(bias(&s, 1, 1), STATUS_BAD_REQUEST);
    assert_int_equal(set(&s, STAGE_TOP_K, 7), STATUS_OK);   /* in place of what is there */
    strategy_clear(&s);
}

/* ---- defaults, presets, names ---- */

static void defaults_and_presets_are_those_of_the_chapter(void **state) {
    (void)state;
    static const struct {
        const char *name, *steps;
    } presets[] = {
        {"conservative", "repetition_penalty 1.1, temperature 0.3, top_p 0.85"},
        {"balanced", "repetition_penalty 1.2, temperature 0.8, top_p 0.9"},
        {"creative", "repetition_penalty 1.3, temperature 1.2, top_p 0.95"},
    };
    strategy s;
    strategy_init(&s);
    bias(&s, 1, 1);
    strategy_defaults(&s);
    assert_string_equal(written(&s), "repetition_penalty 1.1, temperature 0.8, top_p 0.9");
    for (size_t i = 0; i < 3; i++) {
        uint32_t max_new_tokens = 0;
        bias(&s, 1, 1);
        assert_int_equal(strategy_preset(&s, presets[i].name, &max_new_tokens, &f), STATUS_OK);
        assert_string_equal(written(&s), presets[i].steps);
        assert_int_equal(max_new_tokens, 100);
    }
    uint32_t untouched = 7;
    assert_int_equal(strategy_preset(&s, "wild", &untouched, &f), STATUS_NOT_FOUND);
    assert_int_equal(untouched, 7);
    assert_string_equal(f.message,
                        "there is no preset named wild: choose conservative, balanced or creative");
}

static void names_are_found_with_underscores_or_hyphens(void **state) {
    (void)state;
    for (int kind = 0; kind < STAGE_KINDS; kind++) {
        assert_int_equal(strategy_kind(stage_table[kind].name), kind);
    }
    assert_int_equal(strategy_kind("repetition-penalty"), STAGE_REPETITION_PENALTY);
    assert_int_equal(strategy_kind("top"), STAGE_KINDS);
    assert_int_equal(strategy_kind("top_kk"), STAGE_KINDS);
    assert_int_equal(strategy_kind(""), STAGE_KINDS);
    status st = strategy_unknown_stage("t\n\xff p", STATUS_UNSUPPORTED, &f);
    assert_int_equal(st, STATUS_UNSUPPORTED);
    assert_non_null(strstr(f.message, "t???p: the steps are logit_bias, "));
    assert_non_null(strstr(f.message, "greedy"));
}

/* ---- order and merging ---- */

static void flags_build_the_default_order_whatever_theirs(void **state) {
    (void)state;
    strategy s;
    strategy_init(&s);
    set(&s, STAGE_MIN_P, 0.1);
    set(&s, STAGE_TOP_K, 40);
    bias(&s, 3, 1);
    set(&s, STAGE_TEMPERATURE, 0.7);
    set(&s, STAGE_FREQUENCY_PENALTY, 0.2);
    set(&s, STAGE_TOP_P, 0.9);
    assert_string_equal(written(&s), "logit_bias 3=1, frequency_penalty 0.2, temperature 0.7, "
                                     "top_k 40, top_p 0.9, min_p 0.1");
    strategy_clear(&s);
}

static void a_set_step_takes_the_place_of_its_kind(void **state) {
    (void)state;
    strategy s;
    strategy_init(&s);
    append(&s, STAGE_TOP_P, 0.9);
    append(&s, STAGE_TEMPERATURE, 0.8);
    append(&s, STAGE_TOP_K, 40);
    append(&s, STAGE_TEMPERATURE, 1.5);
    set(&s, STAGE_TEMPERATURE, 0.3);
    assert_string_equal(written(&s), "top_p 0.9, temperature 0.3, top_k 40");
}

static void biases_of_the_same_id_add(void **state) {
    (void)state;
    strategy s;
    strategy_init(&s);
    const int32_t ids[] = {9, 2, 9, 5};
    const double biases[] = {1, 2, 0.5, -INFINITY};
    assert_int_equal(strategy_append_biases(&s, ids, biases, 4, &f), STATUS_OK);
    assert_string_equal(written(&s), "logit_bias 2=2 5=-inf 9=1.5");
    assert_int_equal(bias(&s, 2, -3), STATUS_OK);
    assert_int_equal(bias(&s, 5, 100), STATUS_OK);      /* a ban stays one */
    assert_int_equal(bias(&s, 7, 4), STATUS_OK);
    assert_string_equal(written(&s), "logit_bias 2=-1 5=-inf 7=4 9=1.5");
    strategy_clear(&s);
}

static void biases_are_checked(void **state) {
    (void)state;
    strategy s;
    strategy_init(&s);
    assert_int_equal(bias(&s, 2, 1e308), STATUS_OK);
    assert_int_equal(bias(&s, 2, 1e308), STATUS_BAD_REQUEST);   /* the sum is infinite */
    assert_int_equal(bias(&s, 2, INFINITY), STATUS_BAD_REQUEST);
    assert_int_equal(bias(&s, 3, NAN), STATUS_BAD_REQUEST);
    assert_int_equal(bias(&s, -1, 1), STATUS_BAD_ID);
    assert_string_equal(written(&s), "logit_bias 2=1e+308");
    assert_int_equal(strategy_check_ids(&s, 3, &f), STATUS_OK);
    assert_int_equal(strategy_check_ids(&s, 2, &f), STATUS_BAD_ID);
    assert_string_equal(f.message, "logit_bias names id 2, but the vocabulary has 2 ids");
    strategy_clear(&s);
}

static void biases_are_bounded(void **state) {
    (void)state;
    static int32_t ids[BIASES_MAX + 1];
    static double biases[BIASES_MAX + 1];
    strategy s;
    strategy_init(&s);
    for (int32_t i = 0; i <= BIASES_MAX; i++) ids[i] = i;
    status st = strategy_append_biases(&s, ids, biases, BIASES_MAX + 1, &f);
    assert_int_equal(st, STATUS_BAD_REQUEST);
    st = strategy_append_biases(&s, ids, biases, BIASES_MAX, &f);
    assert_int_equal(st, STATUS_OK);
    assert_int_equal(bias(&s, BIASES_MAX - 1, 1), STATUS_OK);
    assert_int_equal(bias(&s, BIASES_MAX, 1), STATUS_BAD_REQUEST);
    assert_int_equal(s.stages[0].n_biases, BIASES_MAX);
    strategy_clear(&s);
}

static void tune_merges_step_by_step(void **state) {
    (void)state;
    strategy running, changes;
    strategy_init(&running);
    strategy_init(&changes);
    strategy_defaults(&running);
    bias(&running, 4, 1);
    set(&changes, STAGE_TEMPERATURE, 0.3);
    set(&changes, STAGE_TOP_K, 20);
    bias(&changes, 4, 1);
    assert_int_equal(strategy_merge(&running, &changes, &f), STATUS_OK);
    assert_string_equal(written(&running), "logit_bias 4=2, repetition_penalty 1.1, "
                                           "temperature 0.3, top_k 20, top_p 0.9");
    strategy_clear(&running);
    strategy_clear(&changes);
}

static void a_merge_that_fails_changes_nothing(void **state) {
    (void)state;
    strategy running, before, changes;
    strategy_init(&running);
    strategy_init(&before);
    strategy_init(&changes);
    bias(&running, 4, 1e308);
    set(&running, STAGE_TEMPERATURE, 0.8);
    strategy_copy(&before, &running);
    bias(&changes, 4, 1e308);
    append(&changes, STAGE_TEMPERATURE, 0.3);
    changes.stages[1].numbers[0] = -1;
    assert_int_equal(strategy_merge(&running, &changes, &f), STATUS_BAD_REQUEST);
    assert_true(strategy_equal(&running, &before));
    strategy_clear(&running);
    strategy_clear(&before);
    strategy_clear(&changes);
}

/* What --chain, --preset and --greedy bring: their order, and a kind twice, are what was meant. */
static void a_change_that_replaces_is_the_chain_as_it_stands(void **state) {
    (void)state;
    strategy running, asked;
    strategy_init(&running);
    strategy_init(&asked);
    strategy_defaults(&running);
    append(&asked, STAGE_TOP_P, 0.9);
    append(&asked, STAGE_TEMPERATURE, 2);
    append(&asked, STAGE_TOP_P, 0.5);
    assert_int_equal(strategy_change(&running, &asked, true, &f), STATUS_OK);
    assert_string_equal(written(&running), "top_p 0.9, temperature 2, top_p 0.5");
    assert_int_equal(strategy_change(&running, &running, true, &f), STATUS_OK);
    assert_true(strategy_equal(&running, &asked));
    strategy_clear(&asked);
    assert_int_equal(strategy_change(&running, &asked, true, &f), STATUS_OK);
    assert_string_equal(written(&running), "");
    strategy_clear(&running);
}

/* What flags of single steps bring: each is set where the running chain has it. */
static void a_change_that_merges_keeps_the_order_that_runs(void **state) {
    (void)state;
    strategy running, asked;
    strategy_init(&running);
    strategy_init(&asked);
    append(&running, STAGE_TOP_P, 0.9);
    append(&running, STAGE_TEMPERATURE, 2);
    set(&asked, STAGE_TEMPERATURE, 0.5);
    assert_int_equal(strategy_change(&running, &asked, false, &f), STATUS_OK);
    assert_string_equal(written(&running), "top_p 0.9, temperature 0.5");
    strategy_clear(&asked);
    assert_int_equal(strategy_change(&running, &asked, false, &f), STATUS_OK);
    assert_string_equal(written(&running), "top_p 0.9, temperature 0.5");
    append(&asked, STAGE_TOP_K, 9);
    asked.stages[0].numbers[0] = -1;
    assert_int_equal(strategy_change(&running, &asked, false, &f), STATUS_BAD_REQUEST);
    assert_string_equal(written(&running), "top_p 0.9, temperature 0.5");
    strategy_clear(&running);
    strategy_clear(&asked);
}

/* What a running chain becomes is made beside it, and only where the model has its ids. */
static void a_changed_copy_leaves_what_it_was_made_of(void **state) {
    (void)state;
    strategy running, asked, changed;
    strategy_init(&running);
    strategy_init(&asked);
    strategy_init(&changed);
    append(&running, STAGE_TEMPERATURE, 2);
    const int32_t id = 7;
    const double bias = -1;
    assert_int_equal(strategy_append_biases(&asked, &id, &bias, 1, &f), STATUS_OK);
    assert_int_equal(strategy_changed(&changed, &running, &asked, false, 7, &f), STATUS_BAD_ID);
    assert_string_equal(written(&changed), "");
    assert_int_equal(strategy_changed(&changed, &running, &asked, false, 8, &f), STATUS_OK);
    assert_int_equal(changed.n_stages, 2);
    assert_string_equal(written(&running), "temperature 2");
    assert_int_equal(strategy_changed(&changed, &running, &asked, true, 0, &f), STATUS_OK);
    assert_true(strategy_equal(&changed, &asked));
    strategy_clear(&running);
    strategy_clear(&asked);
    strategy_clear(&changed);
}

static void a_removed_kind_leaves_the_others(void **state) {
    (void)state;
    strategy s;
    strategy_init(&s);
    strategy_defaults(&s);
    bias(&s, 4, 1);
    append(&s, STAGE_TEMPERATURE, 2);
    assert_true(strategy_has(&s, STAGE_TEMPERATURE) && !strategy_has(&s, STAGE_XTC));
    strategy_remove(&s, STAGE_TEMPERATURE);
    assert_false(strategy_has(&s, STAGE_TEMPERATURE));
    assert_string_equal(written(&s), "logit_bias 4=1, repetition_penalty 1.1, top_p 0.9");
    strategy_remove(&s, STAGE_LOGIT_BIAS);
    strategy_remove(&s, STAGE_XTC);
    assert_string_equal(written(&s), "repetition_penalty 1.1, top_p 0.9");
    strategy_clear(&s);
}

static void a_copy_is_equal_and_its_own(void **state) {
    (void)state;
    strategy s, copy;
    strategy_init(&s);
    strategy_init(&copy);
    strategy_defaults(&s);
    bias(&s, 1, -2);
    bias(&copy, 8, 1);
    assert_false(strategy_equal(&s, &copy));
    assert_int_equal(strategy_copy(&copy, &s), STATUS_OK);
    assert_true(strategy_equal(&s, &copy));
    bias(&copy, 1, 1);
    assert_false(strategy_equal(&s, &copy));
    assert_string_equal(written(&s), "logit_bias 1=-2, repetition_penalty 1.1, "
                                     "temperature 0.8, top_p 0.9");
    strategy_copy(&copy, &s);
    set(&copy, STAGE_TOP_P, 0.8);
    assert_false(strategy_equal(&s, &copy));
    /* What is replaced goes when the copy is whole, not before: even a chain's copy onto itself. */
    bias(&copy, 5, 3);
    assert_int_equal(strategy_copy(&copy, &copy), STATUS_OK);
    assert_string_equal(written(&copy), "logit_bias 1=-2 5=3, repetition_penalty 1.1, "
                                        "temperature 0.8, top_p 0.8");
    strategy_clear(&s);
    strategy_clear(&copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_number_has_its_range),
        cmocka_unit_test(a_refusal_names_step_range_and_value),
        cmocka_unit_test(a_chain_has_a_bounded_number_of_steps),
        cmocka_unit_test(defaults_and_presets_are_those_of_the_chapter),
        cmocka_unit_test(names_are_found_with_underscores_or_hyphens),
        cmocka_unit_test(flags_build_the_default_order_whatever_theirs),
        cmocka_unit_test(a_set_step_takes_the_place_of_its_kind),
        cmocka_unit_test(biases_of_the_same_id_add),
        cmocka_unit_test(biases_are_checked),
        cmocka_unit_test(biases_are_bounded),
        cmocka_unit_test(tune_merges_step_by_step),
        cmocka_unit_test(a_merge_that_fails_changes_nothing),
        cmocka_unit_test(a_change_that_replaces_is_the_chain_as_it_stands),
        cmocka_unit_test(a_change_that_merges_keeps_the_order_that_runs),
        cmocka_unit_test(a_changed_copy_leaves_what_it_was_made_of),
        cmocka_unit_test(a_removed_kind_leaves_the_others),
        cmocka_unit_test(a_copy_is_equal_and_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
