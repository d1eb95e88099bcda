/* How a missing daemon is started, as a sentence says it that may be read on another host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/process/join_hint.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static void assert_hint(const char *address, bool has_keys, const char *expected) {
    char hint[JOIN_HINT_BYTES];
    join_hint(hint, "samplerd", &(join_place){address, "b", has_keys});
    assert_string_equal(hint, expected);
}

static void a_socket_file_is_of_its_host_and_tcp_says_its_keys(void **state) {
    (void)state;
    assert_hint("ipc:///run/samplers", true, "start one on host b with: samplerd --join ipc:///run/samplers");
    assert_hint("tcp://10.0.0.2:1", false, "start one with: samplerd --join tcp://10.0.0.2:1");
    assert_hint("tcp://10.0.0.2:1", true, "start one with: samplerd --join tcp://10.0.0.2:1 --keys DIR");
    assert_hint("tcp://0.0.0.0:1", false, "start one with: samplerd --join tcp://HOST:1");
    assert_hint("tcp://[::]:1", true, "start one with: samplerd --join tcp://HOST:1 --keys DIR");
}

static void one_that_is_too_long_is_cut(void **state) {
    (void)state;
    char hint[JOIN_HINT_BYTES], command[2 * JOIN_HINT_BYTES];
    memset(command, 'a', sizeof command - 1);
    command[sizeof command - 1] = '\0';
    join_hint(hint, command, &(join_place){"ipc:///run/samplers", "b", false});
    assert_int_equal(strlen(hint), JOIN_HINT_BYTES - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_file_is_of_its_host_and_tcp_says_its_keys),
        cmocka_unit_test(one_that_is_too_long_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
