/* Figures: axes numbered as a person would, and files that hold whatever they are given. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lab/figure/svg_plot.h"

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
        assert_in_range(axis.n_steps, 1, SVG_STEPS_MAX);
        assert_true(axis.step * (double)axis.n_steps >= max * (1 - 1e-12));
    }
}

/* The caller frees. */
static char *drawn(const svg_plot *p) {
    char *svg = NULL;
    size_t n_bytes = 0;
    FILE *to = open_memstream(&svg, &n_bytes);
    assert_non_null(to);
    svg_plot_write(p, to);
    assert_int_equal(fclose(to), 0);
    return svg;
}

static svg_plot plot_of(const svg_series *series, size_t n_series, const svg_bar *bars, size_t n) {
    return (svg_plot){.title = "t", .subtitle = "s", .caption = "c", .curves_heading = "h",
                      .curves_x_name = "x", .series = series, .n_series = n_series,
                      .bars_heading = "b", .bars_x_name = "x", .bar_unit = "×", .bars = bars,
                      .n_bars = n};
}

static void assert_holds(const char *svg, const char *part) {
    if (!strstr(svg, part)) print_error("no %s in\n%s\n", part, svg);
    assert_non_null(strstr(svg, part));
}

static void texts_are_escaped(void **state) {
    (void)state;
    svg_plot p = plot_of(NULL, 0, NULL, 0);
    p.title = "a<b> & \"c\"\x01";
    p.subtitle = "no UTF-8: \xff, é";
    p.caption = "no XML: \xef\xbf\xbe\xef\xbf\xbf, \xef\xbf\xbd";
    char *svg = drawn(&p);
    assert_holds(svg, "<title>a&lt;b&gt; &amp; \"c\" </title>");
    assert_holds(svg, ">a&lt;b&gt; &amp; \"c\" </text>");
    assert_holds(svg, ">no UTF-8: \xef\xbf\xbd, é</text>");
    assert_holds(svg, ">no XML: \xef\xbf\xbd\xef\xbf\xbd, \xef\xbf\xbd</text>");
    free(svg);
}

static void curves_and_bars_end_where_their_axes_say(void **state) {
    (void)state;
    const svg_point up[] = {{0, 0}, {100, 50}}, dot[] = {{50, 25}};
    const svg_curve curves[] = {{up, 2}, {dot, 1}};
    const svg_series series[] = {{"one", curves, 2}, {"two", curves, 1}};
    const svg_bar bars[] = {{"half", 0.5}, {"long", 1234.5}};
    svg_plot p = plot_of(series, 2, bars, 2);
    char *svg = drawn(&p);
    assert_holds(svg, "<path class=\"s0\" d=\"M64.0,352.0L560.0,120.0\"/>");
    assert_holds(svg, "<path class=\"s0 dot\" d=\"M312.0,236.0h0\"/>");
    assert_holds(svg, "<path class=\"s1\" d=\"M64.0,352.0L560.0,120.0\"/>");
    assert_holds(svg, ">0.5×</text>");
    assert_holds(svg, ">1234×</text>");
    free(svg);
}

static void nothing_and_zeros_can_be_drawn(void **state) {
    (void)state;
    const svg_point zeros[] = {{0, 0}, {0, 0}};
    const svg_curve curves[] = {{zeros, 2}, {NULL, 0}};
    const svg_series series[] = {{"one", curves, 2}};
    const svg_bar bars[] = {{"none", 0}};
    const svg_plot plots[] = {plot_of(NULL, 0, NULL, 0), plot_of(series, 1, bars, 1)};
    for (size_t i = 0; i < 2; i++) {
        char *svg = drawn(&plots[i]);
        assert_null(strstr(svg, "nan"));
        assert_null(strstr(svg, "inf"));
        assert_holds(svg, "</svg>\n");
        free(svg);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(axes_have_round_steps),
        cmocka_unit_test(an_axis_without_a_range_goes_to_one),
        cmocka_unit_test(every_axis_holds_its_largest_number),
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(curves_and_bars_end_where_their_axes_say),
        cmocka_unit_test(nothing_and_zeros_can_be_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
