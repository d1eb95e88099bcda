/* Texts side by side: where lines break, how columns share a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/terminal/columns.h"
#include "client/terminal/term.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void assert_layout(size_t n, size_t n_line, size_t n_min, size_t n_side, size_t n_cells) {
    columns_layout layout = columns_fit(n, n_line, n_min);
    assert_int_equal(layout.n_side, n_side);
    assert_int_equal(layout.n_cells, n_cells);
    assert_true(n_side * n_cells + (n_side - 1) * COLUMNS_GAP <= n_line || n_side == 1);
}

static void columns_share_a_line_in_even_bands(void **state) {
    (void)state;
    assert_layout(5, 80, 14, 5, 14);
    assert_layout(5, 77, 14, 3, 24);        /* 3 + 2, not 4 + 1 */
    assert_layout(5, 120, 14, 5, 22);
    assert_layout(6, 80, 14, 3, 25);
    assert_layout(2, 80, 14, 2, 39);
    assert_layout(1, 80, 14, 1, 80);
    assert_layout(5, 10, 14, 1, 10);
    assert_layout(5, 1, 14, 1, 2);
    assert_layout(40, 10000, 14, 14, 712);  /* 14 + 14 + 12: 16 are the most */
}

static void assert_lines(const char *text, size_t n_cells, const char *expected) {
    char lines[256] = "";
    while (*text) {
        column_line line = columns_line(text, n_cells);
        assert_true(line.n_taken > 0);
        assert_true(line.n_cells <= n_cells);
        strncat(lines, text, line.n_bytes);
        assert_int_equal(line.n_cells, term_width(lines + strlen(lines) - line.n_bytes));
        strcat(lines, "|");
        text += line.n_taken;
    }
    assert_string_equal(lines, expected);
}

static void lines_break_at_blanks_else_between_characters(void **state) {
    (void)state;
    assert_lines("", 5, "");
    assert_lines("one two", 7, "one two|");
    assert_lines("one two", 6, "one|two|");
    assert_lines("one two three", 7, "one two|three|");
    assert_lines("one   two", 5, "one|two|");
    assert_lines("incomprehensible", 6, "incomp|rehens|ible|");
    assert_lines("an incomprehensible", 6, "an|incomp|rehens|ible|");
    assert_lines("one,two,three", 9, "one,two,|three|");
    assert_lines("one, two,three", 11, "one,|two,three|");
    assert_lines(" word", 5, " word|");
    assert_lines(" word", 4, " wor|d|");
    assert_lines("a\nb\n\nc\n", 5, "a|b||c|");
    assert_lines("abcde\nf", 5, "abcde|f|");
    assert_lines("abcde ", 5, "abcde|");
    assert_lines("日本語だ", 5, "日本|語だ|");
    assert_lines("ab\u0301cd", 3, "ab\u0301c|d|");
    assert_lines("🙂🙂", 2, "🙂|🙂|");
}

static void assert_printed(const char *const *texts, size_t n, size_t n_cells, const char *style,
                           const char *expected) {
    char *written;
    size_t n_written;
    FILE *to = open_memstream(&written, &n_written);
    columns_print(to, texts, n, n_cells, style);
    fclose(to);
    assert_string_equal(written, expected);
    free(written);
}

static void columns_stand_side_by_side(void **state) {
    (void)state;
    const char *texts[] = {"one two", "", "日本 x y z"};
    assert_printed(texts, 3, 4, NULL, "one         日本\ntwo         x y\n            z\n");
    assert_printed(texts, 1, 4, "<", "<one\033[0m\n<two\033[0m\n");
    assert_printed(texts + 1, 1, 4, NULL, "");
    assert_printed((const char *[]){"a\n\nb", "c"}, 2, 3, NULL, "a    c\n\nb\n");
}

int main(void) {
    term_use_utf8();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_share_a_line_in_even_bands),
        cmocka_unit_test(lines_break_at_blanks_else_between_characters),
        cmocka_unit_test(columns_stand_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
