/* What was said in a chat, oldest first. Pure: no connection. */
#ifndef TRIVIUM_TRANSCRIPT_H
#define TRIVIUM_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "client/lib/call.h"
#include "proto/base/status.h"

typedef struct transcript transcript;

/* `system` is its first message, which is never left out; NULL: none. NULL: no memory. */
transcript *transcript_new(const char *system);
void transcript_free(transcript **c);           /* NULL is fine */

/* ---- what is said ---- */

/* Append a message of "user" or "assistant" (a literal); the content is copied. STATUS_NO_MEMORY. */
status transcript_add(transcript *c, const char *role, const void *content, size_t n_bytes);

/* The last message is to get a reply, another one if it has one: that is set aside, what was forgotten since
 * the message was said is seen again, and a message that was withdrawn last is there again. False, and all
 * is as it was: there is nothing that a reply could follow. */
bool transcript_reopen(transcript *c);

/* No reply came to the last message: it is taken back, or, after transcript_reopen, the reply that was set
 * aside is there again. What was forgotten meanwhile is seen again. */
void transcript_withdraw(transcript *c);

/* Take back the last thing the user said and all after it. False: nothing was said. */
bool transcript_undo(transcript *c);

/* Nothing was said, but the system message stays. */
void transcript_clear(transcript *c);

/* The system message from here on, in place of the one there was, if any; copied. STATUS_NO_MEMORY. */
status transcript_set_system(transcript *c, const void *content, size_t n_bytes);

/* What was said in `from` in place of what was said here, and its system message, if it has one. Frees `from`.
 * STATUS_NO_MEMORY. */
status transcript_replace(transcript *c, transcript **from);

/* ---- what the model sees ---- */

/* The n oldest messages after the system message that the model still sees are no longer shown to it. */
void transcript_forget(transcript *c, size_t n);

/* The same of what one question cannot carry, beyond MESSAGES_MAX or TEXT_BYTES_MAX, and of replies that would
 * stand first then; the last message stays. Returns how many. */
size_t transcript_forget_excess(transcript *c);

/* What the model is to see: [*n], the system message first. Owned, valid until the next change.
 * NULL: no memory. */
const conversation_message *transcript_seen(transcript *c, size_t *n);

/* ---- all of it ---- */

/* Messages, forgotten ones too, and those that the model still sees; the system message is in neither. */
size_t transcript_count(const transcript *c);
size_t transcript_count_seen(const transcript *c);

/* All that there is from the system message on, by number from 0; NULL: there are not so many. Valid until the
 * next change. */
const conversation_message *transcript_message(const transcript *c, size_t i);
const conversation_message *transcript_system(const transcript *c);     /* NULL: none */

#endif
