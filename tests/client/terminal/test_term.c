/* What a person sees: cells, bars, quoted text. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/terminal/term.h"

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

static void a_wide_character_takes_two_cells(void **state) {
    (void)state;
    assert_int_equal(term_width(""), 0);
    assert_int_equal(term_width("naïve"), 5);
    assert_int_equal(term_width("日本"), 4);
    assert_int_equal(term_width("🙂!"), 3);
    assert_int_equal(term_width("e\u0301"), 1);
    assert_int_equal(term_width("a\xff"), 2);
}

static void a_text_is_cut_between_characters(void **state) {
    (void)state;
    static const struct { const char *text; size_t n_cells, n_bytes, width; } cases[] = {
        {"abc", 5, 3, 3}, {"abc", 2, 2, 2}, {"abc", 0, 0, 0}, {"日本", 3, 3, 2}, {"日本", 4, 6, 4},
        {"日", 1, 0, 0}, {"e\u0301x", 1, 3, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t width;
        assert_int_equal(term_fit(cases[i].text, cases[i].n_cells, &width), cases[i].n_bytes);
        assert_int_equal(width, cases[i].width);
    }
}

static void assert_cell(const char *text, size_t n_cells, const char *expected) {
    FILE *stream = open_memory();
    term_cell(stream, text, n_cells);
    close_and_compare(stream, expected);
}

static void a_cell_is_just_so_wide(void **state) {
    (void)state;
    assert_cell("ab", 4, "ab  ");
    assert_cell("abcd", 4, "abcd");
    assert_cell("abcde", 4, "abc…");
    assert_cell("日本語", 6, "日本語");
    assert_cell("日本語", 5, "日本…");
    assert_cell("日本語", 4, "日… ");
    assert_cell("a", 1, "a");
    assert_cell("ab", 1, "…");
}

static void assert_line(const char *text, size_t n_columns, const char *expected) {
    FILE *stream = open_memory();
    term_line(stream, text, n_columns);
    close_and_compare(stream, expected);
}

static void a_line_is_no_longer_than_told(void **state) {
    (void)state;
    assert_line("", 4, "");
    assert_line("abcd", 4, "abcd");
    assert_line("abcde", 4, "abc…");
    assert_line("abcd\nefgh", 4, "abcd");
    assert_line("abcde\nfgh", 4, "abc…");
    assert_line("日本", 4, "日本");
    assert_line("日本語", 4, "日…");
    assert_line("日本語", 5, "日本…");
    assert_line("ab", 1, "…");
    assert_line(TERM_DIM "abcd" TERM_PLAIN, 4, TERM_DIM "abcd" TERM_PLAIN);
    assert_line(TERM_DIM "abcde" TERM_PLAIN "f", 4, TERM_DIM "abc…" TERM_PLAIN);
    assert_line("abc" TERM_CYAN "de" TERM_PLAIN, 4, "abc" TERM_CYAN "…" TERM_PLAIN);
}

static void the_columns_of_a_file_are_those_told(void **state) {
    (void)state;
    FILE *stream = tmpfile();
    unsetenv("COLUMNS");
    assert_int_equal(term_columns(stream), 80);
    setenv("COLUMNS", "132", 1);
    assert_int_equal(term_columns(stream), 132);
    static const char *const wrong[] = {"0", "-3", "wide", "", "99999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv("COLUMNS", wrong[i], 1);
        assert_int_equal(term_columns(stream), 80);
    }
    unsetenv("COLUMNS");
    fclose(stream);
}

static void plain_text_has_lines_and_nothing_to_obey(void **state) {
    (void)state;
    static const struct { const char *bytes; size_t n_bytes; const char *expected; } cases[] = {
        {"", 0, ""}, {"a\tb\nc", 5, "a b\nc"}, {"\033[2J\r", 5, "\\x1b[2J\\x0d"}, {"a\0b", 3, "a\\x00b"},
        {"\xc2\x9b" "2J", 4, "\\xc2\\x9b2J"}, {"\xc2\xa0", 2, "\xc2\xa0"}, {"é\xc3", 3, "é\uFFFD"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *plain = term_plain((const uint8_t *)cases[i].bytes, cases[i].n_bytes);
        assert_non_null(plain);
        assert_string_equal(plain, cases[i].expected);
        free(plain);
    }
    char *harmless = term_harmless((const uint8_t *)"a\tb\033", 4);
    assert_non_null(harmless);
    assert_string_equal(harmless, "a\tb\\x1b");
    free(harmless);
}

static void bars(void **state) {
    (void)state;
    FILE *stream = open_memory();
    term_bar(stream, 0.024, BAR_CELLS, false);
    term_bar(stream, 0.025, BAR_CELLS, false);
    fputs(" ", stream);
    term_bar(stream, 0.111428611, BAR_CELLS, false);
    close_and_compare(stream, "█ ████");
    stream = open_memory();
    term_bar(stream, 0.99, 10, false);
    term_bar(stream, 0.09, 10, false);
    term_bar(stream, 1, 0, false);
    close_and_compare(stream, "█████████");
    stream = open_memory();
    term_bar(stream, 1, BAR_CELLS, false);
    fclose(stream);
    assert_int_equal(term_width(written), BAR_CELLS);
    free(written);
    stream = open_memory();
    term_bar(stream, (double)INFINITY, BAR_CELLS, false);
    term_bar(stream, (double)NAN, BAR_CELLS, false);
    term_bar(stream, -1, BAR_CELLS, false);
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
    assert_non_null(quoted);
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
    assert_quoted("\xc2\x9bm", 3, "\"\\xc2\\x9bm\"");
    assert_quoted("\xc2\xa9", 2, "\"©\"");
    assert_quoted("\u202ea\u2069\u200f", 10, "\"\\xe2\\x80\\xaea\\xe2\\x81\\xa9\u200f\"");
}

int main(void) {
    term_use_utf8();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wide_character_takes_two_cells),
        cmocka_unit_test(a_text_is_cut_between_characters),
        cmocka_unit_test(a_cell_is_just_so_wide),
        cmocka_unit_test(a_line_is_no_longer_than_told),
        cmocka_unit_test(the_columns_of_a_file_are_those_told),
        cmocka_unit_test(plain_text_has_lines_and_nothing_to_obey),
        cmocka_unit_test(bars),
        cmocka_unit_test(no_colour_outside_a_terminal),
        cmocka_unit_test(quoting_shows_what_a_terminal_would_obey),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
