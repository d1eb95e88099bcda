/* What was said in a chat, oldest first. Pure: no connection. */
#ifndef TRIVIUM_TRANSCRIPT_H
#define TRIVIUM_TRANSCRIPT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/lib/call.h"
#include "proto/base/status.h"

typedef struct transcript transcript;

/* `system` is its first message, which is never left out; NULL: none. NULL: no memory. */
transcript *transcript_new(const char *system);
void transcript_free(transcript **c);

/* Append a message of "user" or "assistant" (a literal); the content is copied. STATUS_NO_MEMORY. */
status transcript_add(transcript *c, const char *role, const void *content, size_t n_bytes);

/* Take back the last message, unless that is the system message; what was forgotten since it was said is
 * seen again. */
void transcript_pop(transcript *c);

/* Take back the last thing the user said and all after it. False: nothing was said. */
bool transcript_undo(transcript *c);

/* The n oldest messages after the system message that the model still sees are no longer shown to it. */
void transcript_forget(transcript *c, size_t n);

/* What the model is to see: [*n], the system message first. Owned, valid until the next change.
 * NULL: no memory. */
const conversation_message *transcript_seen(transcript *c, size_t *n);

/* Every message, forgotten ones too, as a line {"role": "user", "content": "…"}; to a file
 * that is then whole, or as it was before. STATUS_IO, STATUS_NO_MEMORY. */
status transcript_save(const transcript *c, const char *path, failure *f);

#endif
