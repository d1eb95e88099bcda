/* The gate before an endpoint with keys (CURVE): what comes in boxes is counted to the byte, whoever greets otherwise gets no
 * further, and the words of ZeroMQ's own that lie in boxes do no harm. */
#include <czmq.h>
#undef LOG_INFO
#undef LOG_DEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "logits.pb-c.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/net/gate/gate.h"
#include "proto/net/wire.h"
#include "tests/support/link/gate_traffic.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { HIGH_WATER = 8, SOON_MS = 60000, BACKLOG = 64, KEY_CHARACTERS = 40 };

static char server_public[KEY_CHARACTERS + 1], server_secret[KEY_CHARACTERS + 1];
static char address[64];
static zsock_t *bound, *joiner;
static zactor_t *monitor;
static int listening = -1, number;

/* The ROUTER's, which was made to listen by hand as endpoints are. */
static void bind_with(int fd) {
    void *socket = zsock_resolve(bound);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_USE_FD, &fd, sizeof fd), 0);
    assert_int_equal(zmq_bind(socket, address), 0);
}

static void listen_by_hand(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n_at = sizeof at;
    listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&at, n_at), 0);
    assert_int_equal(listen(listening, BACKLOG), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&at, &n_at), 0);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%u", ntohs(at.sin_port));
}

static int begin(void **state) {
    (void)state;
    assert_int_equal(zmq_curve_keypair(server_public, server_secret), 0);
    bound = zsock_new(ZMQ_ROUTER);
    zsock_set_curve_server(bound, 1);
    zsock_set_curve_secretkey(bound, server_secret);
    zsock_set_rcvhwm(bound, HIGH_WATER);
    zsock_set_linger(bound, 0);
    gate_opens(MESSAGE_BYTES_MAX, GATE_KEYS);
    listen_by_hand();
    number = gate_opened();
    assert_true(number >= 0);
    bind_with(listening);
    return 0;
}

static int end(void **state) {
    (void)state;
    zsock_destroy(&bound);
    return 0;
}

/* Whatever a test has left. */
static int part(void **state) {
    (void)state;
    zactor_destroy(&monitor);
    zsock_destroy(&joiner);
    return 0;
}

/* A DEALER with a key of its own, not connected yet. */
static void new_joiner(void) {
    char public_key[KEY_CHARACTERS + 1], secret_key[KEY_CHARACTERS + 1];
    assert_int_equal(zmq_curve_keypair(public_key, secret_key), 0);
    joiner = zsock_new(ZMQ_DEALER);
    zsock_set_curve_serverkey(joiner, server_public);
    zsock_set_curve_publickey(joiner, public_key);
    zsock_set_curve_secretkey(joiner, secret_key);
    zsock_set_sndhwm(joiner, HIGH_WATER);
    zsock_set_immediate(joiner, 1);
    zsock_set_linger(joiner, 0);
}

static void join(void) {
    new_joiner();
    assert_int_equal(zsock_connect(joiner, "%s", address), 0);
}

static void send_through(size_t n_raw_bytes, size_t n_more) {
    traffic_send_through(zsock_resolve(joiner), 1, n_raw_bytes, 1, n_more);
}

static bool receive_message(int *connection) {
    return traffic_receive(zsock_resolve(bound), connection);
}

static int receive_one(void) {
    int connection = -1;
    while (!receive_message(&connection)) usleep(1000);
    return connection;
}

static void leave(void) {
    zsock_destroy(&joiner);
    assert_true(traffic_becomes(gate_connections, 0));
    assert_int_equal(gate_received_bytes(), 0);
}

static void all_that_was_taken_is_forgotten(void **state) {
    (void)state;
    join();
    assert_int_equal(gate_received_bytes(), 0);
    traffic_leaves_nothing(zsock_resolve(joiner), zsock_resolve(bound), 3000);
    leave();
}

enum { RAW_BYTES = 30000 };

static void it_is_known_whose_messages_lie_unread(void **state) {
    (void)state;
    join();
    send_through(RAW_BYTES, RAW_BYTES);
    uint64_t connection = gate_number(receive_one());
    assert_true(connection != 0);
    assert_false(gate_unread(connection));
    send_through(RAW_BYTES, RAW_BYTES);
    assert_true(gate_unread(connection));
    size_t n_waiting = traffic_settles(gate_received_bytes);
    zsock_destroy(&joiner);
    usleep(300000);
    assert_int_equal(gate_received_bytes(), n_waiting);
    assert_true(gate_unread(connection));
    receive_one();
    assert_false(gate_unread(connection));
    assert_true(traffic_becomes(gate_connections, 0));
}

static bool event_comes(const char *expected) {
    zsock_set_rcvtimeo(monitor, SOON_MS);
    bool comes = false;
    for (char *event; !comes && (event = zstr_recv(monitor)); zstr_free(&event)) comes = strcmp(event, expected) == 0;
    return comes;
}

static void watch_for(const char *event) {
    monitor = zactor_new(zmonitor, joiner);
    zstr_sendx(monitor, "LISTEN", event, NULL);
    zstr_send(monitor, "START");
    zsock_wait(monitor);
}

/* It sends a PING every millisecond, and waits for the answers as long as for anything. */
static void ping(void) {
    zsock_set_heartbeat_ivl(joiner, 1);
    zsock_set_heartbeat_timeout(joiner, SOON_MS);
}

/* Nothing comes of them that could be taken, so they must not weigh; and as nobody sees that they are PINGs, there may not be many. */
static void pings_weigh_nothing_and_do_not_go_on_without_end(void **state) {
    (void)state;
    new_joiner();
    ping();
    watch_for("DISCONNECTED");
    zsock_connect(joiner, "%s", address);
    send_through(RAW_BYTES, RAW_BYTES);
    uint64_t connection = gate_number(receive_one());
    assert_true(event_comes("DISCONNECTED"));
    assert_false(gate_unread(connection));
    assert_int_equal(gate_received_bytes(), 0);
    zactor_destroy(&monitor);
    leave();
}

/* Whoever has them sent beside messages stays. */
static void pings_between_messages_are_fine(void **state) {
    (void)state;
    enum { N_MESSAGES = 200, PAUSE_US = 5000 };
    new_joiner();
    ping();
    zsock_connect(joiner, "%s", address);
    send_through(RAW_BYTES, RAW_BYTES);
    uint64_t connection = gate_number(receive_one());
    for (int i = 0; i < N_MESSAGES; i++) {
        send_through(RAW_BYTES, RAW_BYTES);
        assert_true(gate_number(receive_one()) == connection);
        gate_sweep(number);
        gate_joined((int)(connection % DESCRIPTORS_MAX));
        usleep(PAUSE_US);
    }
    assert_false(gate_unread(connection));
    leave();
}

/* ZeroMQ ends the process where one takes the name that it is about to give to another one. */
static void a_name_that_zeromq_gives_itself_is_no_handshake(void **state) {
    (void)state;
    new_joiner();
    assert_int_equal(zmq_setsockopt(zsock_resolve(joiner), ZMQ_ROUTING_ID, "\0abcd", 5), 0);
    watch_for("DISCONNECTED");
    zsock_connect(joiner, "%s", address);
    assert_true(event_comes("DISCONNECTED"));
    zactor_destroy(&monitor);
    zsock_destroy(&joiner);
    assert_int_equal(gate_received_bytes(), 0);
    new_joiner();
    assert_int_equal(zmq_setsockopt(zsock_resolve(joiner), ZMQ_ROUTING_ID, "abcd\0", 5), 0);
    zsock_connect(joiner, "%s", address);
    send_through(RAW_BYTES, RAW_BYTES);
    receive_one();
    leave();
}

static bool cut_after_greeting_as(const char *mechanism) {
    uint8_t greeting[64] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3}, answer[256];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memcpy(greeting + 12, mechanism, strlen(mechanism));
    at.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(send(fd, greeting, sizeof greeting, 0), sizeof greeting);
    struct timeval patience = {.tv_sec = 1};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ssize_t n;
    do n = recv(fd, answer, sizeof answer, 0);
    while (n > 0);
    bool cut = n == 0 || errno == ECONNRESET;
    close(fd);
    return cut;
}

static void whoever_greets_otherwise_gets_no_further(void **state) {
    (void)state;
    assert_true(cut_after_greeting_as("NULL"));
    assert_true(cut_after_greeting_as("PLAIN"));
    assert_false(cut_after_greeting_as("CURVE"));
    assert_true(traffic_becomes(gate_connections, 0));
}

/* As a loop does: what was under way when a connection ended may never come. */
static void take_all_until_there_are(size_t n_connections) {
    for (uint64_t begun_ms = clock_ms(); gate_connections() > n_connections; usleep(1000)) {
        assert_true(clock_ms() - begun_ms < SOON_MS);
        uint64_t moment = gate_moment();
        int unused;
        while (receive_message(&unused)) {}
        gate_all_taken(number, moment);
    }
}

/* As when a key is replaced: the one before ends with all that came through it, and the endpoint goes on. */
static void a_duplicate_listens_for_the_same_endpoint(void **state) {
    (void)state;
    join();
    send_through(RAW_BYTES, RAW_BYTES);
    uint64_t before = gate_number(receive_one());
    int duplicate = fcntl(listening, F_DUPFD_CLOEXEC, 0);
    assert_int_equal(gate_descriptor(number), listening);
    gate_listens_too(number, duplicate);
    assert_int_equal(gate_descriptor(number), duplicate);
    assert_int_equal(zmq_unbind(zsock_resolve(bound), address), 0);
    bind_with(duplicate);
    listening = duplicate;
    int connection = -1;
    for (uint64_t begun_ms = clock_ms(); gate_number(connection) <= before; usleep(1000)) {     /* it connects anew by itself */
        assert_true(clock_ms() - begun_ms < SOON_MS);
        traffic_send(zsock_resolve(joiner), 1, RAW_BYTES, 1);
        receive_message(&connection);
    }
    take_all_until_there_are(1);
    assert_int_equal(gate_descriptor(number), duplicate);
    for (int i = 0; i < GATE_HELLO_SWEEPS; i++) gate_sweep(number);
    zsock_destroy(&joiner);
    take_all_until_there_are(0);
    assert_int_equal(gate_received_bytes(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(all_that_was_taken_is_forgotten, part),
        cmocka_unit_test_teardown(it_is_known_whose_messages_lie_unread, part),
        cmocka_unit_test_teardown(pings_weigh_nothing_and_do_not_go_on_without_end, part),
        cmocka_unit_test_teardown(pings_between_messages_are_fine, part),
        cmocka_unit_test_teardown(a_name_that_zeromq_gives_itself_is_no_handshake, part),
        cmocka_unit_test_teardown(whoever_greets_otherwise_gets_no_further, part),
        cmocka_unit_test_teardown(a_duplicate_listens_for_the_same_endpoint, part),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
