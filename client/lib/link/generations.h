/* Texts under way: each is sent when a tokenizerd is there, and goes on at another one after a loss, from
 * where it is. What they do for a program is told in client.h. */
#ifndef TRIVIUM_GENERATIONS_H
#define TRIVIUM_GENERATIONS_H

#include <stdbool.h>

#include "client/lib/generation.h"
#include "text_link.h"

typedef struct generations generations;

generations *generations_new(text_link *link);  /* borrows it. NULL: no memory */
void generations_free(generations **gs);        /* before its link; no event comes. NULL is fine */
bool generations_any(const generations *gs);     /* is any under way that does not rest? */
bool generations_under_way(const generations *gs);      /* … at the tokenizerd that is joined? */
bool generations_wait(const generations *gs);           /* does any wait for a tokenizerd that takes it? */
bool generations_have_text(const generations *gs);      /* … of which some tokens have come? */

/* As client_generate and those after it. */
status generations_begin(generations *gs, const generation_request *request,
                         const generation_events *events, void *context, failure *f);
void generations_cancel(generations *gs, const uint8_t request[REQUEST_BYTES]);
void generations_pause(generations *gs, const uint8_t request[REQUEST_BYTES]);
void generations_resume(generations *gs, const uint8_t request[REQUEST_BYTES]);
const strategy *generations_change(generations *gs, const uint8_t request[REQUEST_BYTES],
                                   const strategy *stages, bool replace, failure *f);

/* What the link tells. */
void generations_joined(generations *gs);
void generations_lost(generations *gs);
void generations_fail(generations *gs, const failure *f);   /* all of them: it is over */
void generations_started(generations *gs, const wire_message *m, const Trivium__Started *started);
void generations_chunk(generations *gs, const Trivium__Chunk *chunk);
void generations_done(generations *gs, const Trivium__Done *done);
void generations_acknowledge(generations *gs, Trivium__Heartbeat *beat);

#endif
