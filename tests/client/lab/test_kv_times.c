/* Medians of several runs, and how far they lie apart. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lab/bench/kv_times.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void assert_near(double is, double expected) {
    if (fabs(is - expected) > 1e-12) print_error("%g is not %g\n", is, expected);
    assert_true(fabs(is - expected) <= 1e-12);
}

/* One run of three was held up; so was a token of another one. Neither shows. */
static void one_slow_run_changes_no_median(void **state) {
    (void)state;
    const double with[] = {1, 2, 500, 500, 1, 2}, without[] = {10, 20, 10, 90, 12, 22};
    kv_times t = {.n_prompt = 5, .n_tokens = 2, .n_runs = 3, .n_same = 2};
    assert_int_equal(kv_times_take(&t, WITH_CACHE, with), STATUS_OK);
    assert_int_equal(kv_times_take(&t, WITHOUT_CACHE, without), STATUS_OK);
    assert_near(t.seconds[WITH_CACHE].median, 0.003);
    assert_near(t.seconds[WITH_CACHE].least, 0.003);
    assert_near(t.seconds[WITH_CACHE].most, 1);
    assert_near(t.seconds[WITHOUT_CACHE].median, 0.034);
    assert_near(t.step_ms[WITH_CACHE][0], 1);
    assert_near(t.step_ms[WITH_CACHE][1], 2);
    assert_near(t.step_ms[WITHOUT_CACHE][1], 22);
    assert_near(kv_times_speedup(&t), 34.0 / 3);
    assert_near(kv_times_spread(&t), 0.997 / 0.003);
    kv_times_clear(&t);
    assert_null(t.step_ms[WITH_CACHE]);
}

static void a_single_run_has_no_spread(void **state) {
    (void)state;
    const double ms[] = {4, 6};
    kv_times t = {.n_tokens = 2, .n_runs = 1};
    for (kv_path path = 0; path < KV_PATHS; path++) assert_int_equal(kv_times_take(&t, path, ms), STATUS_OK);
    assert_near(kv_times_speedup(&t), 1);
    assert_near(kv_times_spread(&t), 0);
    kv_times_clear(&t);
}

static void no_time_at_all_is_no_number_to_divide_by(void **state) {
    (void)state;
    const double ms[] = {0};
    kv_times t = {.n_tokens = 1, .n_runs = 1};
    for (kv_path path = 0; path < KV_PATHS; path++) assert_int_equal(kv_times_take(&t, path, ms), STATUS_OK);
    assert_near(kv_times_speedup(&t), 0);
    assert_near(kv_times_spread(&t), 0);
    kv_times_clear(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_slow_run_changes_no_median),
        cmocka_unit_test(a_single_run_has_no_spread),
        cmocka_unit_test(no_time_at_all_is_no_number_to_divide_by),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
