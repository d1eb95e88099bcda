/* What an endpoint may be called, and what is said of one that is none or cannot be bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/net/endpoint/endpoint.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static failure f;

/* What each side takes: for both, for a bind alone, for none. */
static void what_is_an_endpoint(void **state) {
    (void)state;
    static const char *const both[] = {
        "tcp://127.0.0.1:1", "tcp://127.0.0.1:65535", "tcp://localhost:5555", "tcp://a-b.example_1:5555",
        "tcp://[::1]:5555", "tcp://[fe80::1%eth0]:5555", "tcp://[::ffff:1.2.3.4]:5555", "ipc:///tmp/x", "ipc://x"};
    static const char *const bind_only[] = {"tcp://127.0.0.1:0", "tcp://127.0.0.1:*", "tcp://*:5555", "tcp://*:*"};
    static const char *const none[] = {
        "tcp://127.0.0.1:65536", "tcp://127.0.0.1:99999", "tcp://127.0.0.1:4294967297", "tcp://127.0.0.1:+1",
        "tcp://127.0.0.1: 1", "tcp://127.0.0.1:1 ", "tcp://127.0.0.1:", "tcp://127.0.0.1", "tcp://:1", "tcp://",
        "tcp://::1:5555", "tcp://[::1:5555", "tcp://[::1]5555", "tcp://[]:1", "tcp://[::1%]:1", "tcp://[*]:1",
        "tcp://1.2.3:1", "tcp://1.2.3.256:1", "tcp://1270.0.0.1:1", "tcp://a/b:1", "tcp://127.0.0.1:1;127.0.0.1:2", "tcp://127.0.0.1:*[1-9]",
        "tcp://127.0.0.1:!", "TCP://127.0.0.1:1", "udp://127.0.0.1:1", "inproc://x", "pgm://x:1", "", "ipc://",
        "ipc://@x", "ipc://*", "ipc:///tmp/a\nb", "ipc:///tmp/\xff"};
    for (size_t i = 0; i < sizeof both / sizeof *both; i++) {
        assert_int_equal(endpoint_check(both[i], true, &f), STATUS_OK);
        assert_int_equal(endpoint_check(both[i], false, &f), STATUS_OK);
    }
    for (size_t i = 0; i < sizeof bind_only / sizeof *bind_only; i++) {
        assert_int_equal(endpoint_check(bind_only[i], true, &f), STATUS_OK);
        assert_int_equal(endpoint_check(bind_only[i], false, &f), STATUS_BAD_REQUEST);
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_int_equal(endpoint_check(none[i], true, &f), STATUS_BAD_REQUEST);
        assert_int_equal(endpoint_check(none[i], false, &f), STATUS_BAD_REQUEST);
    }
}

static void assert_faulted(const char *address, const char *word) {
    endpoint *e = NULL;
    assert_int_not_equal(endpoint_bind(&e, &(endpoint_options){.address = address, .high_water = 8, .insecure = true}, &f), STATUS_OK);
    assert_null(e);
    if (!strstr(f.message, word)) fail_msg("%s: %s", address, f.message);
}

static void what_an_endpoint_lacks_is_named(void **state) {
    (void)state;
    assert_faulted("tcp://10.0.0.1", "tcp://10.0.0.1 has no port: write tcp://10.0.0.1:PORT");
    assert_faulted("tcp://[::1]", "has no port: write tcp://[::1]:PORT");
    assert_faulted("tcp://nowhere", "has no port");
    assert_faulted("tcp://:5555", "names no host");
    assert_faulted("tcp://::1:5555", "names no host");
    assert_faulted("tcp://a:1,tcp://b:2", "tcp://a:1,tcp://b:2 is more than one endpoint: several take a flag each");
    assert_faulted("ipc:///tmp/a; ipc:///tmp/b", "is more than one endpoint");
    assert_faulted("tcp://a:1 b:2", "names no host");
    assert_faulted("tcp://nowhere.invalid:5555", "neither an address nor a device of this host");
    assert_faulted("ipc:///tmp/trivium-no-such-folder/clients", "there is no folder /tmp/trivium-no-such-folder for the socket");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_an_endpoint),
        cmocka_unit_test(what_an_endpoint_lacks_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
