/* settings.h: which setting reaches which daemon, and what is said of one that runs without it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "client/stack/settings.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static failure f;

static void each_daemon_gets_its_own(void **state) {
    (void)state;
    static const struct {
        const char *program, *threads, *default_model;
    } cases[] = {{"tokenizerd", NULL, "m"}, {"modeld", "2", NULL}, {"samplerd", NULL, NULL}};
    const settings s = {.values = {[SETTING_THREADS] = "2", [SETTING_DEFAULT_MODEL] = "m", [SETTING_LOG] = "debug"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        command_line line = {0};
        assert_int_equal(settings_add(&s, cases[i].program, &line, &f), STATUS_OK);
        const char *threads = command_line_value(&line, "threads");
        const char *default_model = command_line_value(&line, "default-model");
        assert_true(cases[i].threads ? threads && strcmp(threads, "2") == 0 : !threads);
        assert_true(cases[i].default_model ? default_model && strcmp(default_model, "m") == 0 : !default_model);
        assert_string_equal(command_line_value(&line, "log"), "debug");
        assert_null(command_line_value(&line, "isa"));
    }
}

/* This very process runs without any of them. */
static void what_does_not_hold_is_refused(void **state) {
    (void)state;
    const settings none = {.values = {NULL}};
    const settings s = {.values = {[SETTING_ISA] = "ref", [SETTING_LOG] = "debug"}};
    assert_int_equal(settings_check(&none, "modeld", getpid(), "the model m", "m", &f), STATUS_OK);
    assert_int_equal(settings_check(&s, "tokenizerd", getpid(), "tokenizerd", "", &f), STATUS_OK);
    assert_int_equal(settings_check(&s, "modeld", getpid(), "the model m", "m", &f), STATUS_BUSY);
    assert_string_equal(f.message, "the model m runs already, without --isa: `trivium down m` ends it, so that it can "
                                   "be started with --isa ref");
}

static void a_level_that_holds_by_default_holds(void **state) {
    (void)state;
    settings s = {.values = {NULL}};
    assert_true(settings_logs(&s, getpid()));
    s.values[SETTING_LOG] = "info";
    assert_true(settings_logs(&s, getpid()));
    s.values[SETTING_LOG] = "debug";
    assert_false(settings_logs(&s, getpid()));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_daemon_gets_its_own),
        cmocka_unit_test(what_does_not_hold_is_refused),
        cmocka_unit_test(a_level_that_holds_by_default_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
