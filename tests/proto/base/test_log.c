/* Lines of a log: one event is one line, and a program finds where a value ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/log.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static int real_stderr, ends[2];
static char line[4096];

static int catch_lines(void **state) {
    (void)state;
    log_open("test", LOG_INFO);
    real_stderr = dup(STDERR_FILENO);
    return pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) >= 0 ? 0 : -1;
}

static int let_lines_go(void **state) {
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(ends[0]);
    return close(ends[1]);
}

/* What was written last, after the time. */
static const char *written(void) {
    ssize_t n = read(ends[0], line, sizeof line - 1);
    assert_true(n > 0 && line[n - 1] == '\n');
    line[n] = '\0';
    return strchr(line, ' ') + 1;
}

static void a_value_in_quotes_ends_where_its_own_do(void **state) {
    (void)state;
    log_event(LOG_INFO, "refused", "error=\"%s: nothing\" file=\"%s\" n=%d", "not \"two\"", "a\\b\x01", 3);
    assert_string_equal(written(), "test refused error=\"not \\\"two\\\": nothing\" file=\"a\\\\b?\" n=3\n");
    log_event(LOG_INFO, "joined", "name=\"%s\" %s why=\"%s\"", "x", "host=\"h\" key=\"'k'\"", "'");
    assert_string_equal(written(), "test joined name=\"x\" host=\"h\" key=\"'k'\" why=\"'\"\n");
}

static void a_long_value_is_cut_and_ends_all_the_same(void **state) {
    (void)state;
    char quotes[2000];
    memset(quotes, '"', sizeof quotes - 1);
    quotes[sizeof quotes - 1] = '\0';
    for (int shift = 0; shift < 2; shift++) {
        log_event(LOG_INFO, "refused", "%.*swhy=\"%s\" n=1", shift, "-", quotes);
        const char *got = written(), *value = strchr(got, '"') + 1;
        size_t n = strlen(value);
        assert_true(strlen(line) <= 1024 && n > 900);
        assert_string_equal(value + n - 4, "\\\"\"\n");
        assert_int_equal(n % 2, 0);         /* pairs, then a quote and the newline */
    }
}

static void a_word_is_quoted_by_hand(void **state) {
    (void)state;
    char out[8];
    log_quote(out, sizeof out, "a\"\\");
    assert_string_equal(out, "a\\\"\\\\");
    log_quote(out, sizeof out, "\"\"\"\"\"");
    assert_string_equal(out, "\\\"\\\"\\\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_value_in_quotes_ends_where_its_own_do, catch_lines, let_lines_go),
        cmocka_unit_test_setup_teardown(a_long_value_is_cut_and_ends_all_the_same, catch_lines, let_lines_go),
        cmocka_unit_test(a_word_is_quoted_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
