/* Whether there is room for sockets. ZeroMQ and czmq end the process where they get no memory or no
 * thread; so it is asked before they are. */
#ifndef TRIVIUM_ROOM_H
#define TRIVIUM_ROOM_H

#include "status.h"

/* STATUS_NO_MEMORY: the threads of ZeroMQ cannot be started, or what sockets and the first messages take
 * cannot be had beside them (ulimit -v, ulimit -u, a machine that is full). */
status room_check(failure *f);

#endif
