/* What was said in a chat, oldest first. Pure: no connection. */
#ifndef TRIVIUM_CONVERSATION_H
#define TRIVIUM_CONVERSATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "../proto/rt/status.h"
#include "call.h"

typedef struct conversation conversation;

/* `system` is its first message, which is never left out; NULL: none. NULL: no memory. */
conversation *conversation_new(const char *system);
void conversation_free(conversation **c);

/* Append a message of "user" or "assistant" (a literal); the content is copied. STATUS_NO_MEMORY. */
status conversation_add(conversation *c, const char *role, const void *content, size_t n_bytes);

/* Take back the last message, unless that is the system message. */
void conversation_pop(conversation *c);

/* Take back the last thing the user said and all after it. False: nothing was said. */
bool conversation_undo(conversation *c);

/* The n oldest messages after the system message that the model still sees are shown to it no more. */
void conversation_forget(conversation *c, size_t n);

/* What the model is to see: [*n], the system message first. Owned, valid until the next change.
 * NULL: no memory. */
const chat_message *conversation_seen(conversation *c, size_t *n);

/* Every message, forgotten ones too, as a line {"role": "user", "content": "…"}; to a file that is
 * there whole or as it was before. STATUS_IO, STATUS_NO_MEMORY. */
status conversation_save(const conversation *c, const char *path, failure *f);

#endif
