/* The resume state of a request: all that another tokenizerd needs to go on with it. It is brought up
 * to date by every message, before what that brings is shown. */
#ifndef TRIVIUM_RESUME_H
#define TRIVIUM_RESUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/generation.h"
#include "text_link.h"

typedef struct resume_state resume_state;

/* Before the first attempt. The request is borrowed until resume_free. NULL: STATUS_NO_MEMORY in f. */
resume_state *resume_new(const generation_request *request, failure *f);
void resume_free(resume_state **s);             /* NULL is fine */

const uint8_t *resume_id(const resume_state *s);    /* [REQUEST_BYTES], of the request */
uint32_t resume_attempt(const resume_state *s);     /* 0 before the first was sent */
uint32_t resume_next_step(const resume_state *s);   /* so many ids were drawn */
uint32_t resume_n_drawn(const resume_state *s);     /* of them, in this attempt */
/* Once the text has started. */
bool resume_has_started(const resume_state *s);
const char *resume_model(const resume_state *s);
uint32_t resume_n_prompt(const resume_state *s);    /* ids */
/* What draws the next step: valid until that changes; and its ordinal. */
const strategy *resume_chain(const resume_state *s);
uint32_t resume_ordinal(const resume_state *s);

/* Before the next attempt: what draws from its first step on. Codes of strategy_change. */
status resume_change_chain(resume_state *s, const strategy *stages, bool replace, failure *f);

/* Send the next attempt, the first one or a resume, to the tokenizerd that is joined. */
status resume_send(resume_state *s, text_link *link, failure *f);

/* Keep what the start of a text brings; false: the message does not hold what it must, or there is no
 * memory. */
bool resume_start(resume_state *s, const wire_message *m, const Trivium__Started *started);

/* Is this the chunk that comes next, and is there room for what it brings? */
bool resume_is_due(const resume_state *s, const Trivium__Chunk *chunk);

/* A due chunk, in this order: its change of strategy, which waits for its step; whether the one
 * that waits holds now; its ids and the sampler's memory after them. */
void resume_take_change(resume_state *s, const Trivium__StrategyChange *change);
bool resume_settle_change(resume_state *s);
void resume_take_ids(resume_state *s, const Trivium__Chunk *chunk);

/* How many bytes at the beginning of a taken chunk's text were shown already. Asked once a chunk. */
size_t resume_bytes_shown(resume_state *s, const Trivium__Chunk *chunk);

#endif
