/* What is watched: one request at a time, asked for again after a loss until its owner has resumed it. */
#ifndef TRIVIUM_WATCHING_H
#define TRIVIUM_WATCHING_H

#include <stdbool.h>

#include "client/lib/watch.h"
#include "text_link.h"

typedef struct watching watching;

watching *watching_new(text_link *link);        /* borrows it. NULL: no memory */
void watching_free(watching **w);               /* before its link; no event comes. NULL is fine */

/* As client_watch. */
status watching_begin(watching *w, const watch_request *request, const watch_events *events,
                      void *context, failure *f);

bool watching_any(const watching *w);           /* is anything watched? */

/* What the link tells; nothing happens while nothing is watched. */
void watching_joined(watching *w);
void watching_fail(watching *w, const failure *f);  /* it is over */
bool watching_answered(watching *w, uint64_t number, const Trivium__TextReply *reply);  /* false: not for it */
void watching_traced(watching *w, const Trivium__Glimpse *trace);

#endif
