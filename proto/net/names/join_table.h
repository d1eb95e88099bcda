/* The links of a daemon that joins others: its endpoints are addresses, or names that may have several, which come and go
 * (host_name.h). Each address is joined once, by a link that the owner makes, JOINS_MAX at most.
 * Where there are more, those that are joined keep their links, and all others take turns: one that is not joined after
 * JOIN_TURN_MS is left for the next in order.
 *
 * An address that appears is joined. One that is gone keeps its link as long as a peer is joined there. Two addresses that
 * lead to one process have one link: another one asks who is there before it joins, and is left when it is that process, and
 * not joined while that lasts. Where both join all the same the newer one stays, as the other side has it, too. One
 * where the link was refused for good is not joined again; where a name leads to it, it is after REFUSED_AGAIN_MS. */
#ifndef TRIVIUM_JOIN_TABLE_H
#define TRIVIUM_JOIN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "proto/net/loop.h"

typedef struct join_table join_table;

/* How many links there may be at once. */
size_t join_table_n_links(const char *const *endpoints, size_t n_endpoints);

typedef struct join_table_events {
    /* Make a link that joins `address`, which stays valid until `leave`. NULL: see f; it is tried again after a while. */
    void *(*join)(void *context, const char *address, failure *f);
    /* Free it: from the loop, never from within an event of its own; from within join_table_joined of another link. */
    void (*leave)(void *context, void *link);
} join_table_events;

/* Addresses are joined before this returns. `endpoints` [n_endpoints], 1 … JOINS_MAX, each checked to be one
 * (endpoint_check). Fails as `join` does; STATUS_NO_MEMORY; *out is NULL then, and all that was joined was left. */
status join_table_new(join_table **out, loop *l, const char *const *endpoints, size_t n_endpoints,
                      const join_table_events *events, void *context, failure *f);
void join_table_free(join_table **j);                     /* leaves all; NULL is fine */

/* Must the link to this address know who is there before it joins? Another one stands, or tries where the same name leads. */
bool join_table_asks_who(const join_table *j, const char *address);
/* This process is. False: another link to it stands, or is joining it, and this one is left soon. */
bool join_table_met(join_table *j, void *link, uint64_t incarnation);

/* What happened to a link; may be told from within its events. */
void join_table_joined(join_table *j, void *link, uint64_t incarnation);  /* this process is at its other end */
void join_table_lost(join_table *j, void *link);
void join_table_refused(join_table *j, void *link);       /* for good */

/* All are, and no name may lead to anybody else. */
bool join_table_all_refused(const join_table *j);

/* 0 … JOINS_MAX - 1; NULL: there is none of this number. */
void *join_table_link(const join_table *j, size_t i);

#endif
