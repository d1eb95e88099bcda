/* Calls under way: each is sent when a tokenizerd is there, once more after it was lost, and answered
 * once. */
#ifndef TRIVIUM_CALLS_H
#define TRIVIUM_CALLS_H

#include "client/lib/call.h"
#include "text_link.h"

typedef struct calls calls;

calls *calls_new(text_link *link);              /* borrows it. NULL: no memory */
void calls_free(calls **c);                     /* before its link; no handler is called. NULL is fine */

/* Ask; *number names the call. The handler may ask again. Fails as client_call. */
status calls_ask(calls *c, const question *asked, answer_handler *handler, void *context,
                 uint64_t *number, failure *f);
void calls_forget(calls *c, uint64_t number);   /* its handler is not called; none of that number is fine */

/* What the link tells. */
void calls_joined(calls *c);
void calls_lost(calls *c);
void calls_fail(calls *c, const failure *f);    /* all of them: it is over */
void calls_answered(calls *c, uint64_t number, const wire_message *m,
                    const Trivium__TextReply *reply);

#endif
