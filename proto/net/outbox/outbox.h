/* What goes to one peer: messages that are on their way, in ZeroMQ's queue, and those that wait for room in it, in
 * order. Up to OUTBOX_MESSAGES_MAX may wait, and OUTBOX_BYTES_MAX is for both together. All outboxes of the process share
 * OUTBOXES_BYTES_MAX: where that is full, the one that holds most is overrun, whoever sends: what waited in it is gone,
 * nothing can be put into it any more, and its peer is to be ended. They are used by one thread. */
#ifndef TRIVIUM_OUTBOX_H
#define TRIVIUM_OUTBOX_H

#include <stdbool.h>

#include "proto/net/wire.h"

typedef struct outbox outbox;

/* NULL: no memory. `counts_way`: what is sent counts on its way; else its sender sees to that. What is offered always does. */
outbox *outbox_new(bool counts_way);
void outbox_free(outbox **o);               /* and what is in it; with outbox_on_its_way the connection is to be shut */
bool outbox_empty(const outbox *o);         /* and not overrun: what is sent past it overtakes nothing */

/* Takes the parcel over: *parcel is NULL then. STATUS_BUSY: full or overrun, STATUS_NO_MEMORY: both leave it. */
status outbox_push(outbox *o, wire_parcel **parcel);

/* Past an empty one, as wire_send_parcel. STATUS_BUSY also where it would hold too much, or all would: nobody is
 * overrun for that. */
status outbox_send(outbox *o, void *socket, const wire_route *route, wire_parcel **parcel);
/* The same for what may as well be left: only while all together hold less than a quarter of what they may. */
status outbox_offer(outbox *o, void *socket, const wire_route *route, wire_parcel **parcel);
bool outbox_on_its_way(const outbox *o);    /* is something counted in ZeroMQ's queue? */
bool outbox_half_full(const outbox *o);     /* half of what may wait does, in messages or bytes */
size_t outbox_bytes(const outbox *o);       /* what waits, and what is counted there; 0 when overrun */

bool outbox_overrun(const outbox *o);
bool outboxes_quiet(void);                  /* all are empty, and none is overrun */

/* Send what can be sent. STATUS_OK: empty now; STATUS_BUSY: some still wait; STATUS_NOT_FOUND: the
 * peer is gone. Not for one that is overrun. */
status outbox_flush(outbox *o, void *socket, const wire_route *route);

#endif
