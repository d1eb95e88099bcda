/* The connections behind the gate: which there are, what they sent. calls.c asks here before each call of ZeroMQ's. */
#ifndef TRIVIUM_CONNECTIONS_H
#define TRIVIUM_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "listeners.h"

/* To be called before the first one listens: how many there may be depends on the limit of descriptors at that time. */
void connections_begin(void);

/* `fd` was accepted by this listener, and comes from there. False: there is no room, and it is to be closed. Else the oldest
 * that has not said Hello may have been cut for it. */
bool connections_admit(int fd, const listener *at, const struct sockaddr *from);

typedef enum connections_turn {
    TURN_FOREIGN,                   /* none of ours: to be read as asked */
    TURN_READS,                     /* so many bytes at once, at most, and to be told what came */
    TURN_ENDS,                      /* it was cut */
    TURN_WAITS,                     /* later: much of what it sent is not taken yet, and memory is short */
} connections_turn;

connections_turn connections_read(int fd, size_t *n_bytes_max);
/* These bytes came. False: it is to be ended, for what it sends is no message. */
bool connections_count(int fd, const void *bytes, size_t n);

/* `fd`, any descriptor of this process, is about to be closed. True: it was, but its number stays taken until all that came
 * through it was, too: a message names its connection by it. */
bool connections_close(int fd);

#endif
