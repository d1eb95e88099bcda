/* seen_names.h: a name that was here is known, until too many others have been. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tokenizerd/route/seen_names.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void the_latest_are_known(void **state) {
    (void)state;
    static seen_names seen;
    char name[16];
    assert_false(seen_names_have(&seen, "0"));
    for (int round = 0; round < 2; round++)         /* again is nothing new */
        for (int i = 0; i < SEEN_NAMES_MAX; i++) {
            snprintf(name, sizeof name, "%d", i);
            seen_names_add(&seen, name);
        }
    for (int i = 0; i < SEEN_NAMES_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_true(seen_names_have(&seen, name));
    }
    seen_names_add(&seen, "0");                     /* back again: now the latest */
    seen_names_add(&seen, "one more");
    assert_true(seen_names_have(&seen, "one more"));
    assert_true(seen_names_have(&seen, "0"));
    assert_false(seen_names_have(&seen, "1"));
    for (int i = 2; i < SEEN_NAMES_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_true(seen_names_have(&seen, name));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_latest_are_known)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
