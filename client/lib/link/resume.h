/* The client's own copy of a request: all that another tokenizerd needs to go on with it. It is
 * kept up with every message, before what that brings is shown. */
#ifndef TRIVIUM_RESUME_H
#define TRIVIUM_RESUME_H

#include "private.h"

/* A strategy, its ordinal, and the first step that it draws. */
typedef struct strategy_at {
    strategy chain;
    uint32_t ordinal, step;
} strategy_at;

typedef struct request_copy {
    const generation_request *request;      /* borrowed */
    uint32_t attempt;           /* 0 before the first was sent */
    bool started;               /* prompt ids, model and fingerprint are known */
    uint32_t first_step;        /* of this attempt */
    size_t n_ahead;             /* bytes shown beyond the ids' text: let go, they were held back */
    size_t n_again;             /* of them, still to come again in this attempt; not shown twice */
    int32_t *ids;               /* [n_ids], prompt first; room for max_new_tokens more */
    uint32_t n_ids, n_prompt;
    char model[NAME_BYTES_MAX + 1], semantics[NAME_BYTES_MAX + 1], fingerprint[NAME_BYTES_MAX + 1];
    uint8_t state[STATE_BYTES_MAX];     /* of the sampler, after the last id */
    size_t n_state;
    strategy_at now;            /* draws the next step */
    strategy_at next;           /* tuned, for a step not yet drawn; ordinal 0: none */
} request_copy;

/* `copy` is all zero. STATUS_NO_MEMORY. */
status copy_init(request_copy *copy, const generation_request *request, failure *f);
void copy_clear(request_copy *copy);

uint32_t copy_next_step(const request_copy *copy);
ProtobufCBinaryData copy_request_bytes(const request_copy *copy);

/* Before the next attempt: what draws from its first step on. Codes of strategy_change. */
status copy_change_chain(request_copy *copy, const strategy *steps, bool replace, failure *f);

/* Send the next attempt, the first one or a resume, to the tokenizerd that is joined. */
status copy_send(request_copy *copy, client *c, failure *f);

/* Keep what the start of a text brings; false when the message does not hold what it must. */
bool copy_start(request_copy *copy, const wire_message *m, const Trivium__Started *started);

/* Is this the chunk that comes next, and is there room for what it brings? */
bool copy_is_due(const request_copy *copy, const Trivium__Chunk *chunk);

/* A due chunk, in this order: its change of strategy, which waits for its step; whether the one
 * that waits holds now; its ids and the sampler's memory after them. */
void copy_take_change(request_copy *copy, const Trivium__StrategyChange *change);
bool copy_settle_change(request_copy *copy);
void copy_take_ids(request_copy *copy, const Trivium__Chunk *chunk);

/* How many bytes at the beginning of a taken chunk's text were shown already. Asked once a
 * chunk. */
size_t copy_bytes_shown(request_copy *copy, const Trivium__Chunk *chunk);

#endif
