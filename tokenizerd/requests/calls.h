/* The calls under way: tokenize, detokenize, render, score and probe, each of which gets exactly
 * one answer. Pure: no sockets, no clock. Fields may be read anywhere, what only one kind has through
 * call_as_KIND; the service sets the queued text, and the state while it encodes. */
#ifndef TRIVIUM_CALLS_H
#define TRIVIUM_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "proto/chain/strategy.h"
#include "kept_rendering.h"
#include "serving.h"
#include "tokenizerd/owners/holdings.h"
#include "tokenizerd/text/encode_queue.h"
#include "tokenizerd/text/ids_text.h"

typedef struct calls calls;

typedef enum call_kind {
    CALL_TOKENIZE,
    CALL_DETOKENIZE,
    CALL_RENDER,
    CALL_SCORE,
    CALL_PROBE,
} call_kind;

typedef enum call_state {
    CALL_WAITING,               /* for its model or, with all that it needs, for a modeld */
    CALL_ENCODING,              /* its text is being encoded, or its many ids wait to become one */
    CALL_SENT,                  /* a modeld has it */
} call_state;

/* ---- what is asked: all of it is borrowed ---- */

typedef struct tokenize_order {
    bool bos;
} tokenize_order;

typedef struct detokenize_order {
    const char *fingerprint;    /* of the model that is meant; NULL or "": whatever has the name */
    const int32_t *ids;
    size_t n_ids;
} detokenize_order;

typedef struct score_order {
    const char *pool;
    const char *traceparent;    /* NULL or "": none */
    const int32_t *ids;         /* NULL: a text is to be encoded */
    size_t n_ids;
    bool bos;                   /* of the text */
    uint32_t n_top;
} score_order;

typedef struct probe_order {
    const char *pool;
    const char *traceparent;    /* NULL or "": none */
    const float *row;
    size_t n_row;
    const int32_t *history;
    size_t n_history;
    const strategy *strategy;
    uint64_t seed;
    uint32_t step;
} probe_order;

typedef struct call_order {
    call_kind kind;             /* which of the union counts; a render has nothing in it */
    const char *owner;          /* whose call it will be; NULL is "" */
    void *client;
    uint64_t client_number;
    size_t n_unread_bytes;      /* of answers, that its client has not read yet */
    const char *model;
    uint32_t wait_ms;           /* 0: nobody said, WAIT_MS */
    union {
        tokenize_order tokenize;
        detokenize_order detokenize;
        score_order score;
        probe_order probe;
    };
} call_order;

/* ---- what is under way ---- */

typedef struct call_text {      /* on its way to ids */
    queued_text *queued;        /* owned; NULL: there is none, or it is ids by now */
    bool bos;
} call_text;

typedef struct call_errand {    /* what a modeld answers */
    char pool[NAME_BYTES_MAX + 1];
    char traceparent[TRACEPARENT_BYTES + 1];    /* "": none */
    modeld *modeld;             /* while SENT */
    uint32_t n_losses;          /* of modelds that had it */
    uint32_t n_moves;           /* away from those that have no samplerd for it */
} call_errand;

typedef struct call_ids {
    int32_t *ids;               /* [n_ids], owned */
    size_t n_ids;
} call_ids;

typedef struct tokenize_call {
    call_text text;
} tokenize_call;

typedef struct detokenize_call {
    char fingerprint[NAME_BYTES_MAX + 1];
    call_ids given;
    ids_text done;              /* the text of some of them */
} detokenize_call;

typedef struct score_call {
    call_text text;
    call_ids scored;            /* given, or of its text */
    call_errand errand;
    uint32_t n_top;
} score_call;

typedef struct probe_call {
    float *row;                 /* [n_row], owned */
    size_t n_row;
    call_ids history;
    strategy *strategy;         /* owned */
    call_errand errand;
    uint64_t seed;
    uint32_t step;
} probe_call;

typedef struct call {
    uint64_t number;            /* ours, on the tokens link; never 0 */
    call_state state;
    owner *owner;               /* whose it is; held */
    void *client;
    uint64_t client_number;     /* the client's own */

    char model_name[NAME_BYTES_MAX + 1];
    uint32_t wait_ms;
    bool has_own_wait;          /* its client said how long: also for a model that nobody knows */
    uint64_t deadline_us;       /* while WAITING */
    uint64_t notice_us;         /* from then on its client is to be told what it waits for; 0: was told */
    served_model *model;        /* NULL until it is here; held */

    call_kind kind;             /* which of the union counts */
    union {
        tokenize_call tokenize;
        detokenize_call detokenize;
        kept_rendering render;
        score_call score;
        probe_call probe;
    };

    const serving_events *serving;  /* the table's, as is what follows */
    struct call *next, *previous;
    size_t n_bytes_held;        /* its owner's, HOLDING_CALL_BYTES */
} call;

calls *calls_new(const serving_events *serving, owners *os);    /* borrowed; NULL: no memory */
void calls_free(calls **cs);

/* Check and take up, WAITING; what is borrowed is copied. STATUS_BUSY: there is no room, or its owner has what it may have
 * of it (owners.h), or with this answer its client has more to read than calls may hold; STATUS_BAD_REQUEST,
 * STATUS_TOO_LONG, STATUS_BAD_ID, STATUS_NO_MEMORY. */
status calls_add(calls *cs, const call_order *order, uint64_t now_us, call **out, failure *f);
void calls_remove(calls *cs, call **c);

call *calls_find(const calls *cs, uint64_t number);     /* NULL: none of this number */
call *calls_first(const calls *cs);                     /* in order of coming */
call *calls_next(const call *c);

/* What only calls of this kind have; the call must be one of them. */
tokenize_call *call_as_tokenize(call *c);
detokenize_call *call_as_detokenize(call *c);
kept_rendering *call_as_render(call *c);    /* set by the service */
score_call *call_as_score(call *c);
probe_call *call_as_probe(call *c);

call_text *call_text_of(call *c);           /* NULL: its kind has none */
call_errand *call_errand_of(call *c);       /* NULL: its kind goes to no modeld */

/* The ids of a score's text (copied); counted like those that come with an order. STATUS_BUSY,
 * STATUS_NO_MEMORY. */
status call_set_ids(call *c, const int32_t *ids, size_t n_ids, failure *f);

void call_meet(call *c, served_model *m);               /* its model is here; held from now on */
void call_send(call *c, modeld *d, uint64_t now_us);    /* WAITING → SENT, of a score or probe */
void call_wait(call *c, uint64_t now_us);               /* → WAITING, for wait_ms from now */
/* Has it waited so long that its client is to be told for what, once? */
bool call_notice_is_due(const call *c, uint64_t now_us);
void call_noticed(call *c);                             /* that was told */
/* Its modeld is gone: SENT → WAITING. False: it is to fail, because more than REOPENS_MAX were lost. */
bool call_lost(call *c, uint64_t now_us);
/* Its modeld was told to end it, for another one can answer it: SENT → WAITING. MOVES_MAX times, while call_may_move. */
void call_moved(call *c, uint64_t now_us);
bool call_may_move(call *c);

#endif
