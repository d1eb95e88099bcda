/* Nobody can exhaust a daemon by connecting, or by sending what is never taken.
 *
 * ZeroMQ bounds neither the connections that it accepts nor the parts of a message under way, and where no descriptor is
 * left its listener for Unix sockets ends the process. So the calls with which it accepts, reads and closes are defined by
 * this program (calls.c), which its library takes before those of the C library, and passes on. They heed only
 * connections that came in through an endpoint of ours; all others pass untouched.
 *
 * What is bounded: connections (CONNECTIONS_MAX, and never the descriptors that files and shared memory need), the time
 * that one may be connected without saying Hello, the weight of one message under way, and of all that was received and
 * not taken yet (RECEIVED_BYTES_MAX).
 *
 * With keys (CURVE, RFC 26) frames lie in boxes, which tell their sizes and not which of them are one message. So one frame is
 * bounded as a message is; and while more of a connection is not taken than the largest message and the connection's share
 * of the budget, no more is read from it. When nothing can be taken of it for GATE_STILL_SWEEPS either, it is cut. Of a
 * box as large as ZeroMQ's PING nobody can tell whether a message comes out of it: it weighs nothing, but of those that
 * come while nothing is taken there may not be many.
 *
 * A connection whose peer never joined counts as refused, by its address, the endpoint to which it came and how far it came;
 * the log has a line for each address, endpoint and minute (refusals.h). */
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

/* How the two sides of an endpoint's connections greet each other; whoever greets otherwise gets no further. */
typedef enum gate_mechanism {
    GATE_CLEAR,                     /* NULL: without keys */
    GATE_KEYS,                      /* CURVE */
} gate_mechanism;

/* Sockets that this thread makes listen between the two are those of one endpoint of ours; no message that comes there
 * has more than message_bytes_max bytes in all. gate_opened returns the endpoint's number, by which the gate knows it from
 * then on; -1: none began to listen. */
void gate_opens(size_t message_bytes_max, gate_mechanism mechanism);
int gate_opened(void);

/* So does `descriptor`, a duplicate of one of them, though it is not made to listen anew. */
void gate_listens_too(int endpoint, int descriptor);
int gate_descriptor(int endpoint);      /* the newest of those that listen for it; -1: none does any more */

/* A connection, as wire_message has it, is that of a joined peer; its peer has ended. Others are ignored. */
void gate_joined(int connection);
void gate_left(int connection);

/* A number that no other connection ever has; 0: it is not known. Is anything that came from that one not taken yet? */
uint64_t gate_number(int connection);
bool gate_unread(uint64_t number);

/* Ends the connection of this number, whose peer does not read what ZeroMQ has for it; whose key is authorised no more. */
void gate_shut(uint64_t number);
void gate_revoke(uint64_t number);

/* Frames of n_bytes each were taken off a socket. */
void gate_took(int connection, size_t n_bytes);

/* When nothing is left in the socket of an endpoint: what those sent that were closed before `moment` (of gate_moment, before
 * it was last looked into) and was not taken was dropped with them, and weighs nothing any more. */
uint64_t gate_moment(void);
void gate_all_taken(int endpoint, uint64_t moment);

/* To be called every GATE_SWEEP_MS for each endpoint: cuts connections that have said nothing, and those that fill the budget
 * or their place in it and of which nothing can be taken. Writes what the log has of all that. */
void gate_sweep(int endpoint);

/* Are so many of the connections joined that there is hardly room for one more to say Hello? */
bool gate_crowded(void);

size_t gate_connections(void);          /* that are there */
size_t gate_connections_max(void);      /* that may be there: 0 before the first endpoint */
size_t gate_received_bytes(void);       /* what was received and not taken yet weighs */

#endif
