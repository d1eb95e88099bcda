/* scheduler.h: whose rows, and how many, run in the next forward pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "modeld/sched/scheduler.h"

#include <cmocka.h>

static const demand decode = {.n_rows = 1, .decodes = true};

static demand prompt(uint32_t n_rows) {
    return (demand){.n_rows = n_rows};
}

/* One that measured `n_rows` prompt rows in a step of PASS_TARGET_MS. */
static scheduler fitting(uint32_t n_rows) {
    scheduler s;
    scheduler_init(&s, BATCH_ROWS_MAX);
    s.rows_per_ms = (double)n_rows / PASS_TARGET_MS;
    return s;
}

static void test_all_that_decode_run_in_every_step(void **state) {
    (void)state;
    scheduler s = fitting(1);
    demand demands[SEQUENCES_MAX];
    uint32_t n_rows[SEQUENCES_MAX];
    for (int i = 0; i < SEQUENCES_MAX; i++) demands[i] = decode;
    demands[0] = prompt(1000);
    uint32_t n_decode = SEQUENCES_MAX - 1;
    assert_int_equal(scheduler_share(&s, demands, SEQUENCES_MAX, n_rows),
                     n_decode + PREFILL_ROWS_MIN);
    assert_int_equal(n_rows[0], PREFILL_ROWS_MIN);
    for (int i = 1; i < SEQUENCES_MAX; i++) assert_int_equal(n_rows[i], 1);
}

static void test_prompts_have_half_of_a_step_however_many_decode(void **state) {
    (void)state;
    scheduler s = fitting(2 * PREFILL_ROWS_MIN + 2);
    demand demands[SEQUENCES_MAX];
    uint32_t n_rows[SEQUENCES_MAX];
    for (int i = 0; i < SEQUENCES_MAX; i++) demands[i] = decode;
    demands[0] = prompt(1000);
    scheduler_share(&s, demands, SEQUENCES_MAX, n_rows);
    assert_int_equal(n_rows[0], PREFILL_ROWS_MIN + 1);
}

static void test_a_prompt_gets_what_a_step_has_time_for(void **state) {
    (void)state;
    uint32_t fits = BATCH_ROWS_MAX - 1, n_rows[2];
    scheduler s = fitting(fits);
    demand demands[] = {prompt(10 * BATCH_ROWS_MAX), decode};
    assert_int_equal(scheduler_share(&s, demands, 1, n_rows), fits);
    assert_int_equal(scheduler_share(&s, demands, 2, n_rows), fits);
    assert_int_equal(n_rows[0], fits - 1);
    demands[0] = prompt(2);
    assert_int_equal(scheduler_share(&s, demands, 1, n_rows), 2);
}

static void test_a_pass_has_a_bound(void **state) {
    (void)state;
    scheduler s = fitting(100 * BATCH_ROWS_MAX);
    demand demands[] = {prompt(10 * BATCH_ROWS_MAX), decode};
    uint32_t n_rows[2];
    assert_int_equal(scheduler_share(&s, demands, 2, n_rows), BATCH_ROWS_MAX);
    scheduler_init(&s, 1);
    assert_int_equal(scheduler_share(&s, demands, 2, n_rows), 1);
    assert_int_equal(n_rows[1], 1);
}

static void test_prompts_share_and_a_short_one_is_through_at_once(void **state) {
    (void)state;
    scheduler s = fitting(8);
    demand demands[] = {prompt(100), prompt(1), prompt(100)};
    uint32_t n_rows[3];
    assert_int_equal(scheduler_share(&s, demands, 3, n_rows), 8);
    assert_int_equal(n_rows[1], 1);
    assert_int_equal(n_rows[0] + n_rows[2], 7);
    assert_in_range(n_rows[0], 3, 4);
}

static void test_with_more_prompts_than_rows_the_oldest_go_first(void **state) {
    (void)state;
    scheduler s = fitting(3);
    s.n_rows_max = 3;
    demand demands[] = {prompt(9), prompt(9), prompt(9), prompt(9), prompt(9)};
    uint32_t n_rows[5];
    assert_int_equal(scheduler_share(&s, demands, 5, n_rows), 3);
    for (uint32_t i = 0; i < 5; i++) assert_int_equal(n_rows[i], i < 3);
}

static void test_owners_share_before_their_prompts_do(void **state) {
    (void)state;
    static const char ann, bob;
    scheduler s = fitting(8);
    demand demands[] = {prompt(100), prompt(100), prompt(100), prompt(100), prompt(1)};
    for (int i = 0; i < 3; i++) demands[i].owner = &ann;
    demands[3].owner = demands[4].owner = &bob;
    uint32_t n_rows[5];
    assert_int_equal(scheduler_share(&s, demands, 5, n_rows), 8);
    assert_int_equal(n_rows[0] + n_rows[1] + n_rows[2], 4);
    assert_int_equal(n_rows[3], 3);
    assert_int_equal(n_rows[4], 1);
    demands[3].n_rows = 1;      /* what one owner does not need goes to the others */
    assert_int_equal(scheduler_share(&s, demands, 5, n_rows), 8);
    assert_int_equal(n_rows[0] + n_rows[1] + n_rows[2], 6);
    assert_int_equal(n_rows[3] + n_rows[4], 2);
    demand many[] = {prompt(9), prompt(9), prompt(9), prompt(9)};   /* with a row for each owner: its oldest prompt has it */
    for (int i = 0; i < 3; i++) many[i].owner = &ann;
    many[3].owner = &bob;
    s.n_rows_max = 2;
    assert_int_equal(scheduler_share(&s, many, 4, n_rows), 2);
    assert_int_equal(n_rows[0], 1);
    assert_int_equal(n_rows[3], 1);
}

static void test_nothing_to_do_is_nothing(void **state) {
    (void)state;
    scheduler s = fitting(8);
    assert_int_equal(scheduler_share(&s, NULL, 0, NULL), 0);
}

static void test_the_first_step_is_small_and_the_next_ones_fit_the_time(void **state) {
    (void)state;
    scheduler s;
    scheduler_init(&s, BATCH_ROWS_MAX);
    demand long_prompt = prompt(10 * BATCH_ROWS_MAX);
    uint32_t n_rows;
    assert_int_equal(scheduler_share(&s, &long_prompt, 1, &n_rows), PREFILL_ROWS_FIRST);
    /* A machine where a pass costs 10 ms and each row 0.5 ms more: 80 rows fill the time. */
    for (int i = 0; i < 30; i++) {
        scheduler_share(&s, &long_prompt, 1, &n_rows);
        scheduler_measure(&s, n_rows, 10000 + 500 * n_rows);
    }
    uint32_t fits = BATCH_ROWS_MAX < 80 ? BATCH_ROWS_MAX : 80;
    assert_in_range(n_rows, fits - 1, fits);
    for (int i = 0; i < 30; i++) scheduler_measure(&s, n_rows, 10 * 1000 * 1000);
    assert_int_equal(scheduler_share(&s, &long_prompt, 1, &n_rows), PREFILL_ROWS_MIN);
}

static void test_steps_of_a_few_rows_say_nothing_about_a_rows_price(void **state) {
    (void)state;
    scheduler s = fitting(BATCH_ROWS_MAX);
    double before = s.rows_per_ms;
    scheduler_measure(&s, PREFILL_ROWS_MIN - 1, 1000 * 1000);
    scheduler_measure(&s, BATCH_ROWS_MAX, 0);
    assert_true(s.rows_per_ms == before);
}

static void test_a_step_waits_for_ids_half_as_long_as_the_one_before_took(void **state) {
    (void)state;
    assert_int_equal(scheduler_gather_us(0), 0);
    assert_int_equal(scheduler_gather_us(6000), 3000);
    assert_int_equal(scheduler_gather_us(UINT64_MAX), GATHER_MAX_US);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_decode_run_in_every_step),
        cmocka_unit_test(test_prompts_have_half_of_a_step_however_many_decode),
        cmocka_unit_test(test_a_prompt_gets_what_a_step_has_time_for),
        cmocka_unit_test(test_a_pass_has_a_bound),
        cmocka_unit_test(test_prompts_share_and_a_short_one_is_through_at_once),
        cmocka_unit_test(test_with_more_prompts_than_rows_the_oldest_go_first),
        cmocka_unit_test(test_owners_share_before_their_prompts_do),
        cmocka_unit_test(test_nothing_to_do_is_nothing),
        cmocka_unit_test(test_the_first_step_is_small_and_the_next_ones_fit_the_time),
        cmocka_unit_test(test_steps_of_a_few_rows_say_nothing_about_a_rows_price),
        cmocka_unit_test(test_a_step_waits_for_ids_half_as_long_as_the_one_before_took),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
