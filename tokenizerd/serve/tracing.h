/* Traces of a text for those who watch it. Nothing waits for a watcher. */
#ifndef TRIVIUM_TRACING_H
#define TRIVIUM_TRACING_H

#include "tokenizerd/links/client_link.h"
#include "tokenizerd/links/modeld_link.h"
#include "tokenizerd/requests/requests.h"
#include "tokenizerd/requests/watches.h"

typedef struct tracing {            /* what it needs: filled in by its owner, all borrowed */
    client_link *clients;
    modeld_link *modelds;
    const requests *requests;
    watches *watches;
} tracing;

void tracing_watch(tracing *ts, const sender *who, const watch_order *order);
void tracing_trace(tracing *ts, named_text name, const Trivium__Glimpse *trace);
void tracing_client_left(tracing *ts, const peer *client);
void tracing_sweep(tracing *ts, uint64_t now_us);       /* last words that are due */

#endif
