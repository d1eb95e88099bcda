/* Which model a request without a name means, in whatever order it is heard of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tokenizerd/route/default_model.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void assert_first(const default_model *d, const char *name, uint64_t since_ms) {
    assert_string_equal(d->first, name);
    assert_int_equal(d->since_ms, since_ms);
}

static void the_first_that_joins_stays(void **state) {
    (void)state;
    default_model d = {0};
    assert_string_equal(default_model_name(&d), "");
    assert_true(default_model_joined(&d, "b", 100));
    assert_false(default_model_joined(&d, "a", 100));
    assert_false(default_model_joined(&d, "a", 50));    /* the clock was set back */
    assert_string_equal(default_model_name(&d), "b");
    assert_first(&d, "b", 100);
}

static void who_knows_nothing_says_nothing(void **state) {
    (void)state;
    default_model d = {0};
    assert_false(default_model_heard(&d, "", 0));
    assert_string_equal(default_model_name(&d), "");
    default_model_joined(&d, "a", 100);
    assert_false(default_model_heard(&d, "", 0));
    assert_first(&d, "a", 100);
}

/* Words in every order, with a modeld that joins before the first, after the last and between any two. */
static void the_oldest_word_counts_in_any_order(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint64_t since_ms;
    } words[] = {{"c", 30}, {"b", 20}, {"a", 40}, {"bb", 20}};
    enum { N = 4, N_ORDERS = N * N * N * N };
    for (int order = 0; order < N_ORDERS; order++) {
        for (int joins_at = 0; joins_at <= N; joins_at++) {
            default_model d = {0};
            unsigned heard = 0;
            for (int i = 0, digits = order; i < N; i++, digits /= N) {
                if (i == joins_at) default_model_joined(&d, "young", 1000);
                bool is_new = !(heard & 1u << digits % N);
                bool is_news = default_model_heard(&d, words[digits % N].name, words[digits % N].since_ms);
                assert_true(is_new || !is_news);
                heard |= 1u << digits % N;
            }
            if (joins_at == N) default_model_joined(&d, "young", 1000);
            if (heard == (1u << N) - 1) assert_first(&d, "b", 20);
            else assert_string_not_equal(d.first, "young");
        }
    }
}

/* The news is the time alone: others, whom nobody told yet, shall bring the right one. */
static void an_older_time_of_the_same_name_is_news(void **state) {
    (void)state;
    default_model d = {0};
    default_model_joined(&d, "a", 100);
    assert_true(default_model_heard(&d, "a", 10));
    assert_false(default_model_heard(&d, "a", 10));
    assert_false(default_model_heard(&d, "a", 100));
    assert_first(&d, "a", 10);
}

/* It is no part of what is told on, and that is kept meanwhile. */
static void the_setting_wins(void **state) {
    (void)state;
    default_model d = {0};
    default_model_set(&d, "mine");
    assert_string_equal(default_model_name(&d), "mine");
    assert_true(default_model_joined(&d, "a", 100));
    assert_true(default_model_heard(&d, "b", 10));
    assert_string_equal(default_model_name(&d), "mine");
    assert_first(&d, "b", 10);
}

static void the_longest_name_fits(void **state) {
    (void)state;
    default_model d = {0};
    char name[NAME_BYTES_MAX + 1] = {0};
    memset(name, 'x', NAME_BYTES_MAX);
    default_model_set(&d, name);
    default_model_joined(&d, name, 1);
    assert_string_equal(default_model_name(&d), name);
    assert_first(&d, name, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_joins_stays),
        cmocka_unit_test(who_knows_nothing_says_nothing),
        cmocka_unit_test(the_oldest_word_counts_in_any_order),
        cmocka_unit_test(an_older_time_of_the_same_name_is_news),
        cmocka_unit_test(the_setting_wins),
        cmocka_unit_test(the_longest_name_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
