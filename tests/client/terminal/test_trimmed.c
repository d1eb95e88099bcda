/* What trimmed.h promises: however a text is cut into pieces, it comes without the blanks at its ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "client/terminal/trimmed.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

/* Pieces of n bytes; what each adds, added up, is the text. */
static void check(const char *text, size_t n_piece, const char *expected) {
    trimmed t = {0};
    char shown[128] = "";
    size_t n_shown = 0, n_bytes = strlen(text);
    for (size_t at = 0; at < n_bytes; at += n_piece) {
        size_t from, n = n_bytes - at < n_piece ? n_bytes - at : n_piece;
        assert_int_equal(trimmed_add(&t, text + at, n, &from), STATUS_OK);
        assert_int_equal(from, n_shown);
        if (t.text.n_bytes == from) continue;
        memcpy(shown + n_shown, t.text.bytes + from, t.text.n_bytes - from);
        n_shown = t.text.n_bytes;
    }
    shown[n_shown] = '\0';
    assert_string_equal(shown, expected);
    trimmed_clear(&t);
}

static void test_pieces(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"  \n ", ""},
        {"a", "a"},
        {" a ", "a"},
        {"\n\n a  b\t\n c \r\n", "a  b\t\n c"},
        {"\xc3\xa9 \xe2\x82\xac ", "\xc3\xa9 \xe2\x82\xac"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t n_piece = 1; n_piece < 20; n_piece++) check(cases[i][0], n_piece, cases[i][1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
