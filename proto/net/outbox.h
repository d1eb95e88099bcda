/* Messages that wait for room in the queue to one peer, in order, up to OUTBOX_MESSAGES_MAX of them
 * and OUTBOX_BYTES_MAX in all. */
#ifndef TRIVIUM_OUTBOX_H
#define TRIVIUM_OUTBOX_H

#include <stdbool.h>

#include "wire.h"

typedef struct outbox outbox;

outbox *outbox_new(void);                   /* NULL: no memory */
void outbox_free(outbox **o);               /* and what is in it */
bool outbox_empty(const outbox *o);

/* Takes the parcel over: *parcel is NULL then. STATUS_BUSY: full, STATUS_NO_MEMORY: both leave it. */
status outbox_push(outbox *o, wire_parcel **parcel);

/* Send what can be sent. STATUS_OK: empty now; STATUS_BUSY: some still wait; STATUS_NOT_FOUND: the
 * peer is gone. */
status outbox_flush(outbox *o, void *socket, const wire_route *route);

#endif
