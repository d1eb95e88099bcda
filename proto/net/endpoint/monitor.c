#include "monitor.h"

#include <czmq.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct monitor {
    void *watched;
    zsock_t *reports;
};

/* The reports come through a socket pair within the process, whose name must be a new one: one just closed is
 * taken for a while. ZeroMQ's I/O thread, which serves all sockets, waits for ever where a report finds no room or
 * no reader: so their queue has no bound, and they stop before their reader goes (monitor_free). */
monitor *monitor_new(void *socket, int events) {
    static atomic_uint n_monitors;
    char name[64];
    snprintf(name, sizeof name, "inproc://monitor-%u", atomic_fetch_add(&n_monitors, 1));
    monitor *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    if (zmq_socket_monitor(socket, name, events) == 0) m->watched = socket;
    m->reports = m->watched ? zsock_new(ZMQ_PAIR) : NULL;
    if (m->reports) {
        zsock_set_rcvhwm(m->reports, 0);
        if (zmq_connect(zsock_resolve(m->reports), name) == 0) return m;
    }
    monitor_free(&m);
    return NULL;
}

void monitor_free(monitor **m) {
    if (!*m) return;
    if ((*m)->watched) zmq_socket_monitor((*m)->watched, NULL, 0);
    zsock_destroy(&(*m)->reports);
    free(*m);
    *m = NULL;
}

void *monitor_socket(const monitor *m) {
    return zsock_resolve(m->reports);
}

/* An event has two frames: its number and its value, then an address. */
bool monitor_next(monitor *m, uint16_t *event, int32_t *value) {
    bool found = false;
    zmq_msg_t frame;
    while (!found) {
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, monitor_socket(m), ZMQ_DONTWAIT) < 0) break;
        found = zmq_msg_more(&frame) && zmq_msg_size(&frame) == sizeof *event + sizeof *value;
        if (found) {
            memcpy(event, zmq_msg_data(&frame), sizeof *event);
            memcpy(value, (const uint8_t *)zmq_msg_data(&frame) + sizeof *event, sizeof *value);
        }
        zmq_msg_close(&frame);
    }
    return found;
}
