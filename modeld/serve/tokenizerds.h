/* The tokenizerds that this modeld joins: what they ask goes into the table of sequences. */
#ifndef TRIVIUM_MODELD_TOKENIZERDS_H
#define TRIVIUM_MODELD_TOKENIZERDS_H

#include "endings.h"
#include "departing.h"
#include "modeld/links/tokenizerd_link.h"

typedef struct tokenizerds tokenizerds;

typedef struct tokenizerds_options {
    loop *loop;
    sequences *sequences;
    const endings *endings;
    wakeup *turn; /* there is something to do */
    departing *departing;
    garbage *garbage;
} tokenizerds_options;

/* All that the options point to is borrowed. NULL: no memory. */
tokenizerds *tokenizerds_new(const tokenizerds_options *options);
void tokenizerds_free(tokenizerds **t); /* says Leave to all; NULL is fine */

/* Once: whoever is at these endpoints, [n_endpoints], 1 … JOINS_MAX, now or later (join_table.h). They are borrowed, as is what
 * `how` points to; its address, events and context are filled in here. Fails as join_table_new and tokenizerd_link_new. */
status tokenizerds_join(tokenizerds *t, const char *const *endpoints, size_t n_endpoints, const tokenizerd_link_options *how,
                        failure *f);

void tokenizerds_drain(tokenizerds *t); /* this modeld drains: all are told, now and later */
bool tokenizerds_have_sent(const tokenizerds *t); /* nothing that they were told waits any more */
void tokenizerds_beat(tokenizerds *t); /* a heartbeat to all of them: the report has changed */
/* To the one that asked for the text, which may have ended meanwhile; one that cannot be told is dropped. */
void tokenizerds_trace(tokenizerds *t, const Trivium__Glimpse *g);
uint64_t tokenizerds_garbage(const tokenizerds *t); /* messages of theirs that could not be read */

/* Why the last one refused this model for good, as all others did before: then the loop was stopped.
 * NULL: there is one left, or a name may still lead to one. */
const failure *tokenizerds_refusal(const tokenizerds *t);

#endif
