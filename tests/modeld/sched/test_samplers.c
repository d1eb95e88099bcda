/* samplers.h: who takes the next row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "modeld/sched/samplers.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static int setup(void **state) {
    *state = samplers_new();
    return *state == NULL;
}

static int teardown(void **state) {
    samplers_free((samplers **)state);
    return 0;
}

static sampler *add(samplers *t, const char *pool, const char *semantics) {
    sampler *one = NULL;
    failure f;
    assert_int_equal(samplers_add(t, NULL, pool, semantics, &one, &f), STATUS_OK);
    return one;
}

static void test_only_the_pool_that_is_asked_for(void **state) {
    samplers *t = *state;
    assert_null(samplers_choose(t, "", "", NULL));
    sampler *careful = add(t, "careful", "s/1");
    assert_null(samplers_choose(t, "", "", NULL));
    assert_ptr_equal(samplers_choose(t, "careful", "", NULL), careful);
    sampler *usual = add(t, "", "s/1");
    assert_ptr_equal(samplers_choose(t, "", "", NULL), usual);
    assert_ptr_equal(samplers_choose(t, DEFAULT_POOL, "", NULL), usual);
}

static void test_only_equal_semantics_once_a_text_has_begun(void **state) {
    samplers *t = *state;
    add(t, "", "s/1");
    sampler *new_rules = add(t, "", "s/2");
    assert_ptr_equal(samplers_choose(t, "", "s/2", NULL), new_rules);
    assert_null(samplers_choose(t, "", "s/3", NULL));
    assert_false(samplers_present(t, "", "s/3"));
    assert_true(samplers_present(t, "", ""));
}

static void test_the_one_with_the_fewest_rows(void **state) {
    samplers *t = *state;
    sampler *a = add(t, "", "s/1"), *b = add(t, "", "s/1");
    assert_ptr_equal(samplers_choose(t, "", "", NULL), a);
    sampler_took(a, 1);
    assert_ptr_equal(samplers_choose(t, "", "", NULL), b);
    sampler_took(b, 1);
    sampler_took(b, 1);
    assert_ptr_equal(samplers_choose(t, "", "", NULL), a);
}

static void test_a_full_one_gets_no_more(void **state) {
    samplers *t = *state;
    assert_false(samplers_have_room(t));
    sampler *one = add(t, "", "s/1");
    for (int i = 0; i < HIGH_WATER_ROWS; i++) sampler_took(one, 1);
    assert_null(samplers_choose(t, "", "", NULL));
    assert_false(samplers_have_room(t));
    assert_true(samplers_serve(t, "", ""));
    sampler_released(one, 1, false);
    assert_ptr_equal(samplers_choose(t, "", "", NULL), one);
}

static void test_what_was_given_up_lies_with_it_until_it_is_heard(void **state) {
    samplers *t = *state;
    sampler *one = add(t, "", "s/1");
    for (int i = 0; i < HIGH_WATER_ROWS; i++) {
        sampler_took(one, 1);
        sampler_released(one, 1, true);
    }
    assert_null(samplers_choose(t, "", "", NULL));
    sampler_heard(one);
    assert_ptr_equal(samplers_choose(t, "", "", NULL), one);
    sampler_took(one, 1);
    sampler_released(one, 1, true);
    sampler_answered(one, false);
    assert_int_equal(one->n_given_up, 0);
}

static void test_all_of_them_share_a_budget(void **state) {
    samplers *t = *state;
    sampler *a = add(t, "", "s/1"), *b = add(t, "", "s/1");
    assert_true(samplers_may_take(t, 2 * (size_t)SENT_ROWS_BYTES_MAX)); /* whatever its size */
    sampler_took(a, SENT_ROWS_BYTES_MAX / 2);
    sampler_took(b, SENT_ROWS_BYTES_MAX / 2);
    assert_false(samplers_may_take(t, 1));
    sampler_released(b, SENT_ROWS_BYTES_MAX / 2, true);
    assert_false(samplers_may_take(t, 1));  /* it still lies there */
    sampler_released(a, SENT_ROWS_BYTES_MAX / 2, false);
    assert_true(samplers_may_take(t, SENT_ROWS_BYTES_MAX)); /* the only one that is out */
    sampler_took(a, 1);
    sampler_heard(b);
    assert_true(samplers_may_take(t, SENT_ROWS_BYTES_MAX - 1));
}

static void test_a_hanging_one_is_the_last_choice_until_it_answers(void **state) {
    samplers *t = *state;
    sampler *hangs = add(t, "", "s/1"), *works = add(t, "", "s/1");
    sampler_hangs(hangs);
    sampler_took(works, 1);
    assert_ptr_equal(samplers_choose(t, "", "", NULL), works);
    assert_ptr_equal(samplers_choose(t, "", "", works), works);
    samplers_remove(t, works);
    assert_ptr_equal(samplers_choose(t, "", "", hangs), hangs);
    assert_false(samplers_serve(t, "", ""));
    assert_true(samplers_present(t, "", ""));
    sampler_answered(hangs, false);
    assert_true(samplers_serve(t, "", ""));
    assert_int_equal(hangs->n_steps, 0);
    sampler_answered(hangs, true);
    assert_int_equal(hangs->n_steps, 1);
}

static void test_the_one_that_failed_a_step_is_avoided_for_it(void **state) {
    samplers *t = *state;
    sampler *a = add(t, "", "s/1"), *b = add(t, "", "s/1");
    sampler_took(b, 1);
    assert_ptr_equal(samplers_choose(t, "", "", a), b);
    assert_ptr_equal(samplers_choose(t, "", "", b), a);
    samplers_remove(t, b);
    assert_ptr_equal(samplers_choose(t, "", "", a), a);
}

static void test_one_that_drains_takes_what_nobody_else_may(void **state) {
    samplers *t = *state;
    sampler *drains = add(t, "", "s/1"), *other = add(t, "", "s/1");
    sampler_drains(drains);
    sampler_took(other, 1);
    assert_ptr_equal(samplers_choose(t, "", "", NULL), other);
    assert_ptr_equal(samplers_choose(t, "", "s/1", other), other);  /* though it failed this step */
    for (int i = 1; i < HIGH_WATER_ROWS; i++) sampler_took(other, 1);
    assert_null(samplers_choose(t, "", "", NULL));                  /* the other one's turn comes */
    sampler_hangs(other);
    assert_ptr_equal(samplers_choose(t, "", "", NULL), drains);     /* which it may never have */
    samplers_remove(t, other);
    sampler *new_rules = add(t, "", "s/2");
    assert_ptr_equal(samplers_choose(t, "", "", NULL), new_rules);
    assert_ptr_equal(samplers_choose(t, "", "s/1", NULL), drains);
    assert_true(samplers_serve(t, "", "s/1"));
}

static void test_a_lost_one_is_no_choice(void **state) {
    samplers *t = *state;
    add(t, "", "s/1")->lost = true;
    assert_null(samplers_choose(t, "", "", NULL));
    assert_false(samplers_serve(t, "", ""));
    assert_false(samplers_present(t, "", ""));
    assert_false(samplers_have_room(t));
}

static void test_what_cannot_join_is_told_why(void **state) {
    samplers *t = *state;
    sampler *one = NULL;
    failure f;
    assert_int_equal(samplers_add(t, NULL, "", "", &one, &f), STATUS_BAD_REQUEST);
    assert_non_null(strstr(f.message, "semantics"));
    char name[NAME_BYTES_MAX + 2] = {0};
    memset(name, 'x', NAME_BYTES_MAX + 1);
    assert_int_equal(samplers_add(t, NULL, name, "s/1", &one, &f), STATUS_BAD_REQUEST);
    assert_int_equal(samplers_add(t, NULL, "", name, &one, &f), STATUS_BAD_REQUEST);
    for (int i = 0; i < PEERS_MAX; i++) add(t, "", "s/1");
    assert_int_equal(samplers_add(t, NULL, "", "s/1", &one, &f), STATUS_BUSY);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_only_the_pool_that_is_asked_for),
        TEST(test_only_equal_semantics_once_a_text_has_begun),
        TEST(test_the_one_with_the_fewest_rows),
        TEST(test_a_full_one_gets_no_more),
        TEST(test_what_was_given_up_lies_with_it_until_it_is_heard),
        TEST(test_all_of_them_share_a_budget),
        TEST(test_a_hanging_one_is_the_last_choice_until_it_answers),
        TEST(test_the_one_that_failed_a_step_is_avoided_for_it),
        TEST(test_one_that_drains_takes_what_nobody_else_may),
        TEST(test_a_lost_one_is_no_choice),
        TEST(test_what_cannot_join_is_told_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
