/* What a person sees: aligned tables, bars, quoted text. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/term.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* A stream that writes to memory; close_and_compare frees it. */
static char *written;
static size_t n_written;

static FILE *open_memory(void) {
    FILE *stream = open_memstream(&written, &n_written);
    assert_non_null(stream);
    return stream;
}

static void close_and_compare(FILE *stream, const char *expected) {
    fclose(stream);
    assert_string_equal(written, expected);
    free(written);
}

static void columns_fit_their_widest_cell(void **state) {
    (void)state;
    table *t = table_new(3);
    table_align_right(t, 1);
    static const char *const cells[] = {"name", "n", "text", "é", "1000", "", "longer", "7", "x y"};
    for (size_t i = 0; i < 9; i++) table_cell(t, "%s", cells[i]);
    FILE *stream = open_memory();
    table_print(t, stream);
    close_and_compare(stream, "name       n  text\né       1000  \nlonger     7  x y\n");
    table_free(&t);
    assert_null(t);
}

static void an_empty_table_prints_nothing(void **state) {
    (void)state;
    table *t = table_new(2);
    FILE *stream = open_memory();
    table_print(t, stream);
    close_and_compare(stream, "");
    table_free(&t);
}

static void bars(void **state) {
    (void)state;
    FILE *stream = open_memory();
    term_bar(stream, 0.024, false);
    term_bar(stream, 0.025, false);
    fputs(" ", stream);
    term_bar(stream, 0.111428611, false);
    close_and_compare(stream, "█ ████");
    stream = open_memory();
    term_bar(stream, 1, false);
    fclose(stream);
    assert_int_equal(term_width(written), BAR_CELLS);
    free(written);
    stream = open_memory();
    term_bar(stream, (double)INFINITY, false);
    term_bar(stream, (double)NAN, false);
    term_bar(stream, -1, false);
    fclose(stream);
    assert_int_equal(term_width(written), BAR_CELLS);       /* what a sampler may claim */
    free(written);
}

static void no_colour_outside_a_terminal(void **state) {
    (void)state;
    FILE *stream = tmpfile();
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    assert_false(term_has_colour(stream));
    fclose(stream);
}

static void assert_quoted(const char *bytes, size_t n_bytes, const char *expected) {
    char *quoted = term_quote((const uint8_t *)bytes, n_bytes);
    assert_string_equal(quoted, expected);
    free(quoted);
}

static void quoting_shows_what_a_terminal_would_obey(void **state) {
    (void)state;
    assert_quoted("", 0, "\"\"");
    assert_quoted(" é", 3, "\" é\"");
    assert_quoted("a\n\t\"\\", 5, "\"a\\n\\t\\\"\\\\\"");
    assert_quoted("\033[31m", 5, "\"\\x1b[31m\"");
    assert_quoted("\xc3", 1, "\"\\xc3\"");
    assert_quoted("a\0b", 3, "\"a\\x00b\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_fit_their_widest_cell),
        cmocka_unit_test(an_empty_table_prints_nothing),
        cmocka_unit_test(bars),
        cmocka_unit_test(no_colour_outside_a_terminal),
        cmocka_unit_test(quoting_shows_what_a_terminal_would_obey),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
