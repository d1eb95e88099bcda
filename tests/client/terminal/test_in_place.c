/* Lines that are drawn over, on terminals of several sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/terminal/in_place.h"
#include "client/terminal/term.h"
#include "tests/support/terminal/pseudo_terminal.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

#define BEGIN "\033[?7l"        /* what stands around the lines, and before each */
#define LINE "\033[K"
#define END "\033[J\033[?7h"

static void assert_printed(in_place *p, const char *lines, const char *expected) {
    char *printed = NULL;
    size_t n_printed = 0;
    FILE *to = open_memstream(&printed, &n_printed);
    in_place_print(p, to, lines);
    fclose(to);
    assert_string_equal(printed, expected);
    free(printed);
}

static void lines_lie_over_the_last_ones(void **state) {
    (void)state;
    in_place p = {.fd = pseudo_terminal};
    pseudo_terminal_resize(24, 80);
    assert_printed(&p, "a\nb\nc\n", BEGIN LINE "a\n" LINE "b\n" LINE "c\n" END);
    assert_printed(&p, "d\n", "\033[3A" BEGIN LINE "d\n" END);
    assert_printed(&p, "e\nf\n", "\033[1A" BEGIN LINE "e\n" LINE "f\n" END);
}

static void a_low_terminal_gets_the_first_lines(void **state) {
    (void)state;
    in_place p = {.fd = pseudo_terminal};
    pseudo_terminal_resize(3, 80);
    assert_printed(&p, "a\nb\nc\nd\n", BEGIN LINE "a\n" LINE "b\n" END);
    pseudo_terminal_resize(24, 80);
    assert_printed(&p, "a\nb\nc\nd\n", "\033[2A" BEGIN LINE "a\n" LINE "b\n" LINE "c\n" LINE "d\n"
                   END);
    pseudo_terminal_resize(2, 80);
    assert_printed(&p, "a\nb\n", "\033[1A" BEGIN LINE "a\n" END);
    pseudo_terminal_resize(1, 80);
    assert_printed(&p, "a\nb\n", "\033[1A" BEGIN LINE "a\n" END);
}

static void a_narrow_terminal_gets_the_beginning_of_a_line(void **state) {
    (void)state;
    in_place p = {.fd = pseudo_terminal};
    pseudo_terminal_resize(24, 10);
    assert_printed(&p, "0123456789\n0123456789a\n", BEGIN LINE "0123456789\n" LINE "012345678…\n"
                   END);
}

/* What was drawn at 10 columns stands in more rows at 4: its lines are broken there. */
static void what_became_too_long_stands_in_more_rows(void **state) {
    (void)state;
    in_place p = {.fd = pseudo_terminal};
    pseudo_terminal_resize(24, 10);
    assert_printed(&p, "0123456789\n日本\n\n01234\n", BEGIN LINE "0123456789\n" LINE "日本\n" LINE "\n" LINE
                   "01234\n" END);
    pseudo_terminal_resize(24, 4);
    assert_printed(&p, "ab\n", "\033[7A" BEGIN LINE "ab\n" END);
    pseudo_terminal_resize(24, 10);
    assert_printed(&p, "0123456789abc\n", "\033[1A" BEGIN LINE "012345678…\n" END);
    pseudo_terminal_resize(3, 2);
    assert_printed(&p, "ab\n", "\033[2A" BEGIN LINE "ab\n" END);     /* what is above scrolled away */
}

static void what_was_left_is_not_drawn_over(void **state) {
    (void)state;
    in_place p = {.fd = pseudo_terminal};
    pseudo_terminal_resize(24, 80);
    assert_printed(&p, "a\nb\n", BEGIN LINE "a\n" LINE "b\n" END);
    in_place_leave(&p);
    assert_printed(&p, "c\n", BEGIN LINE "c\n" END);
    assert_printed(&p, "d\n", "\033[1A" BEGIN LINE "d\n" END);
}

static void who_does_not_say_has_the_usual_size(void **state) {
    (void)state;
    in_place p = {.fd = pseudo_terminal};
    pseudo_terminal_resize(0, 0);
    assert_int_equal(in_place_columns(&p), 80);
    assert_printed(&p, "a\n", BEGIN LINE "a\n" END);
    pseudo_terminal_resize(24, 37);
    assert_int_equal(in_place_columns(&p), 37);
    in_place none = {.fd = -1};
    assert_int_equal(in_place_columns(&none), 80);
}

static void some_terminals_do_not_move_their_cursor(void **state) {
    (void)state;
    setenv("TERM", "xterm", 1);
    assert_true(in_place_works(pseudo_terminal));
    assert_false(in_place_works(-1));
    setenv("TERM", "dumb", 1);
    assert_false(in_place_works(pseudo_terminal));
    unsetenv("TERM");
    assert_false(in_place_works(pseudo_terminal));
}

int main(void) {
    term_use_utf8();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_lie_over_the_last_ones),
        cmocka_unit_test(a_low_terminal_gets_the_first_lines),
        cmocka_unit_test(a_narrow_terminal_gets_the_beginning_of_a_line),
        cmocka_unit_test(what_became_too_long_stands_in_more_rows),
        cmocka_unit_test(what_was_left_is_not_drawn_over),
        cmocka_unit_test(some_terminals_do_not_move_their_cursor),
        cmocka_unit_test(who_does_not_say_has_the_usual_size),
    };
    return cmocka_run_group_tests(tests, pseudo_terminal_open, pseudo_terminal_close);
}
