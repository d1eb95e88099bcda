/* tokenizerd's end in order: once it drains, no text and no call begins here; what is under way goes on to its end. A text
 * that rests does not count: its owner has all of it, and goes on with it elsewhere. */
#ifndef TRIVIUM_TOKENIZERD_LEAVING_H
#define TRIVIUM_TOKENIZERD_LEAVING_H

#include "proto/net/draining.h"
#include "tokenizerd/links/client_link.h"
#include "tokenizerd/links/modeld_link.h"

typedef struct leaving {        /* all borrowed, but draining */
    client_link *clients;
    modeld_link *modelds;
    requests *requests;
    calls *calls;
    draining *draining;         /* owned: of leaving_begin */
} leaving;

/* From here on SIGTERM drains. STATUS_NO_MEMORY. */
status leaving_begin(leaving *l, loop *on, double patience_s, failure *f);
void leaving_end(leaving *l);

/* May something new begin here? Else STATUS_DRAINING. */
status leaving_check(const leaving *l, failure *f);

#endif
