/* template_run.h: what templates write, against jinja2; what is not run is strange, and so is what
 * depends on contents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/chain_case.h"
#include "tokenizerd/chat/template/template_run.h"
#include "tokenizerd/chat/template/template_value.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static const text_unit system_units[] = {'s', 'y', 's', 't', 'e', 'm'};
static const text_unit user_units[] = {'u', 's', 'e', 'r'};
static const text_unit bos_units[] = {'<', 's', '>'}, eos_units[] = {'<', '/', 's', '>'};

/* What is written, with "S" and " U " for contents. Caller frees; NULL: the run did not end so. */
static char *run(const char *text, template_outcome *outcome) {
    static const char *const contents[] = {"S", "S", " U ", "U"};
    const template_text roles[] = {{system_units, 6}, {user_units, 4}};
    const template_talk talk = {roles, 2, false};
    template_tree tree;
    char *out = NULL;
    size_t n = 0;
    *outcome = TEMPLATE_STRANGE;
    assert_int_equal(template_tree_read(&tree, (const uint8_t *)text, strlen(text)), STATUS_OK);
    if (tree.is_read) {
        template_machine *m = template_machine_new(&tree, (template_text){bos_units, 3},
                                                   (template_text){eos_units, 4});
        assert_non_null(m);
        *outcome = template_run(m, &talk);
        template_text written = template_written(m);
        out = calloc(written.n * 4 + 1, 1);
        for (size_t i = 0; i < written.n; i++) {
            if (written.units[i] < UNIT_CONTENT) out[n++] = (char)written.units[i];
            else n += strlen(strcpy(out + n, contents[written.units[i] - UNIT_CONTENT]));
        }
        template_machine_free(&m);
    }
    template_tree_free(&tree);
    return out;
}

static void check_run(const json_t *one) {
    const char *text = json_string_value(json_object_get(one, "template"));
    const char *expected = json_string_value(json_object_get(one, "text"));
    template_outcome outcome;
    char *ours = run(text, &outcome);
    if (outcome != TEMPLATE_WROTE || strcmp(ours, expected) != 0)
        fail_msg("%s\nwrites\n%s (outcome %d), not\n%s", text, ours ? ours : "nothing",
                 (int)outcome, expected);
    free(ours);
}

static void test_templates_write_what_jinja2_writes(void **state) {
    (void)state;
    chain_case_each_line("tests/golden/template-runs.jsonl", check_run);
}

static void test_what_is_not_known_is_strange(void **state) {
    (void)state;
    static const char *const strange[] = {
        /* what depends on a content */
        "{% if messages[0].content %}{% endif %}", "{{ messages[0].content == 'S' }}",
        "{{ 'a' if 'S' in messages[0].content }}", "{{ messages[0].content[0] }}",
        "{{ messages[0].content | length }}", "{{ messages[0].content | upper }}",
        "{{ messages[0].content.split('a') }}", "{{ messages[0].content.rstrip() }}",
        "{{ messages[0].content.strip('a') }}", "{{ (messages[0].content ~ 'a') | trim }}",
        "{{ ('a' ~ messages[0].content) | trim }}", "{{ messages[0].content | default('', true) }}",
        "{% for c in messages[0].content %}{% endfor %}",
        /* what is too far, or counted too high */
        "{{ messages[-1].role }}", "{{ messages[3].role }}", "{{ messages[:1] }}",
        "{{ messages[::2] }}", "{{ 'a' if messages | length > 3 }}",
        "{% for m in messages %}{{ 'a' if loop.index0 == 3 }}{% endfor %}",
        "{% for m in messages %}{{ 'a' if loop.index % 3 }}{% endfor %}",
        "{% for m in messages %}{{ 'a' if loop.index == messages | length }}{% endfor %}",
        "{% for m in messages %}{{ loop.length }}{% endfor %}",
        "{% for m in messages %}{% endfor %}{% for m in messages %}{% endfor %}",
        "{% for m in messages if m.role == 'user' %}{% endfor %}",
        "{% for m in messages %}{% endfor %}{% set bos_token = '' %}",
        /* what fails, or is written in Python's way */
        "{{ 'a' + x }}", "{{ x.y }}", "{{ x() }}", "{{ 1 }}", "{{ true }}", "{{ none }}",
        "{{ messages }}", "{{ 'a' < 'b' }}", "{{ 'a' if 1 < 2 < 3 }}", "{{ true == 1 }}",
        "{{ strftime_now('%Y') }}", "{{ range(3) }}", "{{ raise_exception() }}", "{{ pad_token }}",
        "{{ messages[0].items }}", "{{ messages[0]['get'] }}", "{% set ns.a = 'b' %}",
        "{% for x in none %}{% endfor %}", "{% for x in ['a'] %}{% endfor %}",
        "{% set f = namespace %}", "{{ '\\x41' }}", "{% macro f() %}{% endmacro %}{{ f() }}",
        "{% set x %}a{% endset %}", "{% set a, b = 'cd' %}", "{{ {'a': 'b'} }}", "{{ 'a' * 2 }}",
        /* what is no template */
        "{{", "{%", "{#", "{{ }}", "{{ 'a }}", "{{ a b }}", "{{ (a }}", "{{ a) }}", "{{ [a) }}",
        "{% if %}{% endif %}", "{% if a %}", "{% endif %}", "{% for %}{% endfor %}", "{% else %}",
        "{% for a in b %}{% endif %}", "{% if a if b else c %}{% endif %}", "{% raw %}{% endraw %}",
        "{% unknown %}", "{{ a | unknown }}", "{{ a is unknown }}", "{{ a.b.'c' }}", "{{ 01 }}",
        "{{ f(a=1, 2) }}", "{% macro f(a,) %}{% endmacro %}", "{% macro f(a=1, b) %}{% endmacro %}",
        "{{ f(a=1, a=2) }}", "{% macro f(a, a) %}{% endmacro %}",
        "{% set true = 1 %}", "{% for loop in a %}{% endfor %}", "{{ a & b }}",
        "{{ \xc3\xa9 }}", "\xff",
    };
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        template_outcome outcome;
        free(run(strange[i], &outcome));
        if (outcome != TEMPLATE_STRANGE) fail_msg("%s: outcome %d", strange[i], (int)outcome);
    }
}

static void test_a_template_may_refuse(void **state) {
    (void)state;
    template_outcome outcome;
    free(run("a{% if messages[0].role == 'system' %}{{ raise_exception('no: ' + x) }}{% endif %}",
             &outcome));
    assert_int_equal(outcome, TEMPLATE_REFUSED);
}

/* Twice the text each time, and nested without end. */
static void test_memory_and_depth_are_bounded(void **state) {
    (void)state;
    enum { N = 4000 };
    static const char *const parts[][3] = {
        {"{% set x = 'a' %}", "{% set x = x ~ x %}", "{{ x }}"},
        {"", "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' }}", ""},
        {"{{ ", "(", "}}"},
        {"{{ ", "not ", "a }}"},
        {"{{ 'a'", " ~ 'a'", "}}"},
        {"", "{% if true %}", ""},
        {"", "{% set ns = namespace(a='b') %}", ""},
        {"{% if a %}", "{% elif a %}", "{% endif %}"},
        {"{{ a", "[a", "}}"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        template_outcome outcome;
        char *text = calloc(N * 64, 1), *end = text + strlen(strcpy(text, parts[i][0]));
        for (size_t n = 0; n < N; n++) end += strlen(strcpy(end, parts[i][1]));
        strcpy(end, parts[i][2]);
        free(run(text, &outcome));
        assert_int_equal(outcome, TEMPLATE_STRANGE);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_templates_write_what_jinja2_writes),
        cmocka_unit_test(test_what_is_not_known_is_strange),
        cmocka_unit_test(test_a_template_may_refuse),
        cmocka_unit_test(test_memory_and_depth_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
