/* What edited_row.h promises: where the cursor stands after text of any width. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "client/chat/input/edited_row.h"
#include "client/terminal/term.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void test_rows(void **state) {
    (void)state;
    static const struct {
        size_t n_prompt;
        const wchar_t *text;
        size_t n_columns, row;
    } rows[] = {
        {5, L"", 80, 0},
        {5, L"1234", 10, 0},
        {5, L"12345", 10, 1},                   /* the cursor is past the last column */
        {5, L"123456789012345", 10, 2},
        {0, L"a\nb\n\nc", 10, 3},
        {5, L"12345\n", 10, 2},
        {0, L"123\u6f22\u6f22", 6, 1},          /* a wide one does not fit in the last cell */
        {0, L"\t\tx", 20, 0},
        {0, L"\t\t\t", 20, 1},
        {0, L"\001\001", 4, 1},
        {7, L"", 5, 1},
        {0, L"abc", 1, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(edited_row(rows[i].n_prompt, rows[i].text, wcslen(rows[i].text), rows[i].n_columns),
                         rows[i].row);
}

int main(void) {
    term_use_utf8();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
