/* The calls under way: tokenize, detokenize, render, score and probe, each of which gets exactly
 * one answer. Pure: no sockets, no clock. Fields may be read anywhere; the service sets the passage, and
 * the state while it encodes. */
#ifndef TRIVIUM_CALLS_H
#define TRIVIUM_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "proto/chain/strategy.h"
#include "tokenizerd/chat/chat.h"
#include "tokenizerd/chat/conversation.h"
#include "serving.h"
#include "tokenizerd/text/passages.h"

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
    CALL_ENCODING,              /* its text is being encoded */
    CALL_SENT,                  /* a modeld has it */
} call_state;

/* A conversation on its way to a prompt. */
typedef struct rendering {
    conversation *conversation; /* owned; NULL: the call is another one */
    chat_form asked;
    uint32_t n_ids_max;         /* 0: no bound */
    uint32_t n_reply;           /* ids that the context must hold behind them, at most half of it */
    chat chat;                  /* once its model is here */
    size_t n_head_bytes, n_tail_bytes;  /* of the try that is being encoded, see chat_prompt */
    passage *fits;              /* encoded: the best try so far; owned, NULL: none */
} rendering;

typedef struct call {
    uint64_t number;            /* ours, on the tokens link; never 0 */
    call_kind kind;
    call_state state;
    void *client;
    uint64_t client_number;     /* the client's own */

    char model_name[NAME_BYTES_MAX + 1], pool[NAME_BYTES_MAX + 1];
    uint32_t wait_ms;
    uint64_t deadline_us;       /* while WAITING */
    served_model *model;        /* NULL until it is here; held */
    modeld *worker;             /* while SENT */
    uint32_t n_losses;          /* of modelds that had it */

    passage *passage;           /* text on its way to ids; owned */
    rendering rendering;
    bool bos;
    int32_t *ids;               /* [n_ids] of a text or given; of a probe: its history; owned */
    size_t n_ids;
    float *row;                 /* [n_row] of a probe; owned */
    size_t n_row;
    strategy strategy;          /* of a probe */
    uint64_t seed;
    uint32_t step, n_top;

    const serving_events *serving;     /* the table's, as is what follows */
    struct call *next, *previous;
    size_t n_bytes_held;
} call;

typedef struct call_order {     /* borrowed */
    call_kind kind;
    void *client;
    uint64_t client_number;
    const char *model, *pool;
    uint32_t wait_ms;           /* 0: WAIT_MS */
    bool bos;
    const int32_t *ids;
    size_t n_ids;
    const float *row;
    size_t n_row;
    const strategy *strategy;   /* NULL: empty */
    uint64_t seed;
    uint32_t step, n_top;
    const chat_message *messages;       /* of a conversation to render */
    size_t n_messages;
    chat_form form;
    uint32_t n_ids_max, n_reply;
} call_order;

calls *calls_new(const serving_events *serving);   /* borrowed; NULL: no memory */
void calls_free(calls **cs);

/* Check and take up, WAITING; what is borrowed is copied. STATUS_BUSY past CALLS_MAX or
 * CALLS_BYTES_MAX, STATUS_BAD_REQUEST, STATUS_BAD_ID, STATUS_NO_MEMORY, codes of chat_check with a
 * sentence. */
status calls_add(calls *cs, const call_order *order, uint64_t now_us, call **out, failure *f);
void calls_remove(calls *cs, call **c);

call *calls_find(const calls *cs, uint64_t number);     /* NULL: none of this number */
call *calls_first(const calls *cs);                     /* in order of coming */
call *calls_next(const call *c);

/* Its ids are known (copied); counted like those that came with the order. STATUS_BUSY,
 * STATUS_NO_MEMORY. */
status call_set_ids(calls *cs, call *c, const int32_t *ids, size_t n_ids, failure *f);

void call_meet(call *c, served_model *m);               /* its model is here; held from now on */
void call_send(call *c, modeld *d);                     /* WAITING → SENT */
void call_wait(call *c, uint64_t now_us);               /* → WAITING, for wait_ms from now */
/* Its modeld is gone: SENT → WAITING. False: it is to fail, because more than REOPENS_MAX were lost. */
bool call_lost(call *c, uint64_t now_us);

#endif
