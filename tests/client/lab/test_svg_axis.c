/* Axes numbered as a person would. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lab/figure/svg_axis.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void assert_axis(double max, double step, size_t n_steps, int n_decimals) {
    svg_axis axis = svg_axis_to(max);
    if (axis.n_steps != n_steps || axis.n_decimals != n_decimals) print_error("to %g\n", max);
    assert_true(fabs(axis.step - step) <= step * 1e-12);
    assert_int_equal(axis.n_steps, n_steps);
    assert_int_equal(axis.n_decimals, n_decimals);
}

static void axes_have_round_steps(void **state) {
    (void)state;
    assert_axis(899, 200, 5, 0);
    assert_axis(608, 100, 7, 0);
    assert_axis(6, 1, 6, 0);
    assert_axis(8.1, 2, 5, 0);
    assert_axis(250, 50, 5, 0);
    assert_axis(1000000, 200000, 5, 0);
    assert_axis(0.9, 0.2, 5, 1);
    assert_axis(0.06, 0.01, 6, 2);
}

static void an_axis_without_a_range_goes_to_one(void **state) {
    (void)state;
    assert_axis(0, 0.2, 5, 1);
    assert_axis(-3, 0.2, 5, 1);
}

static void every_axis_holds_its_largest_number(void **state) {
    (void)state;
    for (double max = 1e-6; max < 1e9; max *= 1.07) {
        svg_axis axis = svg_axis_to(max);
        assert_in_range(axis.n_steps, 1, SVG_TICKS_MAX - 1);
        assert_true(axis.step * (double)axis.n_steps >= max * (1 - 1e-12));
    }
}

static void assert_ticks(double min, double max, const double *ticks, size_t n) {
    svg_log_axis axis = svg_log_axis_over(min, max);
    if (axis.n_ticks != n) print_error("from %g to %g\n", min, max);
    assert_int_equal(axis.n_ticks, n);
    for (size_t i = 0; i < n; i++) assert_true(fabs(axis.ticks[i] / ticks[i] - 1) < 1e-9);
}

static void a_logarithmic_axis_has_round_numbers(void **state) {
    (void)state;
    assert_ticks(3.7, 420, (const double[]){2, 5, 10, 20, 50, 100, 200, 500}, 8);
    assert_ticks(1, 100, (const double[]){1, 2, 5, 10, 20, 50, 100}, 7);
    assert_ticks(0.03, 0.04, (const double[]){0.02, 0.05}, 2);
    assert_ticks(0.4, 1700, (const double[]){0.1, 1, 10, 100, 1000, 10000}, 6);
    assert_ticks(5, 5, (const double[]){5, 10}, 2);
    assert_ticks(6, 6, (const double[]){5, 10}, 2);
}

static void what_has_no_logarithm_needs_no_axis(void **state) {
    (void)state;
    assert_ticks(0, 0, (const double[]){1, 2, 5, 10}, 4);
    assert_ticks(0, 7, (const double[]){5, 10}, 2);
    svg_log_axis axis = svg_log_axis_over(1, 10);
    assert_true(svg_log_axis_place(&axis, 0) == 0);
}

static void every_logarithmic_axis_holds_its_numbers(void **state) {
    (void)state;
    for (double min = 1e-7; min < 1e8; min *= 3.3) {
        for (double max = min; max < 1e9; max *= 2.7) {
            svg_log_axis axis = svg_log_axis_over(min, max);
            assert_in_range(axis.n_ticks, 2, SVG_TICKS_MAX);
            assert_true(axis.ticks[0] <= min * (1 + 1e-8));
            assert_true(axis.ticks[axis.n_ticks - 1] >= max * (1 - 1e-8));
            for (size_t i = 1; i < axis.n_ticks; i++) assert_true(axis.ticks[i] > axis.ticks[i - 1]);
            assert_true(svg_log_axis_place(&axis, max) <= 1 + 1e-8);
        }
    }
}

static void equal_ratios_are_equal_distances(void **state) {
    (void)state;
    svg_log_axis axis = svg_log_axis_over(1, 100);
    assert_true(fabs(svg_log_axis_place(&axis, 10) - 0.5) < 1e-12);
    assert_true(fabs(svg_log_axis_place(&axis, 100) - 1) < 1e-12);
    svg_axis linear = svg_axis_to(100);
    assert_true(fabs(svg_axis_place(&linear, 25) - 0.25) < 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(axes_have_round_steps),
        cmocka_unit_test(an_axis_without_a_range_goes_to_one),
        cmocka_unit_test(every_axis_holds_its_largest_number),
        cmocka_unit_test(a_logarithmic_axis_has_round_numbers),
        cmocka_unit_test(what_has_no_logarithm_needs_no_axis),
        cmocka_unit_test(every_logarithmic_axis_holds_its_numbers),
        cmocka_unit_test(equal_ratios_are_equal_distances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
