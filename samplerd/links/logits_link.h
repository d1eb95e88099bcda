/* The logits link, as a samplerd has it with one modeld, which it joins: takes each SampleRequest, has its rows
 * drawn from, and answers with a SampleReply, and with a Glimpse where somebody watches.
 *
 * A request that does not keep to PROTOCOL.md is answered with the error that it earns, and nothing is drawn
 * for it. */
#ifndef TRIVIUM_LOGITS_LINK_H
#define TRIVIUM_LOGITS_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "proto/net/keys/keys.h"
#include "proto/net/loop.h"
#include "proto/pool/threads.h"
#include "samplerd/rows/row_sampler.h"

typedef struct logits_link logits_link;

/* What the link calls. */
typedef struct logits_calls {
    /* Draw from each row, in order. `rows` obeys every bound that row_sampler.h tells, and is borrowed for the
     * call; what *out points to must stay as it is until the next call with this drawer. A failure is told to the
     * modeld, with its sentence. Drawers are 0 … threads - 1, and draw at the same time, each in a thread. */
    status (*draw)(void *context, unsigned drawer, const sample_rows *rows, sampled_rows *out, failure *f);
    /* NULL, or as those of peers_events. */
    bool (*asks_who)(void *context, const char *address);
    bool (*met)(void *context, logits_link *link, uint64_t incarnation);
    /* NULL, or: a modeld joined, this process; it is lost, and the link goes on trying. */
    void (*joined)(void *context, logits_link *link, uint64_t incarnation);
    void (*lost)(void *context, logits_link *link);
    void (*drain)(void *context);   /* an operator, through this modeld, wants us to drain */
} logits_calls;

typedef struct logits_link_options {
    const char *address;        /* of the modeld's endpoint for samplers */
    const char *name, *pool;    /* ours: UTF-8, at most NAME_BYTES_MAX bytes; "" is the default pool */
    uint64_t incarnation;       /* ours: one a process, from peers_incarnation() */
    uint32_t heartbeat_ms;      /* HEARTBEAT_MS_MIN … HEARTBEAT_MS_MAX */
    keys *keys;                 /* for an address over tcp; NULL: there are none */
    bool insecure;              /* tcp without keys is allowed */
    bool map_rows;              /* read the modeld's rows where they lie, if it is on this host */
    bool takes_cut_rows;        /* have the modeld send what the first stages leave of a row, where that is little */
    threads *draw_threads;      /* in which several requests are drawn for at once */
    logits_calls calls;
    void *context;
} logits_link_options;

/* Says Hello until a modeld answers, and again whenever it is lost: a modeld need not be there yet. The loop, the
 * context and the texts of the options must outlive the link. Refusals: those of endpoint_join and of hello_check,
 * STATUS_NO_MEMORY; *out is NULL then. */
status logits_link_join(logits_link **out, loop *l, const logits_link_options *options, failure *f);

void logits_link_drain(logits_link *link);      /* says Draining, now and to whoever is joined later */
/* Nothing comes from this modeld any more: it said so to us who drain, or none is joined; and all answers are sent. */
bool logits_link_is_over(const logits_link *link);

/* Says Leave; sets *link = NULL; NULL is fine. Not from within `draw`. */
void logits_link_free(logits_link **link);

#endif
