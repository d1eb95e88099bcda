/* What is on its way to a peer: messages that ZeroMQ has taken and not yet given to the system. Their number in a queue
 * is bounded, and by that the small ones (SMALL_MESSAGE_BYTES_MAX); larger ones are counted in bytes.
 *
 * A frame is given back in a thread of ZeroMQ's, maybe after its peer has ended. */
#ifndef TRIVIUM_TRANSIT_H
#define TRIVIUM_TRANSIT_H

#include <stdbool.h>
#include <stddef.h>
#include <zmq.h>

typedef struct transit transit;

transit *transit_new(void);                     /* of one peer; NULL: no memory */
void transit_free(transit **t);                 /* it stays until its last frame has come back. NULL is fine */
size_t transit_bytes(const transit *t);         /* on their way to this peer; 0 of NULL */
size_t transits_bytes(void);                    /* to all, also to those that have ended */

/* A frame that can be counted, still to be written. False: no memory. */
bool transit_frame(zmq_msg_t *frame, size_t n_bytes);

/* Such a frame is about to be sent on `t` (NULL: it is not counted); it was not, and is still ours. */
void transit_begin(transit *t, zmq_msg_t *frame);
void transit_cancel(zmq_msg_t *frame);

#endif
