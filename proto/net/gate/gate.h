/* Nobody can exhaust a daemon by connecting, or by sending what is never taken.
 *
 * ZeroMQ bounds neither the connections that it accepts nor the parts of a message under way, and where no descriptor is
 * left its listener for Unix sockets ends the process. So the calls with which it accepts, reads and closes are defined by
 * this program (calls.c), which its library takes before those of the C library, and passes on. They heed only
 * connections that came in through an endpoint of ours; all others pass untouched.
 *
 * What is bounded: connections (CONNECTIONS_MAX, and never the descriptors that files and shared memory need), the time
 * that one may be connected without saying Hello, the weight of one message under way, and of all that was received and
 * not taken yet (RECEIVED_BYTES_MAX). Connections with keys would need another count: their frames lie in boxes. */
#ifndef TRIVIUM_GATE_H
#define TRIVIUM_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GATE_SWEEP_MS = 1000,
    GATE_HELLO_SWEEPS = 5,          /* in which a connection must have said Hello */
    GATE_STILL_SWEEPS = 2,          /* in which something of a connection must be taken where memory is short */
};

/* Sockets that this thread makes listen between the two are endpoints of ours; no message that comes there has more than
 * message_bytes_max bytes in all. gate_opened returns the descriptor of the last one, -1: there was none. */
void gate_opens(size_t message_bytes_max);
int gate_opened(void);

/* A connection, as wire_message has it, is that of a joined peer; its peer has ended. Others are ignored. */
void gate_joined(int connection);
void gate_left(int connection);

/* A number that no other connection ever has; 0: it is not known. Is anything that came from that one not taken yet? */
uint64_t gate_number(int connection);
bool gate_unread(uint64_t number);

/* Ends the connection of this number, whose peer does not read what ZeroMQ has for it. */
void gate_shut(uint64_t number);

/* Frames of n_bytes each were taken off a socket. */
void gate_took(int connection, size_t n_bytes);

/* When nothing is left in the socket of an endpoint: what those sent that were closed before `moment` (of gate_moment, before
 * it was last looked into) and was not taken was dropped with them, and weighs nothing any more. */
uint64_t gate_moment(void);
void gate_all_taken(int listener, uint64_t moment);

/* To be called every GATE_SWEEP_MS for each endpoint: cuts connections that have said nothing, and where the budget is
 * used up those that fill it and of which nothing can be taken. */
void gate_sweep(int listener);

/* Are so many of the connections joined that there is hardly room for one more to say Hello? */
bool gate_crowded(void);

size_t gate_connections(void);          /* that are there */
size_t gate_connections_max(void);      /* that may be there: 0 before the first endpoint */
size_t gate_received_bytes(void);       /* what was received and not taken yet weighs */

#endif
