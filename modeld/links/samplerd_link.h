/* The link to the samplerds that join this modeld: rows of logits go out, answers come back.
 *
 * It puts each samplerd that joins into the table of samplers, and takes it out when it leaves. Who
 * gets which row, and what becomes of an answer, is for others to say. */
#ifndef TRIVIUM_MODELD_SAMPLERD_LINK_H
#define TRIVIUM_MODELD_SAMPLERD_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "garbage.h"
#include "modeld/engine/model.h"
#include "modeld/sched/samplers.h"
#include "proto/base/process/join_hint.h"
#include "proto/chain/strategy.h"
#include "proto/draw/cut_row.h"
#include "proto/net/keys/keys.h"
#include "proto/net/loop.h"
#include "proto/rows/shared_rows.h"
#include "sample_answer.h"

typedef struct samplerd_link samplerd_link;

typedef struct samplerd_link_events {
    /* An answer came, in time or late: its ticket tells. */
    void (*answered)(void *context, sampler *from, const sample_answer *answer);
    /* The candidates of a step of this request, for whoever watches; the ids are of this vocabulary. */
    void (*traced)(void *context, const Trivium__Glimpse *g);
    /* It cannot be reached any more, and goes from the table when this returns: whatever points to it
     * must not afterwards. `why` is a clause for a person that names it. */
    void (*lost)(void *context, sampler *gone, const char *why);
    void (*changed)(void *context); /* afterwards, and when one has joined or drains: who may draw has changed */
} samplerd_link_events;

typedef struct samplerd_link_options {
    const char *address; /* that it binds */
    keys *keys;          /* for an address over tcp; NULL: there are none */
    bool insecure;       /* tcp without keys is allowed */
    const Trivium__Hello *hello;
    uint64_t incarnation;
    uint32_t heartbeat_ms;
    uint32_t n_vocab;
    const model *model;  /* whose vocabulary samplerds may ask for */
    shared_rows *shared; /* offered to samplerds of this host; NULL: all rows are sent */
    samplers *samplers;
    garbage *garbage;
    const samplerd_link_events *events;
    void *context;
} samplerd_link_options;

/* Binds. What the options point to is borrowed for its life. The failure says which endpoint and why. */
status samplerd_link_new(samplerd_link **out, loop *l, const samplerd_link_options *options, failure *f);
void samplerd_link_free(samplerd_link **link); /* says Leave; NULL is fine. Not from within an event */

const char *samplerd_link_address(const samplerd_link *link); /* with the port that * became */
join_place samplerd_link_place(const samplerd_link *link);    /* for whoever starts one; valid as long as the link */
uint64_t samplerd_link_garbage(const samplerd_link *link);    /* messages that could not be read */

/* Rows, and what is to be drawn from them. Pointers are borrowed for the call. */
typedef struct sample_request {
    uint64_t ticket;
    const uint8_t *request; /* [REQUEST_BYTES]; NULL: zeros */
    uint32_t attempt, step;
    const float *rows; /* [n_rows, row_width] */
    uint32_t n_rows, row_width;
    bool in_shared; /* the only row lies in shared memory, */
    uint32_t shared_index;
    uint64_t shared_generation;
    const int32_t *ids; /* [n_ids], before the first row */
    uint32_t n_ids, n_prompt;
    const strategy *strategy;
    uint64_t seed;
    const uint8_t *sampler_state;
    size_t n_sampler_state_bytes;
    uint32_t deadline_ms;
    uint32_t n_candidates, n_watched;
    int32_t priority;
    const char *traceparent; /* NULL or "": none */
    const cut_row *cut;      /* of the only row, sent in place of it; NULL: the row is sent, or lies in shared memory */
    const void *cut_bytes;   /* [CUT_ROW_BYTES · cut->n_left] */
    const int32_t *given; /* [n_rows]: scored, not drawn; NULL: drawn */
    const scored_row *scored; /* [n_rows], sent in place of the rows of given ids; NULL: the rows are sent */
    bool want_probabilities;
} sample_request;

/* A row in shared memory is not sent to a samplerd that reads it there. STATUS_BUSY: it cannot be
 * reached, and is lost; the event follows from the loop. STATUS_TOO_LONG, STATUS_NO_MEMORY: this request
 * does not fit a message. */
status samplerd_link_send(samplerd_link *link, sampler *to, const sample_request *request);

void samplerd_link_drain(samplerd_link *link); /* this modeld drains: all are told, now and later */
/* The one of this name, pid (0: any) and host ("": any). NULL: STATUS_NOT_FOUND, or STATUS_BAD_REQUEST where there are
 * several. */
sampler *samplerd_link_find(const samplerd_link *link, const char *name, int32_t pid, const char *host, failure *f);
void samplerd_link_ask_to_drain(samplerd_link *link, sampler *to); /* it is to drain, and counts as draining from here on */
void samplerd_link_release(samplerd_link *link, sampler *to); /* one that drains: nothing comes any more */
/* Of one that is lost, within that event: did it drain, or leave, by its own word? */
bool samplerd_link_in_order(const sampler *gone);

/* While a sampler has rows, its silence is not counted: the deadline watches it. To be called when rows
 * were sent. */
void samplerd_link_mark_busy(samplerd_link *link);

const char *samplerd_link_name(const sampler *one); /* of its Hello */
void samplerd_link_describe(const sampler *one, Trivium__SamplerReport *out); /* borrows its Hello */

#endif
