/* One text that is written: what is asked for, and what happens to it. */
#ifndef TRIVIUM_GENERATION_H
#define TRIVIUM_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "call.h"
#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "proto/chain/strategy.h"

/* A piece of the prompt. */
typedef struct generation_piece {
    const uint8_t *text;        /* [n_bytes], UTF-8 */
    size_t n_bytes;
    bool special;               /* special tokens written in it count as such */
} generation_piece;

typedef struct generation_request {
    uint8_t id[REQUEST_BYTES];
    /* The prompt: one of these. */
    const generation_piece *pieces;     /* [n_pieces] */
    size_t n_pieces;
    const conversation_prompt *conversation;   /* NULL: none; read until `started` */
    const int32_t *ids;         /* [n_ids], taken as they are */
    size_t n_ids;
    const char *model, *pool, *session;     /* NULL: the default model and pool, no session */
    const strategy *chain;
    uint64_t seed;              /* below SEED_MAX */
    uint32_t max_new_tokens;
    bool as_room_allows;        /* of a conversation: and no more than what the prompt leaves of context and KV-cache, nor
                                 * than a quarter of the KV-cache */
    const char *const *stops;   /* [n_stops] */
    size_t n_stops;
    const int32_t *stop_ids;    /* [n_stop_ids] */
    size_t n_stop_ids;
    bool ignore_eos;
    bool no_cache;              /* every step computes all positions anew */
    uint32_t n_candidates;      /* likeliest raw candidates wanted with each token */
    int32_t priority;           /* PRIORITY_MIN to PRIORITY_MAX */
    const char *traceparent;    /* NULL: none */
} generation_request;

typedef struct generation_start {
    const char *model;
    uint32_t n_models;          /* that are there, this one included */
    uint32_t n_prompt;          /* ids */
    uint64_t seed;
    bool has_own_bos;           /* the text began with the model's BOS: none was added */
    conversation_form made;     /* of a conversation */
    uint32_t max_new_tokens;    /* as it is used */
    uint32_t n_vocab;           /* ids of the model */
    uint32_t n_ctx;             /* that prompt and reply may have together */
    uint64_t kv_tokens;         /* the same, for which the model's KV-cache has room; 0: not known */
} generation_start;

typedef struct generation_token {
    uint32_t step;
    int32_t id;
    double logprob;             /* of the raw softmax */
    const uint8_t *text;        /* [n_bytes] of the id: where candidates are wanted, else NULL; maybe half a character */
    size_t n_bytes;
    const candidate *candidates;    /* likeliest raw first */
    size_t n_candidates;
    const uint32_t *n_left;     /* with candidates: how many before the chain's first stage, after each */
    size_t n_left_items;        /* 0: not told */
} generation_token;

/* Tokens, and the text that may be shown now. No tokens: text that was held back is let go. */
typedef struct generation_chunk {
    const generation_token *tokens;
    size_t n_tokens;
    const uint8_t *text;        /* [n_bytes], whole characters */
    size_t n_bytes;
    uint32_t step;              /* of the first token, or of the next one */
    double forward_ms, sample_ms;
    const strategy *chain;      /* that drew the tokens */
} generation_chunk;

typedef enum finish_reason {
    FINISHED_STOP,
    FINISHED_LENGTH,
    FINISHED_CANCELLED,
    FINISHED_SUPERSEDED,
    FINISHED_ERROR,
} finish_reason;

const char *finish_reason_name(finish_reason reason);   /* "stop" */

typedef struct generation_timings {
    double queue_ms, prefill_ms;    /* of the last attempt */
    double decode_ms;           /* from its first token to the last */
    double forward_ms, sample_ms;   /* sums over its steps */
    uint32_t n_cached;          /* prompt positions found in the KV-cache */
} generation_timings;

typedef struct generation_done {
    finish_reason reason;
    status code;                /* FINISHED_ERROR: what `message` is about */
    const char *message;
    uint32_t n_tokens;          /* over all attempts */
    uint32_t n_tokens_timed;    /* of the last attempt, which `timings` is about */
    generation_timings timings;
} generation_done;

/* Called from the loop, what they get is valid for the call. `done` comes exactly once, and last;
 * in it another generation may begin. Those that are under way at once come in turns, each in
 * order. */
typedef struct generation_events {
    void (*started)(void *context, const generation_start *start);
    void (*chunk)(void *context, const generation_chunk *chunk);
    void (*done)(void *context, const generation_done *done);
} generation_events;

#endif
