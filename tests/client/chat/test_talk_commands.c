/* What talk_commands.h promises of lines: which are a command, and what the others say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "client/chat/talk_commands.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void test_which_lines_are_messages(void **state) {
    (void)state;
    static const struct {
        const char *line, *typed, *piped;      /* NULL: a command */
    } cases[] = {
        {"Hello", "Hello", "Hello"},
        {"quit", "quit", "quit"},           /* the chat asks for it before */
        {"/undo", NULL, NULL},
        {"/set temperature 0.3", NULL, NULL},
        {"/set\ttemperature 0.3", NULL, NULL},
        {"/set system One.\nTwo.", "/set system One.\nTwo.", "/set system One.\nTwo."},
        {"/?", NULL, NULL},
        {"/bye", NULL, NULL},
        {"/settle it", NULL, "/settle it"},
        {"/se", NULL, "/se"},
        {"/Undo", NULL, "/Undo"},
        {"/", NULL, "/"},
        {"/usr/bin/env is what?", NULL, "/usr/bin/env is what?"},
        {"/* one\n * two */", "/* one\n * two */", "/* one\n * two */"},
        {"//undo", "/undo", "/undo"},
        {"//", "/", "/"},
        {"///", "//", "//"},
        {"// one\n// two", "// one\n// two", "// one\n// two"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *typed = talk_message(cases[i].line, true), *piped = talk_message(cases[i].line, false);
        assert_int_equal(typed == NULL, cases[i].typed == NULL);
        assert_int_equal(piped == NULL, cases[i].piped == NULL);
        if (typed) assert_string_equal(typed, cases[i].typed);
        if (piped) assert_string_equal(piped, cases[i].piped);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_lines_are_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
