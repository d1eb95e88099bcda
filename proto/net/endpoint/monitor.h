/* What ZeroMQ tells of a socket's connections: they come, break, are refused. */
#ifndef TRIVIUM_MONITOR_H
#define TRIVIUM_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

typedef struct monitor monitor;

/* Of a socket of ZeroMQ (borrowed), for these events (ZMQ_EVENT_…). NULL: no memory, or no descriptors. */
monitor *monitor_new(void *socket, int events);
void monitor_free(monitor **m);                 /* before its socket. NULL is fine */

void *monitor_socket(const monitor *m);         /* readable when there are events */

/* Takes the oldest event, and its value (a descriptor, an errno: zmq_socket_monitor(3)). False: there is none. */
bool monitor_next(monitor *m, uint16_t *event, int32_t *value);

#endif
