/* What composer.h promises: which lines are one message, and which blanks stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "client/chat/input/composer.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { MESSAGE_BYTES_MAX = 40, LINES_MAX = 6 };

typedef struct row {
    struct {
        line_kind kind;
        const char *text;
    } lines[LINES_MAX];         /* up to the first without text */
    const char *message;        /* NULL: it goes on */
    bool is_line;
} row;

static const row rows[] = {
    {{{LINE_TYPED, " Hello \t"}}, "Hello", true},
    {{{LINE_TYPED, "Hello\r"}}, "Hello", true},
    {{{LINE_TYPED, ""}}, "", true},
    {{{LINE_TYPED, "  /help"}}, "/help", true},
    /* a trailing \ */
    {{{LINE_TYPED, "one\\"}}, NULL, false},
    {{{LINE_TYPED, "  one \\"}, {LINE_TYPED, "  two\\\r"}, {LINE_TYPED, "three "}}, "  one \n  two\nthree", false},
    {{{LINE_TYPED, "\\"}, {LINE_TYPED, "/help"}}, "/help", false},
    {{{LINE_TYPED, "one\\ "}}, "one\\", true},
    {{{LINE_TYPED, "one\\"}, {LINE_TYPED, "\"\"\""}}, "one\n\"\"\"", false},
    /* in quotes */
    {{{LINE_TYPED, "\"\"\""}}, NULL, false},
    {{{LINE_TYPED, "\"\"\""}, {LINE_TYPED, "    a\\"}, {LINE_TYPED, ""}, {LINE_TYPED, "  b"}, {LINE_TYPED, "\"\"\""}},
     "    a\\\n\n  b", false},
    {{{LINE_TYPED, "  \"\"\" a"}, {LINE_TYPED, " b\"\"\" "}}, " a\n b", false},
    {{{LINE_TYPED, "\"\"\"quit\"\"\""}}, "quit", false},
    {{{LINE_TYPED, "\"\"\"\"\"\""}}, "", false},
    {{{LINE_TYPED, "say \"\"\""}}, "say \"\"\"", true},
    {{{LINE_TYPED, "\"\"\"a"}, {LINE_TYPED, "\"\"\"b"}, {LINE_TYPED, "\"\"\""}}, "a\n\"\"\"b", false},
    /* what is pasted is text */
    {{{LINE_GOES_ON, "    if x:"}, {LINE_GOES_ON, "\ty()\\"}, {LINE_PASTED, "/z\\"}}, "    if x:\n\ty()\\\n/z\\", false},
    {{{LINE_GOES_ON, "\"\"\"Doc.\"\"\"\na = 1"}, {LINE_PASTED, ""}}, "\"\"\"Doc.\"\"\"\na = 1", false},
    {{{LINE_GOES_ON, "\n \n  a\r"}, {LINE_TYPED, "  b"}}, "  a\r\n  b", false},
    {{{LINE_GOES_ON, "a"}, {LINE_TYPED, "b\\"}, {LINE_TYPED, "c"}}, "a\nb\nc", false},
    {{{LINE_PASTED, " /save x"}}, "/save x", true},
    {{{LINE_PASTED, "a\\"}}, "a\\", true},
    {{{LINE_TYPED, "\"\"\""}, {LINE_GOES_ON, "\"\"\""}, {LINE_PASTED, "\"\"\""}}, NULL, false},
    {{{LINE_TYPED, "\"\"\""}, {LINE_GOES_ON, "\"\"\""}, {LINE_TYPED, "\"\"\""}}, "\"\"\"", false},
    /* a message that was recalled */
    {{{LINE_TYPED, "\"\"\"a\n  b\\"}}, "\"\"\"a\n  b\\", false},
    {{{LINE_TYPED, "/help\n"}}, "/help", false},
};

static void test_which_lines_are_a_message(void **state) {
    (void)state;
    composer *c = composer_new(MESSAGE_BYTES_MAX);
    assert_non_null(c);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        composer_outcome outcome = COMPOSER_MORE;
        for (int at = 0; at < LINES_MAX && rows[i].lines[at].text; at++) {
            assert_int_equal(outcome, COMPOSER_MORE);
            const char *text = rows[i].lines[at].text;
            outcome = composer_add(c, rows[i].lines[at].kind, text, strlen(text));
        }
        assert_int_equal(composer_is_open(c), !rows[i].message);
        if (rows[i].message) {
            assert_int_equal(outcome, COMPOSER_WHOLE);
            composed said = composer_take(c);
            assert_string_equal(said.text, rows[i].message);
            assert_int_equal(said.n_bytes, strlen(rows[i].message));
            assert_int_equal(said.is_line, rows[i].is_line);
        } else {
            assert_int_equal(outcome, COMPOSER_MORE);
            composer_drop(c);
        }
    }
    composer_free(&c);
    assert_null(c);
}

static composer_outcome type(composer *c, const char *line) {
    return composer_add(c, LINE_TYPED, line, strlen(line));
}

static void test_the_end_of_the_input_ends_a_message(void **state) {
    (void)state;
    composer *c = composer_new(MESSAGE_BYTES_MAX);
    type(c, "\"\"\"a");
    assert_true(composer_is_quoted(c));
    type(c, "  b");
    composer_close(c);
    assert_false(composer_is_open(c));
    assert_string_equal(composer_take(c).text, "a\n  b");
    type(c, "a\\");
    assert_false(composer_is_quoted(c));
    composer_close(c);
    assert_string_equal(composer_take(c).text, "a");
    composer_free(&c);
}

static void test_what_is_too_long_is_told_once_and_left_out(void **state) {
    (void)state;
    char line[MESSAGE_BYTES_MAX + 2];
    memset(line, 'x', sizeof line);
    composer *c = composer_new(MESSAGE_BYTES_MAX);
    assert_int_equal(composer_add(c, LINE_TYPED, line, MESSAGE_BYTES_MAX + 1), COMPOSER_TOO_LONG);
    assert_false(composer_is_open(c));
    assert_int_equal(composer_add(c, LINE_TYPED, line, MESSAGE_BYTES_MAX), COMPOSER_WHOLE);
    assert_int_equal(composer_take(c).n_bytes, MESSAGE_BYTES_MAX);

    assert_int_equal(type(c, "\"\"\""), COMPOSER_MORE);
    assert_int_equal(composer_add(c, LINE_TYPED, line, MESSAGE_BYTES_MAX), COMPOSER_TOO_LONG);
    assert_true(composer_is_open(c));
    assert_int_equal(type(c, "more"), COMPOSER_MORE);
    assert_int_equal(type(c, "\"\"\""), COMPOSER_WHOLE);
    assert_int_equal(composer_take(c).n_bytes, 0);
    assert_int_equal(type(c, "next"), COMPOSER_WHOLE);
    assert_string_equal(composer_take(c).text, "next");
    composer_free(&c);
}

static void test_a_line_that_cannot_be_had(void **state) {
    (void)state;
    composer *c = composer_new(MESSAGE_BYTES_MAX);
    composer_spoil(c);                          /* was a message of its own */
    assert_int_equal(type(c, "a\\"), COMPOSER_MORE);
    composer_spoil(c);
    assert_int_equal(type(c, "b"), COMPOSER_WHOLE);
    assert_int_equal(composer_take(c).n_bytes, 0);
    assert_int_equal(type(c, "c"), COMPOSER_WHOLE);
    assert_string_equal(composer_take(c).text, "c");
    composer_free(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_lines_are_a_message),
        cmocka_unit_test(test_the_end_of_the_input_ends_a_message),
        cmocka_unit_test(test_what_is_too_long_is_told_once_and_left_out),
        cmocka_unit_test(test_a_line_that_cannot_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
