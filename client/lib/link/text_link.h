/* The text link, at its client's end: it joins a tokenizerd at one of the addresses of several endpoints, tried in turn,
 * joins again when that one is lost, and hands on what comes. All of it from the loop's thread. */
#ifndef TRIVIUM_TEXT_LINK_H
#define TRIVIUM_TEXT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "proto/net/keys/keys.h"
#include "proto/net/loop.h"
#include "proto/net/wire.h"
#include "text.pb-c.h"

typedef struct text_link text_link;

typedef struct text_link_options {
    const char *const *endpoints;   /* [n_endpoints], borrowed for the life of the link */
    size_t n_endpoints;         /* 1 … JOINS_MAX */
    uint32_t wait_ms;           /* for a tokenizerd, and there for other missing daemons */
    bool has_own_wait;          /* somebody said so; else tokenizerd is told that nobody did */
    keys *keys;                 /* for endpoints over tcp; NULL: there are none */
    bool insecure;              /* tcp without keys is allowed */
    const char *owner;          /* on behalf of whom all is asked, borrowed as above; NULL: of nobody else */
} text_link_options;

/* What they get is valid for the call. Within them the link may be used, not freed. */
typedef struct text_link_events {
    /* NULL, or once for each wait that is longer than a second: a sentence that says what is waited for, a tokenizerd
     * or what the one that is joined says. */
    void (*waiting)(void *context, const char *sentence);
    /* A tokenizerd has joined: what waits can be sent. */
    void (*joined)(void *context);
    /* Is anything under way at the tokenizerd that is joined? One that drains is left when nothing is. */
    bool (*under_way)(void *context);
    /* Does anything that was asked for wait for a tokenizerd that takes it? */
    bool (*waits)(void *context);
    /* It is gone, and with it what it has not answered. `joined` or `over` follows. */
    void (*lost)(void *context);
    /* Once, and last: no tokenizerd came within the wait, or all hosts have names that do not exist and nobody said how
     * long to wait (STATUS_NO_TOKENIZERD), or none that takes something new
     * (STATUS_DRAINING), or the only one refused us. */
    void (*over)(void *context, const failure *why);
    /* A text, told by its request and attempt: its start, with the frame of its prompt; more of it; its
     * end. */
    void (*started)(void *context, const wire_message *m, const Trivium__Started *started);
    void (*chunk)(void *context, const Trivium__Chunk *chunk);
    void (*done)(void *context, const Trivium__Done *done);
    /* A step of a text that is watched. */
    void (*traced)(void *context, const Trivium__Glimpse *trace);
    /* An answer to the call of this number, with its frames. */
    void (*answered)(void *context, uint64_t number, const wire_message *m,
                     const Trivium__TextReply *reply);
    /* A heartbeat is about to go: acknowledgements may go with it. What it points to must live until the
     * next one. */
    void (*beat)(void *context, Trivium__Heartbeat *beat);
} text_link_events;

/* Begin to join. NULL: see f, STATUS_BAD_REQUEST for an endpoint that is none, or STATUS_NO_MEMORY. */
text_link *text_link_new(loop *l, const text_link_options *options, const text_link_events *events,
                         void *context, failure *f);
void text_link_free(text_link **link);          /* says Leave; no more events come */

loop *text_link_loop(const text_link *link);
uint32_t text_link_wait_ms(const text_link *link);  /* never 0 */
uint32_t text_link_wire_wait_ms(const text_link *link);     /* as a message says it; 0: nobody said how long */

bool text_link_is_joined(const text_link *link);    /* and `joined` was told */
bool text_link_takes(const text_link *link);        /* … and something new may begin there: else it waits for `joined` */
/* The one that is joined has said STATUS_DRAINING: what it refused waits for `joined`. */
void text_link_hear_draining(text_link *link);
/* STATUS_OK; else what `over` said. */
status text_link_check(const text_link *link, failure *f);

uint64_t text_link_new_number(text_link *link); /* for a call, whose answer has it: never 0, never twice */

/* Send to the tokenizerd that is joined; its control part is filled in here. STATUS_OK also when it is
 * lost meanwhile: `lost` follows. STATUS_TOO_LONG, STATUS_NO_MEMORY: nothing was sent. */
status text_link_send(text_link *link, Trivium__TextRequest *m, const wire_raw *raw, size_t n_raw,
                      failure *f);

#endif
