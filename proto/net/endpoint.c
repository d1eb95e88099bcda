#include "endpoint.h"

#include <arpa/inet.h>
#include <czmq.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gate/gate.h"
#include "monitor.h"
#include "proto/base/limits.h"
#include "proto/base/process/lockfile.h"
#include "proto/base/process/resources.h"
#include "proto/base/text.h"

enum {
    LINGER_MS = 100,
    HANDSHAKE_MS = 3000, /* until both sides have said what they speak */
    BACKLOG = PEERS_MAX, /* connections not yet accepted: all clients may come back at once */
};

_Static_assert(IPC_PATH_BYTES_MAX == sizeof((struct sockaddr_un){0}.sun_path) - 1,
               "what a Unix socket's address holds");

struct endpoint {
    zsock_t *zsock;
    monitor *monitor;
    char address[ENDPOINT_BYTES_MAX];
    const char *path;           /* of a bound ipc socket, within `address`; else NULL */
    char lock_path[IPC_PATH_BYTES_MAX + sizeof ".lock"];
    int lock_fd;
    int listener;
    bool bound;
    endpoint_reach reach;
    bool had_socket;            /* this try to connect came so far */
};

/* ---- Addresses ---- */

static const char *after(const char *text, const char *prefix) {
    size_t n = strlen(prefix);
    return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

static status check_ipc_path(const char *path, failure *f) {
    /* '@' names a socket outside the file system, '*' one in a folder of ZeroMQ's own: neither can
     * have a lock beside it or a folder that keeps others out. */
    if (path[0] == 0 || path[0] == '@' || path[0] == '*')
        return fail(f, STATUS_BAD_REQUEST, "ipc://%s names no socket file", path);
    return STATUS_OK;
}

/* From 1 to 65535; a bind may leave it to the system, too. */
static bool is_port(const char *text, bool binds) {
    if (strcmp(text, "*") == 0 || strcmp(text, "0") == 0) return binds;
    size_t n_digits = strspn(text, "0123456789");
    unsigned long port = n_digits <= 5 && text[n_digits] == 0 ? strtoul(text, NULL, 10) : 0;
    return port >= 1 && port <= UINT16_MAX;
}

/* "[::1]", "[fe80::2%eth0]". */
static bool is_ipv6(const char *host, size_t n_bytes) {
    char inner[INET6_ADDRSTRLEN] = "";
    struct in6_addr address;
    if (n_bytes < 2 || host[n_bytes - 1] != ']') return false;
    const char *zone = memchr(host, '%', n_bytes);
    size_t n_inner = (zone ? (size_t)(zone - host) : n_bytes - 1) - 1;
    if (n_inner >= sizeof inner || (zone && zone + 2 >= host + n_bytes)) return false;
    memcpy(inner, host + 1, n_inner);
    return inet_pton(AF_INET6, inner, &address) == 1;
}

/* What looks like a number is one: 300.0.0.1 is no name. */
static bool is_host(const char *text, size_t n_bytes, bool binds) {
    static const char digits[] = "0123456789.", letters[] = "abcdefghijklmnopqrstuvwxyz"
                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    char host[ENDPOINT_BYTES_MAX];
    struct in_addr address;
    if (n_bytes == 0) return false;
    if (text[0] == '[') return is_ipv6(text, n_bytes);
    memcpy(host, text, n_bytes); /* the whole was checked to be shorter */
    host[n_bytes] = 0;
    if (strcmp(host, "*") == 0) return binds;
    if (strspn(host, digits) == n_bytes) return inet_pton(AF_INET, host, &address) == 1;
    return strspn(host, letters) == n_bytes;
}

static status check_tcp(const char *tcp, bool binds, failure *f) {
    const char *colon = strrchr(tcp, ':');
    if (!colon || !is_host(tcp, (size_t)(colon - tcp), binds))
        return fail(f, STATUS_BAD_REQUEST,
                    "tcp://%s names no host: write tcp://HOST:PORT, an IPv6 address in brackets", tcp);
    if (is_port(colon + 1, binds)) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "tcp://%s: a port is a whole number from 1 to %d%s", tcp,
                UINT16_MAX, binds ? ", or * or 0 for any that is free" : "");
}

status endpoint_check(const char *address, bool binds, failure *f) {
    if (strlen(address) >= ENDPOINT_BYTES_MAX)
        return fail(f, STATUS_TOO_LONG, "an endpoint of %zu bytes is longer than %d",
                    strlen(address), ENDPOINT_BYTES_MAX - 1);
    if (!text_is_printable(address, ENDPOINT_BYTES_MAX))
        return fail(f, STATUS_BAD_REQUEST, "an endpoint has no control characters");
    const char *path = after(address, "ipc://"), *tcp = after(address, "tcp://");
    if (path) return check_ipc_path(path, f);
    if (tcp) return check_tcp(tcp, binds, f);
    return fail(f, STATUS_BAD_REQUEST, "%s is no endpoint: write ipc:///PATH or tcp://HOST:PORT",
                address);
}

static status check_path_length(const char *address, failure *f) {
    const char *path = after(address, "ipc://");
    if (!path || strlen(path) <= IPC_PATH_BYTES_MAX) return STATUS_OK;
    return fail(f, STATUS_TOO_LONG,
                "the socket path %s has %zu bytes, and %d is the longest there is", path,
                strlen(path), IPC_PATH_BYTES_MAX);
}

/* 127.0.0.0/8 and ::1, written as numbers: a name may mean anything. */
static bool is_loopback(const char *tcp) {
    const char *colon = strrchr(tcp, ':');
    char host[INET6_ADDRSTRLEN];
    size_t n_bytes = colon ? (size_t)(colon - tcp) : strlen(tcp);
    if (n_bytes >= sizeof host) return false;
    memcpy(host, tcp, n_bytes);
    host[n_bytes] = 0;
    struct in_addr v4;
    if (inet_pton(AF_INET, host, &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
    return strcmp(host, "[::1]") == 0;
}

/* ---- Sockets ---- */

static status endpoint_new(endpoint **out, int type, const endpoint_options *options, failure *f) {
    status st = endpoint_check(options->address, type == ZMQ_ROUTER, f);
    if (st == STATUS_OK) st = check_path_length(options->address, f);
    if (st == STATUS_OK) st = resources_check_memory(f);
    if (st != STATUS_OK) return st;
    endpoint *e = calloc(1, sizeof *e);
    if (!e) return fail(f, STATUS_NO_MEMORY, "no memory for a socket");
    e->lock_fd = -1;
    e->zsock = zsock_new(type);
    if (!e->zsock) {
        free(e);
        return fail(f, STATUS_NO_MEMORY, "cannot make a socket: %s", zmq_strerror(zmq_errno()));
    }
    strcpy(e->address, options->address); /* its length was checked */
    zsys_set_logstream(NULL);             /* what goes wrong is in our own log and sentences */
    zsock_set_linger(e->zsock, LINGER_MS);
    zsock_set_sndhwm(e->zsock, options->high_water);
    zsock_set_rcvhwm(e->zsock, options->high_water);
    zsock_set_maxmsgsize(e->zsock, options->whole ? RAW_BYTES_MAX : MESSAGE_BYTES_MAX);  /* of a frame */
    zsock_set_handshake_ivl(e->zsock, HANDSHAKE_MS);
    if (strchr(e->address, '[')) zsock_set_ipv6(e->zsock, 1);
    *out = e;
    return STATUS_OK;
}

/* A listening Unix socket at `path`, whose lock is held: what lies there is a dead process's. */
static status listen_at(const char *path, int *out, failure *f) {
    struct stat info;
    if (lstat(path, &info) == 0 && (!S_ISSOCK(info.st_mode) || unlink(path) != 0))
        return fail(f, STATUS_IO, "%s is in the way of a socket", path);

    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path); /* its length was checked */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        listen(fd, BACKLOG) == 0) {
        *out = fd;
        return STATUS_OK;
    }
    fail(f, STATUS_IO, "cannot bind to %s: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    return f->code;
}

/* ZeroMQ gets a socket that we made: one of its own making it would remove from the file system
 * some time after it was closed, when the next process may already have put its own there. */
static status bind_ipc(endpoint *e, const char *path, failure *f) {
    snprintf(e->lock_path, sizeof e->lock_path, "%s.lock", path);
    status st = lockfile_take(&e->lock_fd, e->lock_path, f);
    if (st != STATUS_OK) return st;
    int fd;
    st = listen_at(path, &fd, f);
    if (st != STATUS_OK) return st;
    e->path = path;
    void *socket = zsock_resolve(e->zsock);
    if (zmq_setsockopt(socket, ZMQ_USE_FD, &fd, sizeof fd) != 0 ||
        zmq_bind(socket, e->address) != 0) {
        fail(f, STATUS_IO, "cannot bind to %s: %s", e->address, zmq_strerror(zmq_errno()));
        close(fd);
        return f->code;
    }
    return STATUS_OK;
}

static status bind_tcp(endpoint *e, const char *tcp, bool insecure, failure *f) {
    if (!insecure && !is_loopback(tcp))
        return fail(f, STATUS_BAD_REQUEST,
                    "%s is open to other hosts, which are not authenticated: bind to "
                    "tcp://127.0.0.1:PORT, or pass --insecure", e->address);
    zsock_set_backlog(e->zsock, BACKLOG);
    if (zmq_bind(zsock_resolve(e->zsock), e->address) != 0) {
        status code = zmq_errno() == EADDRINUSE ? STATUS_BUSY : STATUS_IO;
        return fail(f, code, "cannot bind to %s: %s", e->address, zmq_strerror(zmq_errno()));
    }
    char *actual = zsock_last_endpoint(e->zsock); /* with the port that "*" became */
    if (actual && strlen(actual) < sizeof e->address) strcpy(e->address, actual);
    freen(actual);
    return STATUS_OK;
}

static status monitor_open(endpoint *e, int events, failure *f) {
    e->monitor = monitor_new(zsock_resolve(e->zsock), events);
    return e->monitor ? STATUS_OK
                      : fail(f, STATUS_NO_MEMORY, "cannot watch connections: %s", zmq_strerror(zmq_errno()));
}

status endpoint_bind(endpoint **out, const endpoint_options *options, failure *f) {
    endpoint *e;
    status st = endpoint_new(&e, ZMQ_ROUTER, options, f);
    if (st != STATUS_OK) return st;
    e->bound = true;
    st = monitor_open(e, ZMQ_EVENT_DISCONNECTED, f);
    /* Without it a message to a peer that is gone, or whose queue is full, vanishes untold. */
    zsock_set_router_mandatory(e->zsock, 1);
    const char *path = after(e->address, "ipc://");
    gate_opens(options->whole ? ANSWER_BYTES_MAX : MESSAGE_BYTES_MAX);
    if (st == STATUS_OK)
        st = path ? bind_ipc(e, path, f) : bind_tcp(e, after(e->address, "tcp://"), options->insecure, f);
    e->listener = gate_opened();
    if (st != STATUS_OK) {
        endpoint_close(&e);
        return st;
    }
    *out = e;
    return STATUS_OK;
}

enum {
    MONITORED = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_DELAYED | ZMQ_EVENT_CLOSED |
                ZMQ_EVENT_CONNECT_RETRIED,
};

status endpoint_join(endpoint **out, const endpoint_options *options, failure *f) {
    endpoint *e;
    status st = endpoint_new(&e, ZMQ_DEALER, options, f);
    if (st != STATUS_OK) return st;
    /* Without it messages wait for a connection, and those to a dead process reach the next one. */
    zsock_set_immediate(e->zsock, 1);
    st = monitor_open(e, MONITORED, f);
    if (st != STATUS_OK) {
        endpoint_close(&e);
        return st;
    }
    if (zmq_connect(zsock_resolve(e->zsock), e->address) != 0) {
        fail(f, STATUS_BAD_REQUEST, "cannot connect to %s: %s", e->address,
             zmq_strerror(zmq_errno()));
        endpoint_close(&e);
        return f->code;
    }
    /* Until its first report a name is being looked up, which may take longer than anybody waits. */
    if (after(e->address, "tcp://")) e->reach = REACH_NO_ADDRESS;
    *out = e;
    return STATUS_OK;
}

void endpoint_close(endpoint **e_pointer) {
    endpoint *e = *e_pointer;
    *e_pointer = NULL;
    if (!e) return;
    if (e->path) unlink(e->path);
    monitor_free(&e->monitor);
    zsock_destroy(&e->zsock);
    lockfile_give(&e->lock_fd, e->lock_path);
    free(e);
}

void *endpoint_socket(const endpoint *e) {
    return zsock_resolve(e->zsock);
}

int endpoint_listener(const endpoint *e) {
    return e->listener;
}

void *endpoint_monitor(const endpoint *e) {
    return monitor_socket(e->monitor);
}

/* A try that ends without a socket of its own found no address to connect to. One that has begun has an address,
 * and says nothing more yet: the one before it still counts. */
static void reach_learn(endpoint *e, uint16_t event) {
    bool has_address = event == ZMQ_EVENT_CONNECT_DELAYED && e->reach == REACH_NO_ADDRESS;
    if (event == ZMQ_EVENT_CONNECTED || has_address) e->reach = REACH_SILENT;
    if (event == ZMQ_EVENT_CLOSED) e->reach = REACH_REFUSED;
    if (event == ZMQ_EVENT_CONNECT_RETRIED && !e->had_socket) e->reach = REACH_NO_ADDRESS;
    e->had_socket = event != ZMQ_EVENT_CONNECT_RETRIED;
}

bool endpoint_broke(endpoint *e) {
    bool broke = false;
    uint16_t event;
    int32_t unused;
    while (monitor_next(e->monitor, &event, &unused)) {
        broke = broke || event == ZMQ_EVENT_DISCONNECTED;
        reach_learn(e, event);
    }
    return broke;
}

bool endpoint_next_broken(endpoint *e, int *connection) {
    uint16_t unused;
    int32_t descriptor;
    bool found = monitor_next(e->monitor, &unused, &descriptor);
    if (found) *connection = descriptor;
    return found;
}

/* The descriptor of one that broke may be another's by now. */
void endpoint_shut(endpoint *e, int connection) {
    if (connection >= 0 && !endpoint_broke(e)) shutdown(connection, SHUT_RDWR);
}

endpoint_reach endpoint_reached(const endpoint *e) {
    return e->reach;
}

bool endpoint_bound(const endpoint *e) {
    return e->bound;
}

const char *endpoint_address(const endpoint *e) {
    return e->address;
}
