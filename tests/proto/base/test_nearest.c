/* Which name a mistyped word stands for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/nearest.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static nearest among(const char *word, const char *const *names) {
    nearest n = nearest_begin(word, strlen(word));
    for (; *names; names++) nearest_try(&n, *names);
    return n;
}

static void what_was_meant(void **state) {
    (void)state;
    static const char *const names[] = {"generate", "chat", "tune", "cancel", "ps", "status", "top-k",
                                        "top-p", "temperature", NULL};
    static const struct {
        const char *word, *meant;
        size_t distance;
    } cases[] = {
        {"generate", "generate", 0}, {"generat", "generate", 1}, {"genarete", "generate", 2},
        {"cancle", "cancel", 1},     {"chta", "chat", 1},        {"tuned", "tune", 1},
        {"temprature", "temperature", 1}, {"etmpertaure", "temperature", 2}, {"top_k", "top-k", 1},
        {"topp", "top-p", 1},        {"top-x", "top-k", 1},      {"tmepratur", "temperature", 3},
        {"temp", "temperature", 7},  {"gen", "generate", 5},     {"top", "top-k", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nearest n = among(cases[i].word, names);
        assert_non_null(n.name);
        assert_string_equal(n.name, cases[i].meant);
        assert_int_equal(n.distance, cases[i].distance);
    }
}

static void nothing_near(void **state) {
    (void)state;
    static const char *const names[] = {"ps", "up", "chat", "status", NULL};
    static const char *const words[] = {
        "", "p", "run", "list", "xx", "chart-of-all", "c", "ch", "chatter-on",
        "statusstatusstatusstatusstatusstatusstatus"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) assert_null(among(words[i], names).name);
    static const char *const long_names[] = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL};
    assert_null(among("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", long_names).name);
}

/* The longest that are compared: their rows have just room. */
static void the_longest_words(void **state) {
    (void)state;
    static const char *const names[] = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL};
    nearest n = among("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", names);
    assert_ptr_equal(n.name, names[0]);
    assert_int_equal(n.distance, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_meant),
        cmocka_unit_test(nothing_near),
        cmocka_unit_test(the_longest_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
