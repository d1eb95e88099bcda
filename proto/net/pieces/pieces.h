/* What is larger than a message: its raw frames follow its header in pieces (PROTOCOL.md). Here they are put together
 * again. What all peers of a process are sending so takes at most PIECES_BYTES_MAX, unpacked headers included; it is counted
 * as it comes. Where that is full, whatever is late goes for what still comes: nobody can keep others out by being slow. */
#ifndef TRIVIUM_PIECES_H
#define TRIVIUM_PIECES_H

#include <stdbool.h>

#include "common.pb-c.h"
#include "proto/net/wire.h"

/* A message of which pieces are still to come: one at a time of a peer. */
typedef struct pieces pieces;

/* Whose it is. It calls `give_up` where others need its room and it is late: after that it is freed, with its header. */
typedef struct pieces_owner {
    void (*give_up)(void *context, void *sender, const failure *why);
    void *context, *sender;
} pieces_owner;

/* Begin with a header whose control part says what follows; *out is the caller's, who holds on to `header` through it.
 * STATUS_TOO_LONG: more than there may be; STATUS_BAD_MESSAGE: frames that it cannot have; STATUS_BUSY: there is no room
 * among all that is on its way to this process; STATUS_NO_MEMORY: *out is NULL then. */
status pieces_begin(pieces **out, const pieces_owner *owner, const wire_message *header, const Trivium__Control *control,
                    failure *f);

/* The next piece. STATUS_BAD_MESSAGE: it is not the next one, or none; STATUS_BUSY: there is no room;
 * STATUS_NO_MEMORY. After any of these the message never becomes whole. */
status pieces_take(pieces *p, const wire_message *piece, uint32_t index, failure *f);

bool pieces_whole(const pieces *p);
/* The header as it came; its frames, once it is whole, are in it. Valid as long as `p`, or as whoever keeps it. */
const wire_message *pieces_message(const pieces *p);
/* Will it become whole, as of `listened_ms` (by clock_ms)? STATUS_TIMEOUT: no piece came for PIECES_STILL_MS. */
status pieces_check(const pieces *p, uint64_t listened_ms, failure *f);

void pieces_free(pieces **p);                   /* NULL is fine */

/* For a sender: do these frames go in pieces? */
bool pieces_needed(const wire_raw *raw, size_t n_raw);
/* The next piece of such frames: a view of at most SENT_PIECE_BYTES within one frame. False: that was all. */
typedef struct pieces_cut {
    const wire_raw *raw;            /* [n_raw] */
    size_t n_raw, frame, n_done;    /* the next one begins there; all zero at first */
} pieces_cut;
bool pieces_next(pieces_cut *cut, wire_raw *piece);

#endif
