/* How varied texts are together: different tokens, and runs of them that come again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/lab/explore/text_figures.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { TEXTS_MAX = 8, TEXT_TOKENS_MAX = 64 };

/* Texts with a letter a token, "|" between two of them. */
static size_t texts_of(const char *letters, int32_t ids[TEXTS_MAX * TEXT_TOKENS_MAX],
                       token_text texts[TEXTS_MAX]) {
    size_t n_texts = 0, n_ids = 0;
    for (const char *at = letters;; at++) {
        size_t n = strcspn(at, "|");
        texts[n_texts++] = (token_text){ids + n_ids, n};
        for (size_t i = 0; i < n; i++) ids[n_ids++] = at[i];
        at += n;
        if (!*at) return n_texts;
    }
}

static void assert_figures(const char *letters, size_t n_distinct, size_t n_repeated, size_t n_runs) {
    int32_t ids[TEXTS_MAX * TEXT_TOKENS_MAX];
    token_text texts[TEXTS_MAX];
    text_figures figures;
    size_t n_texts = texts_of(letters, ids, texts), n_tokens = 0;
    for (size_t i = 0; i < n_texts; i++) n_tokens += texts[i].n;
    assert_int_equal(text_figures_of(texts, n_texts, &figures), STATUS_OK);
    assert_int_equal(figures.n_tokens, n_tokens);
    assert_int_equal(figures.n_distinct, n_distinct);
    assert_int_equal(figures.n_repeated, n_repeated);
    assert_int_equal(figures.n_runs, n_runs);
    double share = n_runs > 0 ? (double)n_repeated / (double)n_runs : 0;
    assert_true(text_figures_repeated(&figures) == share);
}

static void letters_as_tokens(void **state) {
    (void)state;
    assert_figures("", 0, 0, 0);
    assert_figures("a", 1, 0, 0);               /* shorter than a run */
    assert_figures("aa", 1, 0, 1);              /* one run, once */
    assert_figures("aaa", 1, 1, 2);             /* two runs that overlap */
    assert_figures("abcdefgh", 8, 0, 7);
    assert_figures("abxab", 3, 1, 4);
    assert_figures("abxabyab", 4, 2, 7);        /* the first one was not there before */
    assert_figures("axbxcx", 4, 0, 5);          /* single tokens that come again */
}

static void several_texts_are_counted_together(void **state) {
    (void)state;
    assert_figures("abc|abc", 3, 2, 4);
    assert_figures("abc|abc|abc", 3, 4, 6);
    assert_figures("abc|def", 6, 0, 4);
    assert_figures("abc|xbcy", 5, 1, 5);
    assert_figures("ab|ba", 2, 0, 2);           /* no run goes from one text into the next */
    assert_figures("a|a||a", 1, 0, 0);
    assert_figures("|abab", 2, 1, 3);
}

/* The same counts by comparing all places with those before. */
static void as_a_plain_count_has_it(void **state) {
    (void)state;
    srand(1);
    for (size_t n = 0; n <= 60; n++) {
        char letters[TEXT_TOKENS_MAX + 1] = "";
        size_t n_distinct = 0, n_repeated = 0, n_runs = 0;
        for (size_t i = 0; i < n; i++)
            letters[i] = (char)(i % 10 == 9 ? '|' : 'a' + rand() % 5);
        for (size_t i = 0; i < n; i++) {
            size_t id_before = 0, run_before = 0;
            while (id_before < i && letters[id_before] != letters[i]) id_before++;
            n_distinct += letters[i] != '|' && id_before == i;
            if (letters[i] == '|' || i + 1 >= n || letters[i + 1] == '|') continue;
            while (run_before < i && memcmp(letters + run_before, letters + i, 2) != 0) run_before++;
            n_runs++;
            n_repeated += run_before < i;
        }
        assert_figures(letters, n_distinct, n_repeated, n_runs);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_as_tokens),
        cmocka_unit_test(several_texts_are_counted_together),
        cmocka_unit_test(as_a_plain_count_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
