/* The link to modelds: what they say arrives as calls of modeld_link_events, and whatever they are told is
 * a function here. It alone knows the messages of tokens.proto, and keeps what each modeld reports. */
#ifndef TRIVIUM_MODELD_LINK_H
#define TRIVIUM_MODELD_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link_options.h"
#include "proto/base/process/join_hint.h"
#include "proto/base/status.h"
#include "tokenizerd/requests/calls.h"
#include "tokenizerd/requests/request.h"
#include "tokenizerd/route/models.h"

typedef struct modeld_link modeld_link;

/* What a sampler says of a drawn token comes from a modeld and goes to clients as it is. */
typedef struct Trivium__Drawn Trivium__Drawn;
typedef struct Trivium__Glimpse Trivium__Glimpse;
typedef struct Trivium__Candidate Trivium__Candidate;

/* ---- what modelds say; all of it is borrowed for the call ---- */

typedef struct modeld_hello {
    model_offer offer;
    uint64_t incarnation;
    const char *first_model;        /* the default model that it has heard of; NULL: of none */
    uint64_t first_since_ms;
} modeld_hello;

typedef struct modeld_scores {
    const double *logprobs;         /* [n_logprobs]; NULL: they are missing */
    size_t n_logprobs;
    Trivium__Candidate **top;       /* [n_top] of the token after the last, */
    const int32_t *top_ids;         /* and their ids */
    size_t n_top;
} modeld_scores;

/* What modelds call a text. */
typedef struct named_text {
    const uint8_t *id;              /* [REQUEST_BYTES] */
    uint32_t attempt, number;
} named_text;

/* A call is named by the number that we gave it. */
typedef struct modeld_link_events {
    /* A Hello. STATUS_OK: it is taken up as *out, which names it from here on, and its modeld_peer is
     * `record`; what it is told from in here goes after our own Hello. Else it gets `f` as a refusal. */
    status (*joined)(void *context, const modeld_hello *hello, void *record, modeld **out,
                     failure *f);
    void (*draining)(void *context, modeld *d); /* it takes nothing new; what it has goes on */
    void (*left)(void *context, modeld *d);     /* nothing can be sent to it any more */
    /* What modeld_link_samplerd says of it may be another word now. */
    void (*samplers_changed)(void *context, modeld *d);
    /* Not STATUS_OK: it cannot be used, and is cut. */
    status (*piece)(void *context, modeld *d, const vocab_piece *piece, failure *f);
    /* The process was cut for this reason; its next Hello is to be refused with it. */
    void (*unusable)(void *context, uint64_t incarnation, const failure *why);
    void (*token)(void *context, const modeld *d, named_text name, const request_token *token,
                  const Trivium__Drawn *drawn);
    void (*retuned)(void *context, const modeld *d, named_text name, uint32_t change, uint32_t from_step);
    /* It waits for room there, or does so no longer. */
    void (*queued)(void *context, const modeld *d, named_text name, bool over);
    void (*closed)(void *context, const modeld *d, named_text name, request_finish finish,
                   const request_closing *closing, const failure *why);         /* of FINISH_ERROR */
    void (*trace)(void *context, named_text name, const Trivium__Glimpse *trace);
    void (*scored)(void *context, const modeld *d, uint64_t number, const modeld_scores *scores);
    /* probabilities: [n_probabilities]; NULL: they are missing. */
    void (*probed)(void *context, const modeld *d, uint64_t number, int32_t id,
                   const double *probabilities, size_t n_probabilities);
    /* The end of it, or of one of its samplerds, that was asked for under this number: it is about to leave, or that has left. */
    void (*drained)(void *context, const modeld *d, uint64_t number, uint32_t n_texts, uint32_t n_left);
    void (*call_failed)(void *context, const modeld *d, uint64_t number, const failure *why);
} modeld_link_events;

/* As client_link_new. */
status modeld_link_new(modeld_link **out, const link_options *options,
                       const modeld_link_events *events, void *context, failure *f);
void modeld_link_free(modeld_link **l);     /* says Leave to all; NULL is fine */
void modeld_link_drain(modeld_link *l);     /* says Draining to all, now and later */
const char *modeld_link_address(const modeld_link *l);
join_place modeld_link_place(const modeld_link *l);     /* for whoever starts another one; valid as long as the link */
uint64_t modeld_link_garbage(const modeld_link *l);     /* messages that were dropped */

/* ---- what modelds are told ----
 *
 * A modeld that cannot take it is cut, and `left` follows from the loop: what it had goes elsewhere. */

/* With the request's ids and its newest strategy. STATUS_OK or STATUS_BUSY (it is cut): it counts as sent.
 * STATUS_TOO_LONG, STATUS_NO_MEMORY: it does not. The same holds for retune, score and probe. */
status modeld_link_open(modeld_link *l, const modeld *d, const request *r, uint32_t n_watched);
status modeld_link_retune(modeld_link *l, const modeld *d, const request *r);
void modeld_link_close(modeld_link *l, const modeld *d, const request *r);
void modeld_link_watch(modeld_link *l, const modeld *d, const request *r, uint32_t n_watched);
status modeld_link_score(modeld_link *l, const modeld *d, call *c);
status modeld_link_probe(modeld_link *l, const modeld *d, call *c);
/* It is to drain, or its samplerd of this name, pid and host: NULL, it itself. */
void modeld_link_ask_to_drain(modeld_link *l, const modeld *d, uint64_t number, const char *sampler, int32_t pid,
                              const char *host);
void modeld_link_close_call(modeld_link *l, const modeld *d, uint64_t number);
void modeld_link_query(modeld_link *l, const modeld *d, const char *hash);  /* of a vocabulary */
void modeld_link_default(modeld_link *l, const modeld *d, const default_model *known);

/* ---- for status: what it said of itself, and its last report ---- */

typedef struct Trivium__ModelReport Trivium__ModelReport;
typedef struct Trivium__Hello Trivium__Hello;

const Trivium__Hello *modeld_link_hello(const modeld *d);
uint64_t modeld_link_uptime_ms(const modeld *d);
const Trivium__ModelReport *modeld_link_report(const modeld *d);    /* NULL: none yet */

/* The best of the samplerds of a pool, by the last report of their modeld; what is later here does better. */
typedef enum samplerd_seen {
    SAMPLERD_ABSENT,
    SAMPLERD_UNTOLD,            /* it has not reported yet, or too many */
    SAMPLERD_HANGS,
    SAMPLERD_DRAINS,            /* and answers */
    SAMPLERD_ANSWERS,
} samplerd_seen;
/* Of this pool ("": the default one), and of these semantics ("": any). */
samplerd_seen modeld_link_samplerd(const modeld *d, const char *pool, const char *semantics);

#endif
