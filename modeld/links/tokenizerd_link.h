/* The link to a tokenizerd: joins it, takes what it asks, and calls those who serve it.
 *
 * What a tokenizerd is told is in tokenizerd_answer.h. Three things the link does on its own: it hands out the
 * vocabulary, puts the report into heartbeats, and keeps the default model that it was told, for
 * whichever tokenizerd takes this one's place at the same address. */
#ifndef TRIVIUM_MODELD_TOKENIZERD_LINK_H
#define TRIVIUM_MODELD_TOKENIZERD_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "garbage.h"
#include "modeld/engine/model.h"
#include "modeld/sched/job.h"
#include "proto/net/keys/keys.h"
#include "proto/net/loop.h"
#include "proto/net/wire.h"
#include "report.h"
#include "tokens.pb-c.h"

typedef struct tokenizerd_link tokenizerd_link;

/* Which text is meant: a request, and which of its attempts. */
typedef struct text_name {
    const uint8_t *request; /* [REQUEST_BYTES], borrowed */
    uint32_t attempt;
    uint32_t number; /* as its Open had it */
} text_name;

/* Who is to drain; borrowed. */
typedef struct drain_worker {
    uint64_t call;
    bool is_sampler;  /* the next three count; else it is this modeld */
    const char *name;
    int32_t pid;      /* 0: any */
    const char *host; /* "": any */
} drain_worker;

/* What a message asks for. All that pointers lead to is borrowed for the call; frames and names have
 * the right size, values are as they came. A job is from the link. Where a strategy cannot be read,
 * `unreadable` says why and the strategy is of no use; else it is NULL. */
typedef struct tokenizerd_link_events {
    void (*open)(void *context, const job *text, const failure *unreadable);
    void (*retune)(void *context, tokenizerd_link *from, text_name text, uint32_t change,
                   const strategy *wanted, const failure *unreadable);
    void (*watch)(void *context, tokenizerd_link *from, text_name text, uint32_t n_watched);
    void (*close)(void *context, tokenizerd_link *from, text_name text);
    void (*call)(void *context, const job *call, const failure *unreadable); /* score or probe */
    void (*close_call)(void *context, tokenizerd_link *from, uint64_t call);
    /* NULL, or as those of peers_events. */
    bool (*asks_who)(void *context, const char *address);
    bool (*met)(void *context, tokenizerd_link *at, uint64_t incarnation);
    /* A tokenizerd joined, this process; it is lost, and the link goes on trying. */
    void (*joined)(void *context, tokenizerd_link *from, uint64_t incarnation);
    void (*lost)(void *context, tokenizerd_link *from);
    void (*drain)(void *context, tokenizerd_link *from, const drain_worker *order); /* an operator's */
    /* All that it has open is over, without a word: it is gone, or has forgotten it. */
    void (*over)(void *context, tokenizerd_link *from);
    /* It has refused us for good: the link closes in the next turn of the loop. */
    void (*refused)(void *context, tokenizerd_link *from, const failure *why);
} tokenizerd_link_events;

typedef struct tokenizerd_link_options {
    const char *address;
    keys *keys;    /* for an address over tcp; NULL: there are none */
    bool insecure; /* tcp without keys is allowed */
    const Trivium__Hello *hello; /* ours; the default model is added */
    uint64_t incarnation;
    uint32_t heartbeat_ms;
    const model *model; /* whose vocabulary it hands out */
    report *report;     /* for heartbeats */
    garbage *garbage;
    const tokenizerd_link_events *events;
    void *context;
} tokenizerd_link_options;

/* Joins at once, and anew whenever it is lost, until it is freed. What the options point to is borrowed
 * for its life. The failure says which endpoint and why. */
status tokenizerd_link_new(tokenizerd_link **out, loop *l, const tokenizerd_link_options *options,
                           failure *f);
void tokenizerd_link_free(tokenizerd_link **link); /* says Leave; NULL is fine. Not from within an event */

void tokenizerd_link_drain(tokenizerd_link *link);             /* this modeld drains: it is told, now and later */
bool tokenizerd_link_has_sent(const tokenizerd_link *link);    /* nothing that it was told waits any more */
void tokenizerd_link_beat(tokenizerd_link *link);              /* a heartbeat now: the report has changed */
bool tokenizerd_link_behind(const tokenizerd_link *link);      /* so much waits for it that its texts should rest */
uint64_t tokenizerd_link_garbage(const tokenizerd_link *link); /* messages that could not be read */

/* For tokenizerd_answer.c. A tokenizerd that cannot take a message, or would miss it, is cut, and with it
 * goes all that it has open: it opens that anew. STATUS_NOT_FOUND: none is joined now. */
status tokenizerd_link_send(tokenizerd_link *to, Trivium__TokensReply *m, const wire_raw *raw,
                            size_t n_raw);
void tokenizerd_link_offer(tokenizerd_link *to, Trivium__TokensReply *m); /* or drop it, rather than wait */

#endif
