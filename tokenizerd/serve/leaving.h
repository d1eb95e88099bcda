/* Ends in order.
 *
 * tokenizerd's own: once it drains, no text and no call begins here; what is under way goes on to its end. A text that rests
 * does not count: its client has all of it, and goes on with it elsewhere. And those that operators ask for: this tokenizerd's,
 * a modeld's, or, through its modeld, a samplerd's; each asker is told when it is done. */
#ifndef TRIVIUM_TOKENIZERD_LEAVING_H
#define TRIVIUM_TOKENIZERD_LEAVING_H

#include "proto/net/draining.h"
#include "tokenizerd/links/daemons.h"

/* An end that somebody waits for. */
typedef struct awaited_end {
    peer *asker;
    uint64_t number;            /* the asker's */
    uint64_t own_number;        /* ours, on the tokens link: never one of a call */
    named_daemon who;
    bool is_told;               /* of a modeld: it has said so, and is gone when it leaves; of our own: the asker was told */
    uint32_t n_texts, n_left;
} awaited_end;

typedef struct leaving {        /* all borrowed, but what is said to be its own */
    client_link *clients;
    modeld_link *modelds;
    const models *models;
    requests *requests;
    calls *calls;
    draining *draining;         /* its own: of leaving_begin */
    awaited_end awaited[DRAINS_MAX];    /* its own: [n_awaited] */
    size_t n_awaited;
    uint64_t n_asked;           /* its own: ends, so far */
    uint32_t n_texts;           /* its own: that ended here since it drains */
    uint64_t told_ms;           /* its own: when the last asker for this tokenizerd's end was told of it */
} leaving;

/* From here on SIGTERM drains. STATUS_NO_MEMORY. */
status leaving_begin(leaving *l, loop *on, double patience_s, failure *f);
void leaving_end(leaving *l);   /* tells whoever asked for this tokenizerd's end, unless it knows */

/* May something new begin here? Else STATUS_DRAINING. */
status leaving_check(const leaving *l, failure *f);
void leaving_text_ended(leaving *l);

void leaving_order(leaving *l, peer *client, const drain_order *order);
void leaving_cancel(leaving *l, const peer *client, uint64_t number);   /* it is not waited for; it drains all the same */
void leaving_client_left(leaving *l, const peer *client);

/* What modelds say. */
void leaving_drained(leaving *l, const modeld *d, uint64_t number, uint32_t n_texts, uint32_t n_left);
void leaving_failed(leaving *l, const modeld *d, uint64_t number, const failure *why); /* one of another number is passed over */
void leaving_modeld_left(leaving *l, const modeld *d);

#endif
