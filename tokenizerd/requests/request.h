/* One generation: what was asked, the record with which any modeld can go on, and the one function
 * that changes its state (the table stands in PROTOCOL.md). Pure: no sockets, no clock.
 *
 * The service maps messages to these functions and carries out what they decide. The fields of a
 * request may be read anywhere; only request*.c writes them, except the few marked so. */
#ifndef TRIVIUM_REQUEST_H
#define TRIVIUM_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "proto/chain/strategy.h"
#include "kept_rendering.h"
#include "request_order.h"
#include "serving.h"
#include "tokenizerd/owners/holdings.h"
#include "tokenizerd/text/encode_queue.h"
#include "tokenizerd/text/stream.h"

typedef struct request request;

typedef enum request_state {
    REQUEST_ENCODING,       /* its text waits for a vocabulary, or is being encoded */
    REQUEST_WAITING,        /* no modeld has it */
    REQUEST_RUNNING,        /* a modeld draws its tokens */
    REQUEST_RESTING,        /* its client will go on with it, as the next attempt */
    REQUEST_CLOSING,        /* its end is decided, its modeld is to be told */
    REQUEST_DONE,
    REQUEST_STATES
} request_state;

typedef enum request_event {
    EVENT_ENCODED,          /* all its ids are here */
    EVENT_SERVED,           /* a modeld was told to open it */
    EVENT_TOKEN,
    EVENT_CLOSED,           /* its modeld said the last word */
    EVENT_LOST,             /* its modeld is gone, or has no room for it */
    EVENT_PAUSE,            /* its client lets it rest */
    EVENT_END,    /* decided here: stop string, cancel, superseded, refused, waited too long */
    EVENT_TOLD,             /* its modeld was told to close it */
    EVENT_KINDS
} request_event;

/* How it ends: the numbers of FinishReason in text.proto. */
typedef enum request_finish {
    FINISH_NONE,
    FINISH_STOP,
    FINISH_LENGTH,
    FINISH_CANCELLED,
    FINISH_SUPERSEDED,
    FINISH_ERROR,
} request_finish;

/* "stop", "length", "cancelled", "superseded", "error"; FINISH_NONE: "none". */
const char *request_finish_name(request_finish finish);

/* One change of strategy, from the Tune that asked for it until the client has acknowledged it. */
typedef struct request_change {
    uint32_t ordinal, step;         /* step: the first one that it draws, once `placed` */
    strategy strategy;              /* the whole of it */
    size_t n_bytes_held;            /* that its request counts for it */
    bool placed, shown;
    void *asker;                    /* NULL: gone */
    uint64_t call;
    struct request_change *next;
} request_change;

struct request {
    owner *owner;                   /* whose it is; held. NULL: of no table */
    uint8_t id[REQUEST_BYTES];      /* which the requests of other owners may have, too */
    uint32_t attempt;
    uint32_t number;                /* tells it from those for modelds; 0: from none */
    request_state state;
    void *client;                   /* that has it written; set NULL by the service when it is gone */

    /* what was asked */
    char model_name[NAME_BYTES_MAX + 1], fingerprint[NAME_BYTES_MAX + 1];
    char pool[NAME_BYTES_MAX + 1], session[NAME_BYTES_MAX + 1];
    uint64_t seed;
    uint32_t max_new_tokens, n_candidates, wait_ms;
    bool has_own_wait;              /* its client said how long: also for a model that nobody knows */
    int32_t priority;
    char traceparent[TRACEPARENT_BYTES + 1];    /* "": none */
    bool ignore_eos, no_cache;
    bool fresh;                     /* it began with a text or a conversation; else with ids */
    uint8_t *stops;                 /* end to end */
    uint16_t stop_bytes[STOPS_MAX];     /* [n_stops]: there are many requests */
    size_t n_stops;
    int32_t *end_ids;               /* its stop ids, then the model's end ids unless ignore_eos */
    size_t n_end_ids;
    queued_text *queued; /* the text on its way to ids; owned, set and freed by the service */
    kept_rendering rendering;       /* the conversation on its way to a prompt; the same */

    /* where */
    const serving_events *serving;  /* borrowed */
    served_model *model;            /* NULL until it is here; held */
    model_facts facts;              /* of it */
    modeld *modeld;                 /* while RUNNING or CLOSING */
    uint64_t deadline_us;           /* of the wait, when request_waits */
    uint64_t notice_us;             /* from then on its client is to be told what it waits for; 0: was told */
    uint64_t retry_us;              /* WAITING: not served before then; 0: no modeld was without room */
    const modeld *refuser;          /* WAITING: whoever had no room, only compared; NULL: none */
    bool is_queued;                 /* RUNNING: its modeld has no room for it yet */
    uint32_t n_losses;              /* of modelds that had it, in a row, without a new token */
    uint32_t n_moves;               /* away from those that could not have it drawn, the same */

    /* the record: with it any modeld can go on */
    int32_t *ids;                   /* [n_ids] prompt, then drawn; NULL before it is encoded */
    size_t n_ids, n_prompt, n_ids_room;
    size_t n_bytes_held;            /* by ids, stops and strategies: its owner's */
    strategy strategy;              /* the newest */
    uint32_t change;                /* its ordinal */
    uint8_t sampler_state[STATE_BYTES_MAX];
    size_t sampler_state_bytes;
    char semantics[NAME_BYTES_MAX + 1];
    stream *stream;
    request_finish over;            /* not FINISH_NONE: its ids already end it */
    request_change *changes;        /* oldest first */
    size_t n_changes;

    /* figures */
    uint64_t created_us, opened_us, first_token_us, last_token_us;  /* 0: not yet */
    size_t n_drawn;                 /* in this attempt */
    bool reopened;                  /* the next token's forward pass is a prefill */
    double forward_ms, sample_ms;
    double queue_ms, prefill_ms;    /* as its modeld says in Closed */
    uint32_t n_cached;

    request *next, *next_in_bucket; /* the table's */
};

/* Check the order and take it up, ENCODING, without an owner; the caller owns *out. STATUS_BAD_REQUEST,
 * STATUS_EMPTY_PROMPT, STATUS_NOT_UTF8, STATUS_TOO_LONG, STATUS_NO_MEMORY with a sentence. */
status request_new(const request_order *order, const serving_events *serving, void *client, uint64_t now_us,
                   request **out, failure *f);
void request_free(request **r);

/* Its life. Each of these that stands for an event of the table has no effect (and returns false,
 * or STATUS_NOT_FOUND) when the state does not allow it. */
bool request_transition(request *r, request_event event);

/* Its model is here (held for it from now on): ids and stops are checked against it. STATUS_BAD_ID,
 * STATUS_TOO_LONG, STATUS_NO_MEMORY. */
status request_meet(request *r, served_model *m, const model_facts *facts, failure *f);

/* Its conversation is a prompt by now: n_tokens_max is what its reply has room for (0: no bound), and `stop` (NULL: none)
 * ends it, too. STATUS_BAD_REQUEST: with that there are too many stops. STATUS_BUSY, STATUS_NO_MEMORY. */
status request_rendered(request *r, uint32_t n_tokens_max, const char *stop, failure *f);

/* ENCODING → WAITING. ids: of its text; when it brought ids, these are replayed now instead.
 * STATUS_EMPTY_PROMPT, STATUS_TOO_LONG, STATUS_BUSY, STATUS_NO_MEMORY. `over` may be set. */
status request_encoded(request *r, const int32_t *ids, size_t n_ids, uint64_t now_us, failure *f);

/* It holds n_bytes more, of what its owner may (HOLDING_REQUEST_BYTES): STATUS_BUSY. */
status request_hold(request *r, size_t n_bytes, failure *f);
void request_let_go(request *r, size_t n_bytes);    /* of what it holds */

bool request_serve(request *r, modeld *d, uint64_t now_us);     /* WAITING → RUNNING */
void request_queue(request *r, bool over);  /* its modeld has no room for it yet, or has some by now */

typedef struct request_token {      /* borrowed */
    uint32_t step;
    int32_t id;
    vocab_bytes sampler_state;
    const char *semantics;
    double forward_ms, sample_ms;
} request_token;

/* A token is recorded; *kept: it is part of the text, and *shown is what may be shown with it. An
 * end id is not kept. `over` may be set. STATUS_NOT_FOUND: not the step that is due, or not
 * RUNNING: drop it. Other codes: the modeld broke a rule and the request cannot go on. */
status request_drawn(request *r, const request_token *token, uint64_t now_us, stream_text *shown,
                     bool *kept, failure *f);

/* RUNNING → WAITING; `over` may be set. After more than REOPENS_MAX n_losses it is to end. */
bool request_lost(request *r, uint64_t now_us);

/* RUNNING → WAITING, for another modeld can have it drawn, as its own cannot: at most MOVES_MAX times in a row without a new
 * token, while request_may_move. `over` may be set. */
bool request_may_move(const request *r);
bool request_moved(request *r, uint64_t now_us);

/* Its modeld has no room for it: RUNNING → WAITING, until retry_us, if it has begun (tokens were
 * drawn, or a modeld was lost). The deadline stays, unless there was a new token. `over` may be set.
 * False: it has not begun, and its client may as well try later. */
bool request_crowded_out(request *r, uint64_t now_us);
/* The same where it may not have begun: its modeld takes nothing new any more. */
bool request_declined(request *r, uint64_t now_us);
/* → RESTING, with the first n_steps that were drawn: a change of its strategy holds at once, and is to be
 * shown again. False: it has ended. */
bool request_pause(request *r, uint32_t n_steps);
void request_forget_modeld(request *r, const modeld *d);    /* it is gone */

typedef struct request_closing {
    double queue_ms, prefill_ms;
    uint32_t n_cached;
} request_closing;
bool request_closed(request *r, const request_closing *closing);    /* RUNNING → DONE */

/* Its end is decided here: DONE, or CLOSING until its modeld has been told. False: it had ended
 * already. */
bool request_end(request *r);
bool request_told(request *r);              /* CLOSING → DONE */

/* What was held back of the text, let go at the end. */
status request_rest(request *r, stream_text *shown);

void request_wait(request *r, uint64_t now_us);     /* its wait_ms count from now */
bool request_waits(const request *r);       /* for a model or a modeld: its deadline counts */
/* Has it had to wait so long since it last went on that its client is to be told for what, once? */
bool request_notice_is_due(const request *r, uint64_t now_us);
void request_noticed(request *r);           /* that was told */
bool request_is_full(const request *r);     /* as many ids as were asked for, or as the context holds */
uint32_t request_step(const request *r);    /* the next step: ids drawn and kept so far */
bool request_has_begun(const request *r);   /* something of it was drawn, or a modeld lost that may have */
double request_tokens_per_s(const request *r);

/* Changes of strategy. */

/* Merge or replace; the result is the request's strategy from now on (or, before its model
 * is here, from request_adopt_changes on) and gets the next ordinal.
 * `call` is asker's. When RUNNING its modeld must be told; else it holds at once. STATUS_BAD_ID,
 * STATUS_BAD_REQUEST, STATUS_BUSY past CHANGES_MAX, STATUS_NO_MEMORY, STATUS_UNKNOWN_REQUEST at its
 * end. */
status request_tune(request *r, bool replace, const strategy *s, void *asker, uint64_t call,
                    failure *f);

/* Its model is here: the oldest of the changes so far that does not fit it, taken out for the caller
 * to tell its asker and free, why in `f`. NULL: the others fit. */
request_change *request_unfit_change(request *r, failure *f);
/* After that: the newest of those that are left is the request's strategy. STATUS_NO_MEMORY. */
status request_adopt_changes(request *r, failure *f);

void request_retuned(request *r, uint32_t ordinal, uint32_t from_step);  /* modeld has placed it */

/* All changes that do not hold yet hold from the next step on: its modeld is gone. */
void request_place_changes(request *r);

/* The next change that the client is to be told of, in order: when all steps before its own are
 * recorded. NULL: none is due. Owned by the request; the same one until request_change_shown. */
request_change *request_due(request *r);
void request_change_shown(request_change *change);

/* The oldest change of those that the client has received, ordinals up to this one; NULL: no more.
 * The caller frees it. */
request_change *request_acknowledged(request *r, uint32_t ordinal);
request_change *request_drop_change(request *r);    /* at the end: the oldest that is left */
void request_change_free(request_change **change);

void request_forget_asker(request *r, const void *asker);

#endif
