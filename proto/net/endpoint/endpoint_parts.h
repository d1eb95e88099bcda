/* Private to the files of endpoints: endpoint.c (what both kinds have), bound.c, joining.c. */
#ifndef TRIVIUM_ENDPOINT_PARTS_H
#define TRIVIUM_ENDPOINT_PARTS_H

#include <czmq.h>

#include "endpoint.h"
#include "monitor.h"
#include "proto/base/limits.h"

struct endpoint {
    zsock_t *zsock;
    monitor *monitor;
    char address[ENDPOINT_BYTES_MAX];
    const char *path;           /* of a bound ipc socket, within `address`; else NULL */
    char lock_path[IPC_PATH_BYTES_MAX + sizeof ".lock"];
    int lock_fd;
    int listener;
    int kept_fd;                /* what listened for a bound one, while ZeroMQ accepts nothing there; else -1 */
    keys *keys;                 /* NULL: it has none */
    key_link link;
    bool bound;
    endpoint_reach reach;
};

/* ---- endpoint.c ---- */

/* A socket of this type (ZMQ_ROUTER, ZMQ_DEALER) with the options that all have, not connected to anything. */
status endpoint_new(endpoint **out, int type, const endpoint_options *options, failure *f);
status endpoint_watch(endpoint *e, int events, failure *f);     /* its monitor. STATUS_NO_MEMORY */

#endif
