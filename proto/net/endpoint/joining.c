/* Endpoints that join others. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "endpoint_parts.h"

enum {
    MONITORED = ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH,
    CONNECT_MS_MAX = 2000,      /* then an address that does not answer is given up, and tried anew */
};

status endpoint_join(endpoint **out, const endpoint_options *options, failure *f) {
    endpoint *e;
    status st = endpoint_new(&e, ZMQ_DEALER, options, f);
    if (st != STATUS_OK) return st;
    assert(!address_has_name(e->address));  /* all links of the process would wait for the name server */
    /* Without it messages wait for a connection, and those to a dead process reach the next one. */
    zsock_set_immediate(e->zsock, 1);
    zsock_set_connect_timeout(e->zsock, CONNECT_MS_MAX);
    st = endpoint_watch(e, MONITORED, f);
    if (st != STATUS_OK) {
        endpoint_close(&e);
        return st;
    }
    if (e->keys) st = keys_dress_joining(e->keys, e->link, zsock_resolve(e->zsock), options->n_tries, f);
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
    *out = e;
    return STATUS_OK;
}

status endpoint_join_anew(endpoint **e, const endpoint_options *options, failure *f) {
    endpoint *anew;
    status st = endpoint_join(&anew, options, f);
    if (st != STATUS_OK) return st;
    anew->reach = (*e)->reach;
    endpoint_close(e);
    *e = anew;
    return STATUS_OK;
}

void endpoint_rest(endpoint *e) {
    zmq_disconnect(zsock_resolve(e->zsock), e->address);    /* fails where ZeroMQ has given it up already */
}

/* ---- How far it came ---- */

/* ZeroMQ does not tell why nobody was reached. */
static endpoint_reach unreached(const endpoint *e) {
    const char *path = address_path(e->address);
    bool is_forbidden = path && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0 && errno == EACCES;
    return is_forbidden ? REACH_FORBIDDEN : REACH_REFUSED;
}

/* A try that has begun says nothing yet: the one before it still counts. Whoever does not read is silent; whoever ends the
 * connection during the handshake has read it. */
static void reach_learn(endpoint *e, uint16_t event, int32_t value) {
    switch (event) {
    case ZMQ_EVENT_CONNECTED:
        if (e->reach != REACH_NO_HANDSHAKE) e->reach = REACH_SILENT;
        return;
    case ZMQ_EVENT_CLOSED: e->reach = unreached(e); return;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        e->reach = value == EPIPE || value == ECONNRESET ? REACH_NO_HANDSHAKE : REACH_SILENT;
        return;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: e->reach = REACH_NO_HANDSHAKE; return;
    default: return;
    }
}

bool endpoint_broke(endpoint *e) {
    bool broke = false;
    uint16_t event;
    int32_t value;
    while (monitor_next(e->monitor, &event, &value)) {
        broke = broke || event == ZMQ_EVENT_DISCONNECTED;
        reach_learn(e, event, value);
    }
    return broke;
}

/* The descriptor of one that broke may be another's by now. */
void endpoint_shut(endpoint *e, int connection) {
    if (connection >= 0 && !endpoint_broke(e)) shutdown(connection, SHUT_RDWR);
}

const char *reach_name(endpoint_reach reach) {
    static const char *const names[] = {
        [REACH_SILENT] = "silent", [REACH_REFUSED] = "refused", [REACH_FORBIDDEN] = "forbidden",
        [REACH_NO_HANDSHAKE] = "no_handshake",
    };
    return names[reach];
}

endpoint_reach endpoint_reached(const endpoint *e) {
    return e->reach;
}
