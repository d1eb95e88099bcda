/* The rows of a step: whole on lines of any width. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/candidates.h"
#include "client/terminal/term.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

#define TEXT(string) .text = (const uint8_t *)(string), .n_bytes = sizeof(string) - 1

static const candidate candidates[] = {
    {.id = 1, .logprob = -0.0005, TEXT(" incomprehensibly"), .removed_by = 2},
    {.id = 2, .logprob = -0.7, TEXT(" 日本語日本語日本語")},
    {.id = 3, .logprob = -9, TEXT("\n"), .removed_by = 1},
};
static const uint32_t n_left[] = {49152, 40, 2};
static const generation_token token = {.step = 127, .id = 2, .logprob = -0.7, TEXT(" 日本語日本語日本語"),
                                       .candidates = candidates, .n_candidates = 3, .n_left = n_left,
                                       .n_left_items = 3};

static char *printed(size_t n_columns, bool colour) {
    failure f;
    strategy chain;
    strategy_init(&chain);
    assert_int_equal(strategy_append(&chain, STAGE_TOP_K, (const double[]){40}, 1, &f), STATUS_OK);
    assert_int_equal(strategy_append(&chain, STAGE_TOP_N_SIGMA, (const double[]){1}, 1, &f), STATUS_OK);
    char *written;
    size_t n_written;
    FILE *to = open_memstream(&written, &n_written);
    candidates_print(to, &token, &chain, n_columns, colour);
    fclose(to);
    strategy_clear(&chain);
    return written;
}

/* The longest words there are: a candidate that is sure, removed by the stage with the longest name. */
static void no_row_is_wider_than_its_line(void **state) {
    (void)state;
    for (size_t n_columns = 28; n_columns < 100; n_columns++) {
        char *shown = printed(n_columns, false);
        assert_non_null(strstr(shown, " ← drawn"));
        assert_non_null(strstr(shown, " top_n_sigma"));
        for (char *line = strtok(shown, "\n"); line; line = strtok(NULL, "\n")) {
            if (term_width(line) > n_columns) print_error("%zu columns: %s\n", n_columns, line);
            assert_true(term_width(line) <= n_columns);
        }
        free(shown);
    }
}

static void thirty_columns_have_the_words_and_no_bars(void **state) {
    (void)state;
    char *shown = printed(30, false);
    assert_string_equal(shown, "\" 日本語…  step 127  49152\n"
                               "           → top_k 40\n"
                               "           → top_n_sigma 2\n"
                               "  \" incompr… 1.000 top_n_sigma\n"
                               "  \" 日本語…  0.497 ← drawn\n"
                               "  \"\\n\"       0.000 top_k\n");
    free(shown);
}

int main(void) {
    term_use_utf8();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_row_is_wider_than_its_line),
        cmocka_unit_test(thirty_columns_have_the_words_and_no_bars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
