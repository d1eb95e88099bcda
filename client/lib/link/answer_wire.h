/* An answer, from a message of tokenizerd to plain structs. */
#ifndef TRIVIUM_ANSWER_WIRE_H
#define TRIVIUM_ANSWER_WIRE_H

#include "client/lib/call.h"
#include "proto/net/wire.h"
#include "text.pb-c.h"

/* Call `handler` with what the reply says to the question, or with why it cannot be used. */
void answer_deliver(const question *asked, const wire_message *m, const Trivium__TextReply *reply,
                    answer_handler *handler, void *context);

#endif
