/* The gate before an endpoint: what came in and was not taken is counted to the byte, and strangers keep nobody out. */
#include <czmq.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "logits.pb-c.h"
#include "proto/base/clock.h"
#include "proto/net/endpoint/endpoint.h"
#include "proto/net/gate/gate.h"
#include "proto/net/wire.h"
#include "tests/support/link/gate_traffic.h"
#include "tests/support/link/place.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { HIGH_WATER = 8, FILES = 256 };

static place at;
static endpoint *bound, *joined;

static endpoint_options here(void) {
    return (endpoint_options){.address = at.address, .high_water = HIGH_WATER};
}

/* Few files may be open when the first endpoint is bound; then again as many as it takes to be many clients. */
static int begin(void **state) {
    (void)state;
    place_make(&at);
    struct rlimit before, few;
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = FILES;
    setrlimit(RLIMIT_NOFILE, &few);
    failure f;
    const endpoint_options options = here();
    status st = endpoint_bind(&bound, &options, &f);
    before.rlim_cur = before.rlim_max < 4096 ? before.rlim_max : 4096;
    setrlimit(RLIMIT_NOFILE, &before);
    return st == STATUS_OK ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    endpoint_close(&joined);
    endpoint_close(&bound);
    return place_remove(&at) ? 0 : -1;
}

static void join(void) {
    failure f;
    const endpoint_options options = here();
    assert_int_equal(endpoint_join(&joined, &options, &f), STATUS_OK);
}

static void send_through(size_t n_header, size_t n_raw_bytes, size_t n_raw, size_t n_more) {
    traffic_send_through(endpoint_socket(joined), n_header, n_raw_bytes, n_raw, n_more);
}

static bool receive_message(void) {
    return traffic_receive(endpoint_socket(bound), NULL);
}

static void all_that_was_taken_is_forgotten(void **state) {
    (void)state;
    join();
    traffic_leaves_nothing(endpoint_socket(joined), endpoint_socket(bound), 10000);
}

/* It is counted until it is taken, and its descriptor names nobody else until then. */
static void what_a_closed_connection_sent_counts_until_it_is_taken(void **state) {
    (void)state;
    join();
    send_through(1000, 50000, 2, 60000);
    size_t n_waiting = traffic_settles(gate_received_bytes), n_there = gate_connections();
    endpoint_close(&joined);
    usleep(300000);
    assert_int_equal(gate_received_bytes(), n_waiting);
    assert_int_equal(gate_connections(), n_there);
    assert_true(receive_message());
    assert_int_equal(gate_received_bytes(), 0);
    assert_true(traffic_becomes(gate_connections, n_there - 1));
}

/* What nobody could take when nothing was left was dropped, by whoever had it: it neither weighs nor keeps a place. */
static void what_was_dropped_with_a_closed_connection_is_forgotten(void **state) {
    (void)state;
    join();
    send_through(1000, 50000, 2, 60000);
    uint64_t before = gate_moment();
    endpoint_close(&joined);
    while (gate_moment() == before) usleep(1000);
    gate_all_taken(endpoint_listener(bound), before);
    assert_int_equal(gate_connections(), 1);
    assert_true(gate_received_bytes() >= 60000);
    gate_all_taken(endpoint_listener(bound), gate_moment());
    assert_int_equal(gate_connections(), 0);
    assert_int_equal(gate_received_bytes(), 0);
    while (receive_message()) {}        /* here it had not been dropped: it counts for nobody */
    assert_int_equal(gate_received_bytes(), 0);
}

enum { RAW_BYTES = 30000 };

/* Most of it has come through the gate when this returns. */
static void send_one(void) {
    send_through(1, RAW_BYTES, 1, RAW_BYTES);
}

static void receive_one(wire_message *m) {
    status st;
    while ((st = wire_receive(endpoint_socket(bound), &trivium__logits_request__descriptor, m)) == STATUS_NOT_FOUND) usleep(1000);
    assert_int_equal(st, STATUS_OK);
}

/* Also when its descriptor is another one's. */
static void it_is_known_whose_messages_lie_unread(void **state) {
    (void)state;
    wire_message m;
    join();
    send_one();
    receive_one(&m);
    int connection = m.connection;
    uint64_t number = gate_number(connection);
    wire_release(&m);
    assert_true(number != 0);
    assert_false(gate_unread(number));
    send_one();
    assert_true(gate_unread(number));
    endpoint_close(&joined);
    receive_one(&m);
    wire_release(&m);
    assert_false(gate_unread(number));
    assert_true(traffic_becomes(gate_connections, 0));
    assert_true(gate_number(connection) == 0);
    join();
    send_one();
    assert_false(gate_unread(number));
    receive_one(&m);
    assert_true(gate_number(m.connection) > number);
    gate_shut(number);      /* of the one that is gone: the one that has its descriptor stays */
    send_one();
    wire_release(&m);
    receive_one(&m);
    gate_shut(gate_number(m.connection));
    wire_release(&m);
    assert_true(traffic_becomes(gate_connections, 0));
    endpoint_close(&joined);
    assert_true(traffic_becomes(gate_connections, 0));
}

static int connect_bare(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, at.address + strlen("ipc://"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* The other side has ended it; what it said before is read over. */
static bool is_cut(int fd) {
    char bytes[64];
    ssize_t n = 0;
    do n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    while (n > 0);
    return n == 0;
}

static void the_oldest_stranger_goes_for_a_newcomer(void **state) {
    (void)state;
    enum { N_EXTRA = 5 };
    size_t n_max = gate_connections_max();
    assert_in_range(n_max, 16, FILES);
    int fds[FILES + N_EXTRA];
    for (size_t i = 0; i < n_max; i++) fds[i] = connect_bare();
    assert_true(traffic_becomes(gate_connections, n_max));
    assert_false(is_cut(fds[0]));
    for (size_t i = n_max; i < n_max + N_EXTRA; i++) fds[i] = connect_bare();
    for (size_t i = 0; i < N_EXTRA; i++)
        while (!is_cut(fds[i])) usleep(1000);
    assert_false(is_cut(fds[n_max + N_EXTRA - 1]));
    assert_true(traffic_becomes(gate_connections, n_max));
    for (size_t i = 0; i < n_max + N_EXTRA; i++) close(fds[i]);
    assert_true(traffic_becomes(gate_connections, 0));
}

static void who_says_no_hello_is_cut(void **state) {
    (void)state;
    int silent = connect_bare();
    assert_true(traffic_becomes(gate_connections, 1));
    for (int i = 1; i < GATE_HELLO_SWEEPS; i++) gate_sweep(endpoint_listener(bound));
    assert_false(is_cut(silent));
    gate_sweep(endpoint_listener(bound));
    while (!is_cut(silent)) usleep(1000);
    close(silent);
    assert_true(traffic_becomes(gate_connections, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_closed_connection_sent_counts_until_it_is_taken),
        cmocka_unit_test(what_was_dropped_with_a_closed_connection_is_forgotten),
        cmocka_unit_test(it_is_known_whose_messages_lie_unread),
        cmocka_unit_test(the_oldest_stranger_goes_for_a_newcomer),
        cmocka_unit_test(who_says_no_hello_is_cut),
        cmocka_unit_test(all_that_was_taken_is_forgotten),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
