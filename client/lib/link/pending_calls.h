/* Calls under way: each is sent when a tokenizerd is there, once more after it was lost, and answered
 * once. */
#ifndef TRIVIUM_PENDING_CALLS_H
#define TRIVIUM_PENDING_CALLS_H

#include <stdbool.h>

#include "client/lib/call.h"
#include "text_link.h"

typedef struct pending_calls pending_calls;

pending_calls *pending_calls_new(text_link *link);              /* borrows it. NULL: no memory */
void pending_calls_free(pending_calls **c);                     /* before its link; no handler is called. NULL is fine */
bool pending_calls_any(const pending_calls *c); /* does any wait for its answer? */
bool pending_calls_wait(const pending_calls *c);        /* does any wait for a tokenizerd that takes it? */
bool pending_calls_under_way(const pending_calls *c);   /* was any sent to the tokenizerd that is joined? */

/* Ask; *number names the call. The handler may ask again. Fails as client_call. */
status pending_calls_ask(pending_calls *c, const question *asked, answer_handler *handler,
                         void *context, uint64_t *number, failure *f);
/* It is not wanted any more, and tokenizerd is told; no handler is called. None there is fine. */
void pending_calls_cancel(pending_calls *c, uint64_t number);

/* What the link tells. */
void pending_calls_joined(pending_calls *c);
void pending_calls_lost(pending_calls *c);
void pending_calls_fail(pending_calls *c, const failure *f);    /* all of them: it is over */
void pending_calls_answered(pending_calls *c, uint64_t number, const wire_message *m,
                            const Trivium__TextReply *reply);

#endif
