/* Joining anew: after handshakes that were refused, after a loss, after silence. */
#include <czmq.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "tests/support/link/sides.h"
#include "tests/support/link/turns.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static char there[ENDPOINT_BYTES_MAX];

/* ---- whoever refuses each handshake ---- */

static zsock_t *refusing;
static void *reports;
static size_t n_refused;        /* handshakes */

/* A ROUTER that speaks CURVE alone, which the joining side of these tests does not. */
static void refuse_at(const char *address) {
    zcert_t *key = zcert_new();
    refusing = zsock_new(ZMQ_ROUTER);
    zsock_set_curve_server(refusing, 1);
    zcert_apply(key, refusing);
    zcert_destroy(&key);
    zsock_set_linger(refusing, 0);
    void *socket = zsock_resolve(refusing);
    n_refused = 0;
    assert_int_equal(zmq_socket_monitor(socket, "inproc://refusing", ZMQ_EVENT_DISCONNECTED), 0);
    reports = zsock_new_pair(">inproc://refusing");
    assert_non_null(reports);
    uint64_t end_ms = clock_ms() + SOON_MS;
    while (zmq_bind(socket, address) != 0 && clock_ms() < end_ms) usleep(1000);
    char *actual = zsock_last_endpoint(refusing);
    snprintf(there, sizeof there, "%s", actual);
    freen(actual);
}

static void count_refused(void) {
    while (zsock_events(reports) & ZMQ_POLLIN) {
        zmsg_t *report = zmsg_recv(reports);
        n_refused += report != NULL;
        zmsg_destroy(&report);
    }
}

static void refuse_no_longer(void) {
    zmq_socket_monitor(zsock_resolve(refusing), NULL, 0);
    zsock_destroy((zsock_t **)&reports);
    zsock_destroy(&refusing);
}

static bool refused_four(void) {
    count_refused();
    return n_refused >= 4;
}

static side side_there(const char *name) {
    side s = side_of(name, LIVENESS_BOTH);
    s.where.address = there;
    s.where.insecure = true;
    return s;
}

/* The port may be taken for a moment more. */
static void bind_up(void) {
    failure f;
    up = side_there("bound");
    up.options.hello = &up.hello;
    up.options.context = &up;
    up.options.incarnation = peers_incarnation();
    uint64_t end_ms = clock_ms() + SOON_MS;
    while (peers_bind(&up.ps, test_loop, &up.where, &up.options, &f) != STATUS_OK && clock_ms() < end_ms) usleep(1000);
    assert_non_null(up.ps);
}

/* ---- tests ---- */

/* ZeroMQ itself tries once, and never again. */
static void a_refused_handshake_is_tried_again(void **state) {
    (void)state;
    refuse_at("tcp://127.0.0.1:*");
    down = side_there("joiner");
    side_open(&down, false);
    uint64_t begun_ms = clock_ms();
    assert_true(becomes(refused_four));
    assert_true(clock_ms() - begun_ms >= 7 * REJOIN_MS_MIN);    /* after 1, 2 and 4 of these */
    assert_int_equal(peers_reached(down.ps), REACH_NO_HANDSHAKE);
    refuse_no_longer();
    bind_up();
    assert_true(becomes(both_joined));
    assert_int_equal(down.n_left + up.n_left, 0);
}

/* Whoever refused before, and comes and goes. */
static void one_that_is_lost_is_joined_again(void **state) {
    (void)state;
    refuse_at("tcp://127.0.0.1:*");
    down = side_there("joiner");
    side_open(&down, false);
    assert_true(becomes(refused_four));
    refuse_no_longer();
    bind_up();
    assert_true(becomes(both_joined));
    run_ms(2 * REJOIN_MS_MIN);
    peers_free(&up.ps);
    assert_true(becomes(down_left));
    bind_up();
    assert_true(becomes(both_joined));
    assert_string_equal(peer_name(up.last), "joiner");
}

/* Leaving, while nobody is there and the next try waits, takes no time and leaves nothing. */
static void it_can_end_in_a_pause(void **state) {
    (void)state;
    refuse_at("tcp://127.0.0.1:*");
    down = side_there("joiner");
    side_open(&down, false);
    assert_true(becomes(refused_four));
    peers_free(&down.ps);
    refuse_no_longer();
}

/* Whoever is silent for good has a new connection, on which a Hello comes first. */
static void after_silence_the_connection_is_another_one(void **state) {
    (void)state;
    down_with_fake(LIVENESS_BOTH);
    fake_peer_say_hello(&fake, hello_beating(HEARTBEAT_MS_MIN));
    assert_true(becomes(down_joined));
    assert_true(becomes(down_left));
    assert_non_null(strstr(down.why, "silent"));
    HEARS(LEAVE);
    HEARS(HELLO);
    fake_peer_say_hello(&fake, hello_beating(HEARTBEAT_MS_MAX));
    assert_true(becomes(down_joined));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_refused_handshake_is_tried_again),
        TEST(one_that_is_lost_is_joined_again),
        TEST(it_can_end_in_a_pause),
        TEST(after_silence_the_connection_is_another_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
