/* The only place that opens sockets and sets their options: linger, water marks, IMMEDIATE,
 * ROUTER_MANDATORY, maximum message size, and the lock file beside a bound ipc socket. */
#ifndef TRIVIUM_ENDPOINT_H
#define TRIVIUM_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/status.h"
#include "proto/net/keys/keys.h"

typedef struct endpoint endpoint;

typedef struct endpoint_options {
    const char *address;        /* "ipc:///run/…/models", "tcp://127.0.0.1:5555" */
    int high_water;             /* messages, per peer and direction */
    int high_water_in, high_water_out;  /* 0: the same; or another one for one direction */
    key_link link;              /* which keys are those of its two ends */
    keys *keys;                 /* of tcp; NULL: there are none */
    uint32_t n_tries;           /* to join with other keys of the other end, before this one */
    bool insecure;              /* tcp without keys is allowed */
    bool whole;                 /* messages of any size come whole: rows (the logits link) */
} endpoint_options;

/* Is it written as an endpoint, to bind or to join? ipc:// and a path; tcp:// with a host and a port from
 * 1 to 65535, to bind also with * for all addresses, and * or 0 for a port that is free. STATUS_BAD_REQUEST,
 * STATUS_TOO_LONG. */
status endpoint_check(const char *address, bool binds, failure *f);
/* STATUS_BAD_REQUEST: tcp, and it is not guarded, by keys or by whoever said that strangers are welcome. */
status endpoint_check_guarded(const char *address, bool is_guarded, failure *f);

/* May these be joined, [n], each by its own address or those of its name? As endpoint_check; STATUS_BAD_REQUEST also for tcp
 * with neither `how`'s keys nor `insecure`. */
status endpoint_check_joins(const char *const *addresses, size_t n, const endpoint_options *how, failure *f);

/* ROUTER, bound. STATUS_BUSY: another process holds the socket (its lock). STATUS_TOO_LONG: an ipc path
 * over 107 bytes. STATUS_BAD_REQUEST: no endpoint, or tcp with neither keys nor `insecure`. */
status endpoint_bind(endpoint **out, const endpoint_options *options, failure *f);

/* A bound one with keys meets newcomers with the server key that its link has by now. All its connections end (*cut): whoever
 * comes back proves himself anew. False, and `f` says why: all is as it was, or where they were cut, newcomers wait. It may be
 * called again until it is true. */
bool endpoint_bind_anew(endpoint *e, bool *cut, failure *f);

/* DEALER, connecting at once, and anew as long as nobody listens there. Its host is an address, never a name (names/).
 * One whose connection broke, or whose handshake failed, may never connect again: it is made anew.
 * STATUS_BAD_REQUEST as above. */
status endpoint_join(endpoint **out, const endpoint_options *options, failure *f);

/* Takes the place of *e, a joining one to the same address, which is closed. Fails as endpoint_join: *e is as it was then. */
status endpoint_join_anew(endpoint **e, const endpoint_options *options, failure *f);
void endpoint_rest(endpoint *e);                /* a joining one: it tries no more */

/* At once for the caller: socket file and lock are gone when it returns. What was sent last, such as a
 * Leave, has a tenth of a second to go out; a message to a dead peer never waits longer. */
void endpoint_close(endpoint **e);
void *endpoint_socket(const endpoint *e);       /* of ZeroMQ, borrowed */
int endpoint_listener(const endpoint *e);       /* a bound one's number at the gate */

/* Tells (a socket, borrowed; to be read when it has something) that a connection broke: what was under way on it
 * is gone, both ways. */
void *endpoint_monitor(const endpoint *e);
bool endpoint_broke(endpoint *e);               /* a joining one's own, since the last call */
/* A bound one: the descriptor of the next connection that broke, as wire_message has it. What came through it
 * before can still be read; a new connection may have the same descriptor already. False: no other broke. */
bool endpoint_next_broken(endpoint *e, int *connection);

/* A joining one: end its connection, if it has not broken already: what ZeroMQ has for it is dropped. -1: it is not known. */
void endpoint_shut(endpoint *e, int connection);

/* How far a joining one came, of all that was read so far with endpoint_broke. */
typedef enum endpoint_reach {
    REACH_SILENT,               /* no word of the other side, or a connection */
    REACH_REFUSED,              /* nobody accepts a connection there */
    REACH_FORBIDDEN,            /* a file, and this user may not write to it or not enter its folder */
    REACH_NO_HANDSHAKE,         /* the connection is ended before a word was said: wrong keys, keys on one
                                 * side only, or no daemon of ours */
} endpoint_reach;
endpoint_reach endpoint_reached(const endpoint *e);
const char *reach_name(endpoint_reach reach);        /* "silent", "refused", "forbidden", "no_handshake" */
bool endpoint_bound(const endpoint *e);
const char *endpoint_address(const endpoint *e);    /* of a bound one: where it listens */

#endif
