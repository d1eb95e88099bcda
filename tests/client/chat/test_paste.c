/* What paste.h promises: where a paste begins and ends, in pieces of any size, and what of it is text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/chat/input/paste.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { TEXT_MAX = 100 };

static void test_where_one_begins(void **state) {
    (void)state;
    assert_int_equal(paste_sign_of("\033", 1), PASTE_PERHAPS);
    assert_int_equal(paste_sign_of("\033[200", 5), PASTE_PERHAPS);
    assert_int_equal(paste_sign_of("\033[200~x", 7), PASTE_BEGINS);
    assert_int_equal(paste_sign_of("\033[2~", 4), PASTE_NOT);
    assert_int_equal(paste_sign_of("\033\033[200~", 7), PASTE_NOT);
    assert_int_equal(paste_sign_of("x", 1), PASTE_NOT);
}

typedef struct row {
    const char *bytes, *text;
    size_t n_lines_bytes, n_keys;
} row;

static const row rows[] = {
    {"one\033[201~", "one", 0, 0},
    {"one\ntwo\rthree\r\nfour\033[201~\r", "one\ntwo\nthree\nfour", 14, 1},
    {"\r\r\n\n\033[201~", "\n\n\n", 3, 0},
    {"\tif x:\n\t\ty()\n\033[201~more", "\tif x:\n\t\ty()\n", 13, 4},
    {"a\003b\004c\032d\033[31me\177\033[201~", "abcd[31me", 0, 0},
    {"\033[20\033[201\033\033[201~", "[20[201", 0, 0},
    {"\033[200~\033[201~", "[200~", 0, 0},
    {"\xc3\xa4\xe6\xbc\xa2\n\033[201~", "\xc3\xa4\xe6\xbc\xa2\n", 6, 0},
};

static void test_what_of_it_is_text(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t step = 1; step <= strlen(rows[i].bytes); step++) {
            paste *p = paste_new(TEXT_MAX);
            assert_non_null(p);
            paste_begin(p);
            size_t at = 0, n_taken = 0, n_all = strlen(rows[i].bytes);
            for (; at < n_all && paste_is_open(p); at += n_taken) {
                size_t n = step < n_all - at ? step : n_all - at;
                assert_int_equal(paste_add(p, rows[i].bytes + at, n, &n_taken), STATUS_OK);
            }
            assert_false(paste_is_open(p));
            assert_int_equal(n_all - at, rows[i].n_keys);
            size_t n_bytes, n_lines_bytes;
            const char *text = paste_text(p, &n_bytes, &n_lines_bytes);
            assert_int_equal(n_bytes, strlen(rows[i].text));
            assert_memory_equal(text, rows[i].text, n_bytes);
            assert_int_equal(n_lines_bytes, rows[i].n_lines_bytes);
            paste_free(&p);
            assert_null(p);
        }
    }
}

static size_t add(paste *p, const char *bytes, status expected) {
    size_t n_taken;
    assert_int_equal(paste_add(p, bytes, strlen(bytes), &n_taken), expected);
    return n_taken;
}

static void test_lines_are_taken_as_they_come(void **state) {
    (void)state;
    paste *p = paste_new(TEXT_MAX);
    assert_non_null(p);
    size_t n_bytes, n_lines_bytes;
    paste_begin(p);
    add(p, "one\ntw", STATUS_OK);
    paste_text(p, &n_bytes, &n_lines_bytes);
    assert_int_equal(n_lines_bytes, 4);
    paste_take(p, n_lines_bytes);
    add(p, "o\n", STATUS_OK);
    assert_memory_equal(paste_text(p, &n_bytes, &n_lines_bytes), "two\n", 4);
    assert_int_equal(n_lines_bytes, 4);
    paste_take(p, 4);
    add(p, "three", STATUS_OK);
    paste_end(p);
    assert_false(paste_is_open(p));
    paste_text(p, &n_bytes, &n_lines_bytes);
    assert_int_equal(n_bytes, 5);
    assert_int_equal(n_lines_bytes, 0);
    paste_begin(p);
    paste_text(p, &n_bytes, &n_lines_bytes);
    assert_int_equal(n_bytes, 0);
    paste_free(&p);
}

static void test_an_end_may_have_begun(void **state) {
    (void)state;
    paste *p = paste_new(TEXT_MAX);
    assert_non_null(p);
    paste_begin(p);
    add(p, "one", STATUS_OK);
    assert_false(paste_is_ending(p));
    add(p, "\033[20", STATUS_OK);
    assert_true(paste_is_ending(p));
    add(p, "0", STATUS_OK);
    assert_false(paste_is_ending(p));
    add(p, "\033[201~", STATUS_OK);
    assert_false(paste_is_open(p) || paste_is_ending(p));
    paste_free(&p);
}

static void test_too_much_is_told_once(void **state) {
    (void)state;
    char much[TEXT_MAX + 2];
    memset(much, 'x', TEXT_MAX + 1);
    much[TEXT_MAX + 1] = '\0';
    paste *p = paste_new(TEXT_MAX);
    assert_non_null(p);
    size_t n_bytes, n_lines_bytes;
    paste_begin(p);
    add(p, much + 1, STATUS_OK);
    add(p, "y", STATUS_TOO_LONG);
    add(p, much, STATUS_OK);
    assert_int_equal(add(p, "z\n\033[201~key", STATUS_OK), 8);
    assert_false(paste_is_open(p));
    paste_text(p, &n_bytes, &n_lines_bytes);
    assert_int_equal(n_bytes, 0);
    paste_begin(p);
    add(p, "again\n", STATUS_OK);
    paste_skip(p);
    add(p, "not\n\033[201~", STATUS_OK);
    paste_text(p, &n_bytes, &n_lines_bytes);
    assert_int_equal(n_bytes + n_lines_bytes, 0);
    paste_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_one_begins),
        cmocka_unit_test(test_what_of_it_is_text),
        cmocka_unit_test(test_lines_are_taken_as_they_come),
        cmocka_unit_test(test_an_end_may_have_begun),
        cmocka_unit_test(test_too_much_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
