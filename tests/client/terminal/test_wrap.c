/* What wrap.h promises: however a text is cut into pieces, its lines are the same and none is too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "client/terminal/term.h"
#include "client/terminal/wrap.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* The text in pieces of at least n bytes, whole characters each. */
static void check(const char *text, size_t n_line, size_t n_piece, const char *expected) {
    wrap w = {.n_columns = 10};
    buffer out = {0};
    wrap_move(&w, n_line);
    for (const char *at = text; *at;) {
        char piece[256];
        size_t n = 0, n_cells;
        while (at[n] && n < n_piece) n += term_character(at + n, &n_cells);
        snprintf(piece, sizeof piece, "%.*s", (int)n, at);
        assert_int_equal(wrap_add(&w, piece, &out), STATUS_OK);
        at += n;
    }
    assert_int_equal(wrap_end(&w, &out), STATUS_OK);
    assert_int_equal(buffer_add(&out, "", 1), STATUS_OK);
    assert_string_equal(out.bytes, expected);
    buffer_clear(&out);
    wrap_clear(&w);
}

static void test_lines(void **state) {
    (void)state;
    static const struct { const char *text; size_t n_line; const char *expected; } cases[] = {
        {"", 0, ""},
        {"one two three", 0, "one two\nthree"},
        {"0123456789 x", 0, "0123456789\nx"},
        {"one  two   three", 0, "one  two\nthree"},
        {"one two three", 4, "one\ntwo three"},
        {"one", 8, "\none"},                        /* behind a prompt */
        {"one", 99, "\none"},                       /* behind one that is wider than the terminal */
        {"a \n\n  b", 0, "a\n\n  b"},
        {"a\tb\n\tc", 0, "a       b\n        c"},
        {"\n         indented", 0, "\nindented"},   /* so far that nothing else fits */
        {"ab 0123456789012 cd", 0, "ab\n0123456789\n012 cd"},
        {"\u6f22\u5b57\u304b\u306a\u4ea4\u3058", 0, "\u6f22\u5b57\u304b\u306a\u4ea4\n\u3058"},
        {"a\u6f22\u5b57\u304b\u306a\u4ea4", 0, "a\u6f22\u5b57\u304b\u306a\n\u4ea4"},
        {"123456789e\u0301 e\u0301", 0, "123456789e\u0301\ne\u0301"},   /* marks take no cells */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t n_piece = 1; n_piece < 20; n_piece++)
            check(cases[i].text, cases[i].n_line, n_piece, cases[i].expected);
}

static void test_something_else_is_shown_in_between(void **state) {
    (void)state;
    wrap w = {.n_columns = 10};
    buffer out = {0};
    assert_int_equal(wrap_add(&w, "one two thr", &out), STATUS_OK);
    assert_int_equal(out.n_bytes, strlen("one two"));
    wrap_move(&w, 0);                           /* the caller has ended the line */
    w.n_columns = 5;                            /* and it is narrower now */
    assert_int_equal(wrap_add(&w, "ee four", &out), STATUS_OK);
    assert_int_equal(wrap_end(&w, &out), STATUS_OK);
    assert_int_equal(buffer_add(&out, "", 1), STATUS_OK);
    assert_string_equal(out.bytes, "one twothree\nfour");
    buffer_clear(&out);
    wrap_clear(&w);
}

int main(void) {
    term_use_utf8();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_something_else_is_shown_in_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
