/* Endpoints that join others. */
#include "address.h"
#include "endpoint_parts.h"

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
    st = endpoint_watch(e, MONITORED, f);
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
    if (address_tcp(e->address)) e->reach = REACH_NO_ADDRESS;
    *out = e;
    return STATUS_OK;
}
