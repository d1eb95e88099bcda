#include "endpoint_parts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "proto/base/process/lockfile.h"
#include "proto/base/process/resources.h"
#include "proto/net/gate/frames.h"

enum {
    LINGER_MS = 100,
    HANDSHAKE_MS = 3000, /* until both sides have said what they speak */
};

/* Other users live on loopback, too. */
status endpoint_check_guarded(const char *address, bool is_guarded, failure *f) {
    if (!address_tcp(address) || is_guarded) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST,
                "%s needs keys: pass --keys DIR (`trivium keygen DIR` makes them), or --insecure where anybody who reaches it "
                "may do anything", address);
}

static status check_guarded(const endpoint_options *options, failure *f) {
    return endpoint_check_guarded(options->address, options->keys || options->insecure, f);
}

status endpoint_check_joins(const char *const *addresses, size_t n, const endpoint_options *how, failure *f) {
    endpoint_options one = *how;
    status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < n; i++) {
        one.address = addresses[i];
        st = endpoint_check(one.address, false, f);
        if (st == STATUS_OK) st = check_guarded(&one, f);
    }
    return st;
}

status endpoint_new(endpoint **out, int type, const endpoint_options *options, failure *f) {
    status st = endpoint_check(options->address, type == ZMQ_ROUTER, f);
    if (st == STATUS_OK) st = address_check_length(options->address, f);
    if (st == STATUS_OK) st = check_guarded(options, f);
    if (st == STATUS_OK) st = resources_check_memory(f);
    if (st != STATUS_OK) return st;
    endpoint *e = calloc(1, sizeof *e);
    if (!e) return fail(f, STATUS_NO_MEMORY, "no memory for a socket");
    e->lock_fd = e->kept_fd = -1;
    e->zsock = zsock_new(type);
    if (!e->zsock) {
        free(e);
        return fail(f, STATUS_NO_MEMORY, "cannot make a socket: %s", zmq_strerror(zmq_errno()));
    }
    strcpy(e->address, options->address); /* its length was checked */
    e->link = options->link;
    if (address_tcp(e->address)) e->keys = options->keys;
    zsys_set_logstream(NULL);             /* what goes wrong is in our own log and sentences */
    zsock_set_linger(e->zsock, LINGER_MS);
    zsock_set_sndhwm(e->zsock, options->high_water_out > 0 ? options->high_water_out : options->high_water);
    zsock_set_rcvhwm(e->zsock, options->high_water_in > 0 ? options->high_water_in : options->high_water);
    int frame_bytes_max = options->whole ? RAW_BYTES_MAX : MESSAGE_BYTES_MAX;
    zsock_set_maxmsgsize(e->zsock, e->keys ? frame_bytes_max + BOX_BYTES : frame_bytes_max);
    zsock_set_handshake_ivl(e->zsock, HANDSHAKE_MS);
    /* All addresses are those of both kinds; ZeroMQ makes do with IPv4 where the system has no other. */
    if (strchr(e->address, '[') || strncmp(e->address, "tcp://*:", 8) == 0) zsock_set_ipv6(e->zsock, 1);
    *out = e;
    return STATUS_OK;
}

status endpoint_watch(endpoint *e, int events, failure *f) {
    e->monitor = monitor_new(zsock_resolve(e->zsock), events);
    return e->monitor ? STATUS_OK
                      : fail(f, STATUS_NO_MEMORY, "cannot watch connections: %s", zmq_strerror(zmq_errno()));
}

void endpoint_close(endpoint **e_pointer) {
    endpoint *e = *e_pointer;
    *e_pointer = NULL;
    if (!e) return;
    if (e->path) unlink(e->path);
    monitor_free(&e->monitor);
    zsock_destroy(&e->zsock);
    if (e->kept_fd >= 0) close(e->kept_fd);
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

bool endpoint_next_broken(endpoint *e, int *connection) {
    uint16_t unused;
    int32_t descriptor;
    bool found = monitor_next(e->monitor, &unused, &descriptor);
    if (found) *connection = descriptor;
    return found;
}

bool endpoint_bound(const endpoint *e) {
    return e->bound;
}

const char *endpoint_address(const endpoint *e) {
    return e->address;
}
