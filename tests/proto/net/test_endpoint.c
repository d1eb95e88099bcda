/* Endpoints: who may bind where, the lock beside a socket, what stays afterwards and what is refused. */
#include <czmq.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.pb-c.h"
#include "proto/base/limits.h"
#include "proto/net/endpoint/endpoint.h"
#include "proto/net/wire.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { SOON_MS = 60000 };

static char folder[64], address[160], socket_path[128], lock_path[160];
static failure f;

static int folder_make(void **state) {
    (void)state;
    strcpy(folder, "/tmp/test_endpoint.XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(socket_path, sizeof socket_path, "%s/socket", folder);
    snprintf(address, sizeof address, "ipc://%s", socket_path);
    snprintf(lock_path, sizeof lock_path, "%s.lock", socket_path);
    return 0;
}

static int folder_remove(void **state) {
    (void)state;
    unlink(socket_path);
    unlink(lock_path);
    return rmdir(folder); /* nothing else may be left there */
}

static status bind_at(endpoint **out, const char *where) {
    return endpoint_bind(out, &(endpoint_options){.address = where, .high_water = 8, .insecure = true}, &f);
}

static status join_at(endpoint **out, const char *where) {
    return endpoint_join(out, &(endpoint_options){.address = where, .high_water = 8, .insecure = true}, &f);
}

static bool exists(const char *path) {
    return access(path, F_OK) == 0;
}

/* One message from a DEALER to a ROUTER. */
static void assert_connected(const endpoint *router, const endpoint *dealer) {
    zsock_set_sndtimeo(endpoint_socket(dealer), SOON_MS);
    zsock_set_rcvtimeo(endpoint_socket(router), SOON_MS);
    assert_int_equal(zstr_send(endpoint_socket(dealer), "hello"), 0);
    zmsg_t *message = zmsg_recv(endpoint_socket(router));
    assert_non_null(message);
    assert_int_equal(zmsg_size(message), 2);
    zmsg_destroy(&message);
}

static void both_sides_meet(void **state) {
    (void)state;
    endpoint *bound, *joined;
    assert_int_equal(join_at(&joined, address), STATUS_OK); /* before there is anybody */
    assert_int_equal(bind_at(&bound, address), STATUS_OK);
    assert_true(endpoint_bound(bound));
    assert_false(endpoint_bound(joined));
    assert_string_equal(endpoint_address(bound), address);
    assert_connected(bound, joined);
    endpoint_close(&joined);
    endpoint_close(&bound);
    assert_null(bound);
    assert_false(exists(socket_path));
    assert_false(exists(lock_path));
    endpoint_close(&bound);
}

/* A broken connection is told once, and none where nothing broke. */
static void a_broken_connection_is_told(void **state) {
    (void)state;
    endpoint *bound, *joined;
    assert_int_equal(bind_at(&bound, address), STATUS_OK);
    assert_int_equal(join_at(&joined, address), STATUS_OK);
    assert_connected(bound, joined);
    assert_false(endpoint_broke(joined));
    endpoint_close(&bound);
    zmq_pollitem_t item = {.socket = endpoint_monitor(joined), .events = ZMQ_POLLIN};
    assert_int_equal(zmq_poll(&item, 1, SOON_MS), 1);
    assert_true(endpoint_broke(joined));
    assert_false(endpoint_broke(joined));
    endpoint_close(&joined);
}

/* The bound side hears of each connection that breaks, by the descriptor that its messages came through. */
static void a_bound_one_knows_whose_connection_broke(void **state) {
    (void)state;
    endpoint *bound, *joined;
    int sender, broken;
    wire_message m;
    Trivium__Envelope envelope = TRIVIUM__ENVELOPE__INIT;
    assert_int_equal(bind_at(&bound, address), STATUS_OK);
    assert_int_equal(join_at(&joined, address), STATUS_OK);
    assert_connected(bound, joined);
    assert_false(endpoint_next_broken(bound, &broken));
    envelope.control = &(Trivium__Control)TRIVIUM__CONTROL__INIT;
    assert_int_equal(wire_send(endpoint_socket(joined), NULL, &envelope.base, NULL, 0), STATUS_OK);
    zmq_pollitem_t readable = {.socket = endpoint_socket(bound), .events = ZMQ_POLLIN};
    assert_int_equal(zmq_poll(&readable, 1, SOON_MS), 1);
    assert_int_equal(wire_receive(endpoint_socket(bound), &trivium__envelope__descriptor, &m), STATUS_OK);
    sender = m.connection;
    wire_release(&m);
    endpoint_close(&joined);
    readable.socket = endpoint_monitor(bound);
    assert_int_equal(zmq_poll(&readable, 1, SOON_MS), 1);
    assert_true(endpoint_next_broken(bound, &broken));
    assert_true(broken >= 0 && broken == sender);
    assert_false(endpoint_next_broken(bound, &broken));
    endpoint_close(&bound);
}

/* What it says of the other side, after so many reports of the connection that `wanted` comes. */
static bool reaches(endpoint *joined, endpoint_reach wanted) {
    zmq_pollitem_t item = {.socket = endpoint_monitor(joined), .events = ZMQ_POLLIN};
    while (endpoint_reached(joined) != wanted && zmq_poll(&item, 1, SOON_MS) == 1) {
        bool broke = endpoint_broke(joined);
        assert_true(!broke || wanted == REACH_REFUSED);     /* ZeroMQ closes a listener some time after it is told to */
    }
    return endpoint_reached(joined) == wanted;
}

static void how_far_a_joining_one_came_is_known(void **state) {
    (void)state;
    endpoint *bound, *joined;
    char there[ENDPOINT_BYTES_MAX];
    assert_int_equal(bind_at(&bound, "tcp://127.0.0.1:*"), STATUS_OK);
    strcpy(there, endpoint_address(bound));
    endpoint_close(&bound);
    assert_int_equal(join_at(&joined, there), STATUS_OK);
    assert_int_equal(endpoint_reached(joined), REACH_SILENT);
    assert_true(reaches(joined, REACH_REFUSED));
    assert_int_equal(bind_at(&bound, there), STATUS_OK);
    assert_true(reaches(joined, REACH_SILENT));     /* connected, and nothing more */
    endpoint_close(&joined);
    endpoint_close(&bound);
    assert_int_equal(join_at(&joined, address), STATUS_OK);     /* a socket file that is not there */
    assert_int_equal(endpoint_reached(joined), REACH_SILENT);
    assert_true(reaches(joined, REACH_REFUSED));
    endpoint_close(&joined);
}

/* Connections to a listener whose queue is full are neither taken nor refused. */
static void a_connection_that_hangs_is_silent(void **state) {
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n_bytes = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0), waiting[4];
    assert_int_equal(bind(listener, (struct sockaddr *)&at, n_bytes), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &n_bytes), 0);
    for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++) {
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(waiting[i], (struct sockaddr *)&at, sizeof at);
    }
    char there[ENDPOINT_BYTES_MAX];
    snprintf(there, sizeof there, "tcp://127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
    endpoint *joined;
    assert_int_equal(join_at(&joined, there), STATUS_OK);
    assert_true(reaches(joined, REACH_SILENT));
    endpoint_close(&joined);
    for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++) close(waiting[i]);
    close(listener);
}

/* Whatever the order in which they go, ZeroMQ's only I/O thread serves the next ones. */
static void closing_harms_no_other_socket(void **state) {
    (void)state;
    endpoint *bound, *joined;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(bind_at(&bound, address), STATUS_OK);
        assert_int_equal(join_at(&joined, address), STATUS_OK);
        assert_connected(bound, joined);
        endpoint_close(i % 2 ? &joined : &bound);
        endpoint_close(i % 2 ? &bound : &joined);
    }
}

static void a_second_bind_is_refused(void **state) {
    (void)state;
    endpoint *first, *second = NULL, *joined;
    assert_int_equal(bind_at(&first, address), STATUS_OK);
    assert_int_equal(bind_at(&second, address), STATUS_BUSY);
    assert_null(second);
    char pid[32];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    assert_non_null(strstr(f.message, socket_path));
    assert_non_null(strstr(f.message, pid));

    /* The refusal took nothing away from the first. */
    assert_int_equal(join_at(&joined, address), STATUS_OK);
    assert_connected(first, joined);
    endpoint_close(&joined);
    endpoint_close(&first);
}

/* ZeroMQ removes a socket file of its own some time after the close: it must not be the next one's.
 */
static void the_next_one_may_bind_at_once(void **state) {
    (void)state;
    endpoint *bound, *joined;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(bind_at(&bound, address), STATUS_OK);
        assert_true(exists(socket_path));
        endpoint_close(&bound);
    }
    assert_int_equal(bind_at(&bound, address), STATUS_OK);
    usleep(50000);
    assert_true(exists(socket_path));
    assert_int_equal(join_at(&joined, address), STATUS_OK);
    assert_connected(bound, joined);
    endpoint_close(&joined);
    endpoint_close(&bound);
}

static void what_a_dead_process_left_is_taken_over(void **state) {
    (void)state;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        endpoint *held;
        char answer = bind_at(&held, address) == STATUS_OK ? 'y' : 'n';
        if (write(ready[1], &answer, 1) != 1) _exit(1);
        for (;;) pause();
    }
    char answer = 0;
    assert_int_equal(read(ready[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    endpoint *bound = NULL;
    assert_int_equal(bind_at(&bound, address), STATUS_BUSY);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_true(exists(socket_path));
    assert_true(exists(lock_path));
    assert_int_equal(bind_at(&bound, address), STATUS_OK);
    endpoint *joined;
    assert_int_equal(join_at(&joined, address), STATUS_OK);
    assert_connected(bound, joined);
    endpoint_close(&joined);
    endpoint_close(&bound);
    close(ready[0]);
    close(ready[1]);
}

static void a_file_that_is_no_socket_is_left_alone(void **state) {
    (void)state;
    FILE *file = fopen(socket_path, "w");
    assert_non_null(file);
    fclose(file);
    endpoint *bound = NULL;
    assert_int_equal(bind_at(&bound, address), STATUS_IO);
    assert_true(exists(socket_path));
    assert_false(exists(lock_path));
}

static void the_longest_path_and_one_more(void **state) {
    (void)state;
    char path[IPC_PATH_BYTES_MAX + 2], long_address[sizeof path + 6];
    memset(path, 'a', sizeof path);
    memcpy(path, folder, strlen(folder));
    path[strlen(folder)] = '/';
    path[IPC_PATH_BYTES_MAX] = 0;
    snprintf(long_address, sizeof long_address, "ipc://%s", path);
    endpoint *bound = NULL;
    assert_int_equal(bind_at(&bound, long_address), STATUS_OK);
    endpoint_close(&bound);

    path[IPC_PATH_BYTES_MAX] = 'a';
    path[IPC_PATH_BYTES_MAX + 1] = 0;
    snprintf(long_address, sizeof long_address, "ipc://%s", path);
    assert_int_equal(bind_at(&bound, long_address), STATUS_TOO_LONG);
    assert_non_null(strstr(f.message, "107"));
    assert_int_equal(join_at(&bound, long_address), STATUS_TOO_LONG);
}

static void a_missing_folder_is_not_made(void **state) {
    (void)state;
    char missing[160];
    snprintf(missing, sizeof missing, "ipc://%s/none/socket", folder);
    endpoint *bound = NULL;
    assert_int_equal(bind_at(&bound, missing), STATUS_IO);
    assert_non_null(strstr(f.message, "none"));
}

static void other_addresses_are_refused(void **state) {
    (void)state;
    static const char *const none[] = {"", "ipc", "ipc://", "ipc://@abstract", "ipc://*", "/tmp/x",
                                       "inproc://x", "pgm://x", "udp://127.0.0.1:1"};
    endpoint *e = NULL;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_int_equal(bind_at(&e, none[i]), STATUS_BAD_REQUEST);
        assert_int_equal(join_at(&e, none[i]), STATUS_BAD_REQUEST);
    }
    assert_int_equal(join_at(&e, "tcp://nowhere"), STATUS_BAD_REQUEST);
    char long_address[ENDPOINT_BYTES_MAX + 16] = "tcp://";
    memset(long_address + 6, '1', sizeof long_address - 7);
    assert_int_equal(join_at(&e, long_address), STATUS_TOO_LONG);
    assert_null(e);
}

static void tcp_has_keys_or_is_insecure(void **state) {
    (void)state;
    static const char *const addresses[] = {"tcp://0.0.0.0:*", "tcp://127.0.0.1:*", "tcp://[::1]:*", "tcp://eth0:1"};
    endpoint *e = NULL;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        endpoint_options open = {.address = addresses[i], .high_water = 8};
        assert_int_equal(endpoint_bind(&e, &open, &f), STATUS_BAD_REQUEST);
        assert_non_null(strstr(f.message, "--insecure"));
        assert_non_null(strstr(f.message, "--keys"));
        assert_null(e);
    }
    endpoint_options joining = {.address = "tcp://127.0.0.1:5555", .high_water = 8};
    assert_int_equal(endpoint_join(&e, &joining, &f), STATUS_BAD_REQUEST);
    assert_non_null(strstr(f.message, "--keys"));
    assert_int_equal(bind_at(&e, "tcp://0.0.0.0:*"), STATUS_OK);
    endpoint_close(&e);
}

static void tcp_on_loopback(void **state) {
    (void)state;
    endpoint *bound, *joined, *second = NULL;
    assert_int_equal(bind_at(&bound, "tcp://127.0.0.1:*"), STATUS_OK);
    assert_null(strchr(endpoint_address(bound), '*')); /* the port that it really has */
    assert_int_equal(join_at(&joined, endpoint_address(bound)), STATUS_OK);
    assert_connected(bound, joined);
    assert_int_equal(bind_at(&second, endpoint_address(bound)), STATUS_BUSY);
    endpoint_close(&joined);
    endpoint_close(&bound);
}

/* False where the host is without IPv6. */
static bool has_six(void) {
    struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&own, sizeof own) == 0;
    if (fd >= 0) close(fd);
    return has;
}

static void all_addresses_are_of_both_kinds(void **state) {
    (void)state;
    static const char *const hosts[] = {"tcp://127.0.0.1", "tcp://[::1]"};
    endpoint *bound, *joined;
    char there[64];
    assert_int_equal(bind_at(&bound, "tcp://*:*"), STATUS_OK);
    for (size_t i = 0; i < (has_six() ? 2 : 1); i++) {
        snprintf(there, sizeof there, "%s%s", hosts[i], strrchr(endpoint_address(bound), ':'));
        assert_int_equal(join_at(&joined, there), STATUS_OK);
        assert_connected(bound, joined);
        endpoint_close(&joined);
    }
    endpoint_close(&bound);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(
            what_a_dead_process_left_is_taken_over), /* first: it forks before there are threads */
        IN_FOLDER(both_sides_meet),
        IN_FOLDER(a_broken_connection_is_told),
        IN_FOLDER(a_bound_one_knows_whose_connection_broke),
        IN_FOLDER(how_far_a_joining_one_came_is_known),
        IN_FOLDER(a_connection_that_hangs_is_silent),
        IN_FOLDER(closing_harms_no_other_socket),
        IN_FOLDER(a_second_bind_is_refused),
        IN_FOLDER(the_next_one_may_bind_at_once),
        IN_FOLDER(a_file_that_is_no_socket_is_left_alone),
        IN_FOLDER(the_longest_path_and_one_more),
        IN_FOLDER(a_missing_folder_is_not_made),
        cmocka_unit_test(other_addresses_are_refused),
        cmocka_unit_test(tcp_has_keys_or_is_insecure),
        cmocka_unit_test(tcp_on_loopback),
        cmocka_unit_test(all_addresses_are_of_both_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
