/* A question as a message to tokenizerd. */
#ifndef TRIVIUM_QUESTION_WIRE_H
#define TRIVIUM_QUESTION_WIRE_H

#include "client/lib/call.h"
#include "text_link.h"

/* Send it to the tokenizerd that is joined; `number` names it in the answer. STATUS_TOO_LONG,
 * STATUS_NO_MEMORY: nothing was sent. */
status question_send(text_link *link, const question *asked, uint64_t number, failure *f);

/* The question of this number, which it was sent, needs no answer any more. Where there is no memory to say so, it is
 * answered all the same. */
void question_cancel(text_link *link, uint64_t number);

#endif
