/* Medians of what was measured. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lab/bench/median.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void assert_median(double expected, const double *numbers, size_t n) {
    buffer b = {0};
    for (size_t i = 0; i < n; i++) assert_int_equal(median_add(&b, numbers[i]), STATUS_OK);
    assert_true(median_of(&b) == expected);
    assert_true(median_of(&b) == expected);     /* asking changes nothing */
    buffer_clear(&b);
}

static void the_number_in_the_middle(void **state) {
    (void)state;
    assert_median(3, (const double[]){900, 1, 3, -5, 4}, 5);
    assert_median(7, (const double[]){7}, 1);
}

static void two_in_the_middle(void **state) {
    (void)state;
    assert_median(2.5, (const double[]){4, 1, 2, 3}, 4);
    assert_median(1.5, (const double[]){2, 1}, 2);
}

static void none(void **state) {
    (void)state;
    assert_median(0, NULL, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_number_in_the_middle),
        cmocka_unit_test(two_in_the_middle),
        cmocka_unit_test(none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
