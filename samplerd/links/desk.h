/* A request in hand: its message is kept from when it comes until it is answered. */
#ifndef TRIVIUM_DESK_H
#define TRIVIUM_DESK_H

#include "logits.pb-c.h"
#include "proto/base/status.h"
#include "proto/net/peer.h"
#include "proto/rows/shared_rows.h"
#include "samplerd/rows/row_sampler.h"

typedef struct desk {
    peer *from;
    wire_message message;
    const Trivium__SampleRequest *request;  /* the message's */
    strategy strategy;                      /* the request's */
    sampled_rows sampled;
    failure failure;                        /* its code is STATUS_OK where rows were drawn from */
    double sample_ms;
} desk;

/* Who draws: from rows that obey every bound that row_sampler.h tells, borrowed for the call. */
typedef status desk_draws(void *context, unsigned drawer, const sample_rows *rows, sampled_rows *out, failure *f);

/* An empty desk gets a request, which `m` holds. */
void desk_take(desk *d, peer *from, const wire_message *m, const Trivium__SampleRequest *request);

/* Read and check it, and have it drawn from; `view`: where its rows may lie, NULL for nowhere. What came of it is in
 * `sampled`, the drawer's, or in `failure`. Nothing but the desk and the drawer is written: desks are worked at side by
 * side, each with a drawer of its own. */
void desk_work(desk *d, const shared_view *view, desk_draws *draws, void *context, unsigned drawer);

/* It was answered: empty again. */
void desk_clear(desk *d);

/* The id of its text in hex, for the log; "-" of a score or probe, which has none. */
void desk_name(const desk *d, char out[2 * REQUEST_BYTES + 1]);

#endif
