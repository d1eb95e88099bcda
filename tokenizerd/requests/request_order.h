/* What a Generate asks for, and what of it is refused before anything is made of it. Pure. */
#ifndef TRIVIUM_REQUEST_ORDER_H
#define TRIVIUM_REQUEST_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "proto/chain/strategy.h"
#include "tokenizerd/vocab/vocab.h"

/* Everything is borrowed. */
typedef struct request_order {
    const char *owner;              /* whose text it will be; NULL is "" */
    const uint8_t *id;              /* [REQUEST_BYTES] */
    uint32_t attempt;
    const char *model, *fingerprint, *pool, *session, *semantics;
    const strategy *strategy;       /* of the next step */
    uint32_t change;                /* its ordinal */
    uint64_t seed;
    vocab_bytes sampler_state;
    uint32_t max_new_tokens;
    const vocab_bytes *stops;
    size_t n_stops;
    const int32_t *stop_ids;
    size_t n_stop_ids;
    bool ignore_eos, no_cache;
    uint32_t n_candidates;
    uint32_t wait_ms;               /* 0: nobody said, WAIT_MS */
    int32_t priority;
    const char *traceparent;        /* NULL or "": none */
    const int32_t *ids; /* prompt and what was drawn so far; NULL: a text or a conversation is to become ids */
    size_t n_ids, n_prompt;
} request_order;

/* What a stop holds: with each of its bytes goes a number (stream.c). */
size_t stop_bytes_held(size_t n_bytes);
/* What the request will hold of the order beside its own size. */
size_t request_order_bytes(const request_order *o);

/* What can be checked without its model. STATUS_BAD_REQUEST, STATUS_EMPTY_PROMPT, STATUS_NOT_UTF8,
 * STATUS_TOO_LONG with a sentence. */
status request_order_check(const request_order *o, failure *f);

#endif
