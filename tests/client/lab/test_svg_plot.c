/* Figures: files that hold whatever they are given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lab/figure/svg_plot.h"
#include "client/terminal/term.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

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
                      .bars_heading = "b", .bars_names = "n", .bar_unit = "×", .bars = bars,
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

/* The scale goes from 1 to 100: 10 lies in its middle. */
static void curves_and_bars_end_where_their_axes_say(void **state) {
    (void)state;
    const svg_point up[] = {{0, 1}, {100, 100}}, dot[] = {{50, 10}};
    const svg_curve curves[] = {{up, 2}, {dot, 1}};
    const svg_series series[] = {{"one", "dots of it", curves, 2}, {"two", NULL, curves, 1}};
    const svg_bar bars[] = {{"half", 0.5}, {"long", 1234.5}};
    svg_plot p = plot_of(series, 2, bars, 2);
    char *svg = drawn(&p);
    assert_holds(svg, "<path class=\"s0\" d=\"M64.0,372.0L560.0,138.0\"/>");
    assert_holds(svg, "<circle class=\"s0 dot\" cx=\"312.0\" cy=\"255.0\" r=\"4.5\"/>");
    assert_holds(svg, "<path class=\"s1\" d=\"M64.0,372.0L560.0,138.0\"/>");
    assert_holds(svg, ">dots of it</text>");
    assert_holds(svg, ">0.5×</text>");
    assert_holds(svg, ">1234×</text>");
    free(svg);
}

static void a_text_that_is_too_long_is_cut(void **state) {
    (void)state;
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const svg_bar bars[] = {{name, 1}};
    svg_plot p = plot_of(NULL, 0, bars, 1);
    p.subtitle = p.curves_heading = name;
    char *svg = drawn(&p);
    assert_holds(svg, ">nnnnnnnnnnn\u2026</text>");          /* twelve letters, of a bar */
    assert_null(strstr(svg, name));
    free(svg);
}

static void nothing_and_zeros_can_be_drawn(void **state) {
    (void)state;
    const svg_point zeros[] = {{0, 0}, {0, 0}};
    const svg_curve curves[] = {{zeros, 2}, {NULL, 0}};
    const svg_series series[] = {{"one", NULL, curves, 2}};
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
    term_use_utf8();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(curves_and_bars_end_where_their_axes_say),
        cmocka_unit_test(a_text_that_is_too_long_is_cut),
        cmocka_unit_test(nothing_and_zeros_can_be_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
