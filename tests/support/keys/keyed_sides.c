#include "keyed_sides.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/support/log_catch.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

key_folder here, there;
key_pair server, joiner;
keys *bound_keys, *joining_keys;
char bound_address[ENDPOINT_BYTES_MAX];

int keyed_sides_begin(void **state) {
    failure f;
    if (sides_begin(state) != 0) return -1;
    key_folder_make(&here);
    key_folder_make(&there);
    server = key_pair_new();
    joiner = key_pair_new();
    key_folder_put_server(&here, ROLE_MODELD, &server);
    key_folder_put_known(&there, ROLE_MODELD, false, &server);
    key_folder_put_own(&there, ROLE_SAMPLERD, &joiner);
    assert_int_equal(keys_open(&bound_keys, here.path, test_loop, &f), STATUS_OK);
    assert_int_equal(keys_open(&joining_keys, there.path, test_loop, &f), STATUS_OK);
    sides_prepare(LIVENESS_BOTH);
    up.options.heartbeat_ms = down.options.heartbeat_ms = HEARTBEAT_MS;     /* nobody is to be lost where a machine is busy */
    up.where.address = "tcp://127.0.0.1:*";
    up.where.link = down.where.link = LINK_LOGITS;
    up.where.keys = bound_keys;
    down.where.keys = joining_keys;
    return 0;
}

int keyed_sides_end(void **state) {
    log_catch_end();
    peers_free(&down.ps);
    peers_free(&up.ps);
    keys_close(&joining_keys);
    keys_close(&bound_keys);
    key_folder_remove(&here);
    key_folder_remove(&there);
    return sides_end(state);
}

void authorise(const char *rights) {
    key_folder_authorise(&here, LINK_LOGITS, "joiner", &joiner, rights);
}

void open_bound(void) {
    side_open(&up, true);
    snprintf(bound_address, sizeof bound_address, "%s", peers_address(up.ps));
    down.where.address = bound_address;
}

void open_both(void) {
    open_bound();
    side_open(&down, false);
}

void join_both(void) {
    open_both();
    assert_true(becomes(both_joined));
}

bool down_is_refused(void) {
    return peers_reached(down.ps) == REACH_NO_HANDSHAKE;
}
