/* Messages that wait for room in the queue to one peer, in order, up to OUTBOX_MESSAGES_MAX of them and
 * OUTBOX_BYTES_MAX in all. All outboxes of the process share OUTBOXES_BYTES_MAX: where that is full, the one that
 * holds most is overrun, whoever sends: what was in it is gone, and nothing can be put into it any more. They are
 * used by one thread. */
#ifndef TRIVIUM_OUTBOX_H
#define TRIVIUM_OUTBOX_H

#include <stdbool.h>

#include "proto/net/wire.h"

typedef struct outbox outbox;

outbox *outbox_new(void);                   /* NULL: no memory */
void outbox_free(outbox **o);               /* and what is in it */
bool outbox_empty(const outbox *o);         /* and not overrun: what is sent past it overtakes nothing */

/* Takes the parcel over: *parcel is NULL then. STATUS_BUSY: full or overrun, STATUS_NO_MEMORY: both leave it. */
status outbox_push(outbox *o, wire_parcel **parcel);

bool outbox_overrun(const outbox *o);
bool outboxes_quiet(void);                  /* all are empty, and none is overrun */

/* Send what can be sent. STATUS_OK: empty now; STATUS_BUSY: some still wait; STATUS_NOT_FOUND: the
 * peer is gone. Not for one that is overrun. */
status outbox_flush(outbox *o, void *socket, const wire_route *route);

#endif
