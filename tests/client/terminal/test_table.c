/* Tables: as wide as their cells where there is room, in pieces or as lists where there is not. */
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/terminal/table.h"
#include "client/terminal/term.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* A table of rows of n_columns cells; a NULL ends them. The second column is one of numbers. */
static table *table_of(size_t n_columns, const char *const *cells) {
    table *t = table_new(n_columns);
    assert_non_null(t);
    if (n_columns > 1) table_align_right(t, 1);
    for (; *cells; cells++) table_cell(t, "%s", *cells);
    return t;
}

static void assert_within(size_t n_columns, const char *const *cells, size_t n_line, const char *expected) {
    char *written;
    size_t n_written;
    table *t = table_of(n_columns, cells);
    FILE *to = open_memstream(&written, &n_written);
    assert_non_null(to);
    if (n_line > 0) table_print_within(t, to, n_line);
    else table_print(t, to);
    fclose(to);
    assert_string_equal(written, expected);
    free(written);
    table_free(&t);
    assert_null(t);
}

static void columns_fit_their_widest_cell(void **state) {
    (void)state;
    const char *const cells[] = {"name", "n", "text", "é", "1000", "", "longer", "7", "x y", NULL};
    assert_within(3, cells, 0, "name       n  text\né       1000\nlonger     7  x y\n");
    const char *const wide[] = {"日本", "1", "abc", "2", NULL};
    assert_within(2, wide, 0, "日本  1\nabc   2\n");
}

static void no_cell_reorders_its_row(void **state) {
    (void)state;
    const char *const cells[] = {"a\u202eb", "1", "\u2067", "2", NULL};
    assert_within(2, cells, 0, "a\ufffdb  1\n\ufffd    2\n");
}

static void no_line_ends_in_blanks(void **state) {
    (void)state;
    const char *const cells[] = {"a", "b", "c", "", "", "", "long", "", "", "", "", "long", "last", NULL};
    assert_within(3, cells, 0, "a     b  c\n\nlong\n         long\nlast\n");   /* its last row has one cell */
}

static void an_empty_table_prints_nothing(void **state) {
    (void)state;
    const char *const none[] = {NULL};
    assert_within(2, none, 0, "");
    assert_within(2, none, 4, "");
}

static const char *const daemons[] = {"daemon", "pid", "state", "model",  "tokenizerd",     "17",
                                      "ready",  "-",   "modeld", "4711", "loading a model", "日本語, x1", NULL};

static void what_does_not_fit_follows_below(void **state) {
    (void)state;
    assert_within(4, daemons, 45, "daemon       pid  state            model\n"
                                  "tokenizerd    17  ready            -\n"
                                  "modeld      4711  loading a model  日本語, x1\n");
    assert_within(4, daemons, 44, "daemon       pid  state\n"
                                  "tokenizerd    17  ready\n"
                                  "modeld      4711  loading a model\n"
                                  "\n"
                                  "daemon      model\n"
                                  "tokenizerd  -\n"
                                  "modeld      日本語, x1\n");
}

static void a_cell_that_fits_nowhere_goes_on_in_the_next_line(void **state) {
    (void)state;
    const char *const cells[] = {"id", "n",  "strategy", "3f2a",
                                 "12", "[{\"top_k\":40},{\"temperature\":0.8},{\"top_p\":0.9}]", NULL};
    assert_within(3, cells, 40, "id     n\n"
                                "3f2a  12\n"
                                "\n"
                                "id    strategy\n"
                                "3f2a  [{\"top_k\":40},{\"temperature\":0.8},\n"
                                "      {\"top_p\":0.9}]\n");
}

static void a_narrow_line_makes_lists(void **state) {
    (void)state;
    assert_within(4, daemons, 20, "daemon  tokenizerd\n"
                                  "pid     17\n"
                                  "state   ready\n"
                                  "model   -\n"
                                  "\n"
                                  "daemon  modeld\n"
                                  "pid     4711\n"
                                  "state   loading a\n"
                                  "        model\n"
                                  "model   日本語, x1\n");
    const char *const cells[] = {"daemon", "pid", "modeld", "123456", NULL};
    assert_within(2, cells, 6, "daemon\n  mode\n  ld\npid\n  1234\n  56\n");
    assert_within(2, cells, 2, "da\nem\non\nmo\nde\nld\npi\nd\n12\n34\n56\n");
}

/* No line is wider than it may be, and all is there. */
static void every_width_holds_everything(void **state) {
    (void)state;
    for (size_t n_line = 2; n_line < 60; n_line++) {
        char *written;
        size_t n_written;
        table *t = table_of(4, daemons);
        FILE *to = open_memstream(&written, &n_written);
        table_print_within(t, to, n_line);
        fclose(to);
        size_t n_letters = 0;
        for (char *line = strtok(written, "\n"); line; line = strtok(NULL, "\n")) {
            assert_true(term_width(line) <= n_line);
            assert_true(line[strlen(line) - 1] != ' ');
            for (const char *at = line; *at; at++) n_letters += *at == 'o';
        }
        assert_true(n_letters >= 6);            /* "daemon", "tokenizerd", "modeld", "model", "loading a model" */
        free(written);
        table_free(&t);
    }
}

static void rows_come_one_by_one(void **state) {
    (void)state;
    int ends[2];
    const struct winsize sizes[] = {{.ws_row = 24, .ws_col = 80}, {.ws_row = 24, .ws_col = 14}};
    const char *const expected[] = {"name  n\r\na     1\r\nb     2\r\n",
                                    "name\r\n  a\r\nn\r\n  123456789\r\n\r\nname\r\n  b\r\nn\r\n  2\r\n"};
    const char *const numbers[] = {"1", "123456789"};
    unsetenv("COLUMNS");
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(openpty(&ends[0], &ends[1], NULL, NULL, &sizes[i]), 0);
        FILE *to = fdopen(ends[1], "w");
        const char *const first[] = {"name", "n", "a", numbers[i], NULL};
        table *t = table_of(2, first);
        table_print_new(t, to);
        table_cell(t, "b");
        table_cell(t, "2");
        table_print_new(t, to);
        table_print_new(t, to);                 /* none is new */
        char written[256] = "";
        for (size_t n = 0; n < strlen(expected[i]);) {          /* a terminal takes them line by line */
            ssize_t n_more = read(ends[0], written + n, sizeof written - 1 - n);
            assert_true(n_more > 0);
            n += (size_t)n_more;
        }
        assert_string_equal(written, expected[i]);
        table_free(&t);
        fclose(to);
        close(ends[0]);
    }
}

int main(void) {
    term_use_utf8();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_fit_their_widest_cell),
        cmocka_unit_test(no_cell_reorders_its_row),
        cmocka_unit_test(no_line_ends_in_blanks),
        cmocka_unit_test(an_empty_table_prints_nothing),
        cmocka_unit_test(what_does_not_fit_follows_below),
        cmocka_unit_test(a_cell_that_fits_nowhere_goes_on_in_the_next_line),
        cmocka_unit_test(a_narrow_line_makes_lists),
        cmocka_unit_test(every_width_holds_everything),
        cmocka_unit_test(rows_come_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
