/* What a peer is called on a ROUTER, where it has chosen its name by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "logits.pb-c.h"
#include "proto/net/endpoint/endpoint.h"
#include "proto/net/wire.h"
#include "tests/support/link/place.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { SOON_MS = 20000 };

static place meeting;
static endpoint *bound;

static int begin(void **state) {
    (void)state;
    failure f;
    place_make(&meeting);
    return endpoint_bind(&bound, &(endpoint_options){.address = meeting.address, .high_water = 10}, &f) == STATUS_OK ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    endpoint_close(&bound);
    return place_remove(&meeting) ? 0 : -1;
}

/* wire_receive, once something has come. */
static status receive(wire_message *m) {
    zmq_poll(&(zmq_pollitem_t){.socket = endpoint_socket(bound), .events = ZMQ_POLLIN}, 1, SOON_MS);
    return wire_receive(endpoint_socket(bound), &trivium__logits_request__descriptor, m);
}

/* A stranger that names itself, in bytes of its own: longer than ZeroMQ lets anybody be called who uses it. */
static int stranger_named(uint32_t n_bytes) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", meeting.address + strlen("ipc://"));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    static const uint8_t greeting[64] = "\xff\0\0\0\0\0\0\0\0\x7f\3\1NULL";
    static const char words[] = "\5READY\x0bSocket-Type\0\0\0\6DEALER\10Identity\0\0";
    uint8_t ready[512] = {6};     /* a long command */
    size_t n_type = sizeof words - 1, n_body = n_type + 2 + n_bytes;
    ready[7] = (uint8_t)(n_body >> 8), ready[8] = (uint8_t)n_body;
    memcpy(ready + 9, words, n_type);
    ready[9 + n_type] = (uint8_t)(n_bytes >> 8), ready[10 + n_type] = (uint8_t)n_bytes;
    memset(ready + 11 + n_type, 'i', n_bytes);
    assert_int_equal(write(fd, greeting, sizeof greeting), sizeof greeting);
    assert_int_equal(write(fd, ready, 9 + n_body), 9 + n_body);
    uint8_t theirs[sizeof greeting + UINT8_MAX];    /* what comes before all this was said counts as a part of it */
    assert_int_equal(recv(fd, theirs, sizeof greeting + 2, MSG_WAITALL), sizeof greeting + 2);
    assert_int_equal(recv(fd, theirs, theirs[sizeof greeting + 1], MSG_WAITALL), theirs[sizeof greeting + 1]);
    assert_int_equal(write(fd, "\1\2ab\0\1c", 7), 7);
    return fd;
}

static void whoever_has_a_name_too_long_is_not_heard(void **state) {
    (void)state;
    const uint32_t sizes[] = {ROUTING_BYTES_MAX + 1, 400, ROUTING_BYTES_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int fd = stranger_named(sizes[i]);
        wire_message m;
        assert_int_equal(receive(&m), STATUS_BAD_MESSAGE);
        assert_int_equal(m.route.n_bytes, sizes[i] == ROUTING_BYTES_MAX ? ROUTING_BYTES_MAX : 0);
        assert_int_equal(wire_receive(endpoint_socket(bound), &trivium__logits_request__descriptor, &m), STATUS_NOT_FOUND);
        close(fd);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whoever_has_a_name_too_long_is_not_heard, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
