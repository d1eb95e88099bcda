/* Lines come out whole and in order, however the bytes come in; one that is too long costs itself only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/terminal/lines.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { LINE_BYTES_MAX = 8 };

/* Every line that is there now, each followed by '|'; one that is too long is "!". */
static void take_all(lines *l, char *out) {
    const char *line;
    size_t n_bytes;
    for (lines_outcome o; (o = lines_next(l, &line, &n_bytes)) != LINES_NONE;) {
        if (o == LINES_LINE) strncat(out, line, n_bytes);
        strcat(out, o == LINES_LINE ? "|" : "!|");
    }
}

/* Feed `text` in pieces of n_piece bytes and end it. */
static void assert_lines(const char *text, size_t n_piece, const char *expected) {
    char out[256] = "";
    lines *l = lines_new(LINE_BYTES_MAX);
    assert_non_null(l);
    for (size_t at = 0; at < strlen(text); at += n_piece) {
        size_t n_left = strlen(text) - at;
        assert_int_equal(lines_add(l, text + at, n_left < n_piece ? n_left : n_piece), STATUS_OK);
        take_all(l, out);
    }
    lines_end(l);
    take_all(l, out);
    assert_string_equal(out, expected);
    lines_free(&l);
    assert_null(l);
}

static void any_pieces(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", ""},
        {"one\n", "one|"},
        {"one\ntwo", "one|two|"},
        {"\n\nx\n", "||x|"},
        {"12345678\n9\n", "12345678|9|"},
        {"123456789\n9\n", "!|9|"},
        {"a\n123456789012345678901234567890\nb\n", "a|!|b|"},
        {"1234567890", "!|"},
        {"123456789012\n123456789012\nx", "!|!|x|"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t n_piece = 1; n_piece <= strlen(cases[i].text) + 1; n_piece++) {
            assert_lines(cases[i].text, n_piece, cases[i].expected);
        }
    }
}

/* A line is there as soon as its newline is, not only at the end of the input. */
static void lines_do_not_wait(void **state) {
    (void)state;
    char out[64] = "";
    lines *l = lines_new(LINE_BYTES_MAX);
    assert_non_null(l);
    lines_add(l, "one\ntw", 6);
    take_all(l, out);
    assert_string_equal(out, "one|");
    lines_add(l, "o\n", 2);
    take_all(l, out);
    assert_string_equal(out, "one|two|");
    lines_free(&l);
}

/* Too long is told once the bound is passed: what is dropped never piles up. */
static void too_long_is_told_at_once(void **state) {
    (void)state;
    const char *line;
    size_t n_bytes;
    lines *l = lines_new(LINE_BYTES_MAX);
    assert_non_null(l);
    lines_add(l, "123456789", 9);
    assert_int_equal(lines_next(l, &line, &n_bytes), LINES_TOO_LONG);
    lines_add(l, "0123\nnext\n", 10);
    assert_int_equal(lines_next(l, &line, &n_bytes), LINES_LINE);
    assert_int_equal(n_bytes, 4);
    assert_memory_equal(line, "next", 4);
    lines_free(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_pieces),
        cmocka_unit_test(lines_do_not_wait),
        cmocka_unit_test(too_long_is_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
