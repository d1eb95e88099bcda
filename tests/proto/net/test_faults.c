/* What the log is to have of what is wrong for long, and of much at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/net/faults/faults.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

static bool is_news(lasting_fault *one, status code, const char *sentence) {
    failure f;
    (fail)(&f, code, "%s", sentence);
    return fault_is_news(one, &f);
}

static void each_change_of_the_sentence_is_news(void **state) {
    (void)state;
    lasting_fault one = {0};
    assert_true(is_news(&one, STATUS_IO, "it is no key"));
    assert_false(is_news(&one, STATUS_IO, "it is no key"));
    assert_true(is_news(&one, STATUS_FORBIDDEN, "others may read it"));
    assert_true(is_news(&one, STATUS_IO, "it is no key"));
    fault_is_over(&one);
    assert_true(is_news(&one, STATUS_IO, "it is no key"));
}

static void some_are_named_and_the_others_counted(void **state) {
    (void)state;
    fault_crowd crowd = {0};
    assert_int_equal(faults_take_others(&crowd, 1), 0);
    for (size_t i = 0; i < FAULTS_NAMED_MAX; i++) assert_true(faults_name(&crowd, 1 + i));
    assert_int_equal(faults_take_others(&crowd, 1), 0);
    for (size_t i = 0; i < 3; i++) assert_false(faults_name(&crowd, FAULTS_MS));
    assert_int_equal(faults_take_others(&crowd, FAULTS_MS), 3);
    assert_int_equal(faults_take_others(&crowd, FAULTS_MS), 0);
}

static void both_come_again_a_minute_later(void **state) {
    (void)state;
    fault_crowd crowd = {0};
    uint64_t now_ms = 7;
    for (size_t i = 0; i < FAULTS_NAMED_MAX; i++) assert_true(faults_name(&crowd, now_ms));
    assert_false(faults_name(&crowd, now_ms));
    assert_int_equal(faults_take_others(&crowd, now_ms), 1);
    now_ms += FAULTS_MS - 1;
    assert_false(faults_name(&crowd, now_ms));
    assert_int_equal(faults_take_others(&crowd, now_ms), 0);
    now_ms++;
    assert_true(faults_name(&crowd, now_ms));
    assert_int_equal(faults_take_others(&crowd, now_ms), 1);    /* that of a moment ago */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_change_of_the_sentence_is_news),
        cmocka_unit_test(some_are_named_and_the_others_counted),
        cmocka_unit_test(both_come_again_a_minute_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
