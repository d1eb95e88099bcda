/* How varied a text is: distinct tokens, and those within runs that come again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/text_figures.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void assert_figures(const char *text, size_t n_distinct, size_t n_repeated) {
    size_t n = strlen(text);
    int32_t *ids = malloc((n + 1) * sizeof *ids);
    text_figures figures;
    for (size_t i = 0; i < n; i++) ids[i] = text[i];
    assert_int_equal(text_figures_of(ids, n, &figures), STATUS_OK);
    assert_int_equal(figures.n_tokens, n);
    assert_int_equal(figures.n_distinct, n_distinct);
    assert_int_equal(figures.n_repeated, n_repeated);
    free(ids);
}

static void letters_as_tokens(void **state) {
    (void)state;
    assert_figures("", 0, 0);
    assert_figures("aaa", 1, 0);            /* shorter than a run */
    assert_figures("aaaa", 1, 0);           /* one run, once */
    assert_figures("aaaaa", 1, 5);          /* two runs that overlap */
    assert_figures("abcdefgh", 8, 0);
    assert_figures("abcabcab", 3, 8);
    assert_figures("abcdxabcd", 5, 8);
    assert_figures("abcdxabcdyabcd", 6, 12);
    assert_figures("abcxabcyabc", 5, 0);    /* runs of three only */
    assert_figures("abcdexxabcdexx", 6, 14);
}

/* The same counts by comparing all places with all. */
static void as_a_plain_count_has_it(void **state) {
    (void)state;
    srand(1);
    for (size_t n = 0; n <= 60; n++) {
        char text[64] = "";
        size_t n_distinct = 0, n_repeated = 0;
        bool marked[64] = {false}, seen[256] = {false};
        for (size_t i = 0; i < n; i++) text[i] = (char)('a' + rand() % 3);
        for (size_t i = 0; i < n; i++) {
            n_distinct += !seen[(unsigned char)text[i]];
            seen[(unsigned char)text[i]] = true;
            for (size_t j = 0; i + 4 <= n && j + 4 <= n; j++) {
                if (i != j && memcmp(text + i, text + j, 4) == 0) memset(marked + i, true, 4);
            }
        }
        for (size_t i = 0; i < n; i++) n_repeated += marked[i];
        assert_figures(text, n_distinct, n_repeated);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_as_tokens),
        cmocka_unit_test(as_a_plain_count_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
