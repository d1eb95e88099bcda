/* Private to the files of text_link, which are one module: text_link.c (joining, sending, what comes) and text_link_waits.c
 * (what is waited for, and the tokenizerd that drains). */
#ifndef TRIVIUM_TEXT_LINK_PARTS_H
#define TRIVIUM_TEXT_LINK_PARTS_H

#include "proto/base/limits.h"
#include "places.h"
#include "proto/net/peer.h"
#include "text_link.h"

enum {
    HANDSHAKE_MS_MIN = 500,     /* even --wait 0 leaves time to find a tokenizerd that is there */
    TURN_MS = 500,              /* for each of several places */
    SENTENCE_BYTES = 1024,      /* of what is waited for; the rest is left out */
};

struct text_link {
    loop *loop;                 /* borrowed */
    text_link_events events;
    void *context;
    places *places;
    keys *keys;
    bool insecure;
    uint64_t drained[JOINS_MAX];    /* who drains, as far as is known; 0: nobody */
    uint32_t wait_ms;
    bool has_own_wait;
    const char *owner;
    char told[SENTENCE_BYTES];  /* what is waited for, since a text or call last went on; "": nothing was said */
    peers *peers;               /* at the place whose turn it is; NULL: no address is known, or it is over */
    peer *tokenizerd;           /* NULL while none is joined */
    bool has_joined;            /* once */
    bool is_draining;           /* it takes nothing new: that waits for another one, or the next */
    bool is_left_at_once;       /* it was not known to drain before, and there may be another one */
    uint64_t incarnation;
    timer wait_timer, notice_timer, turn_timer, joined_timer, leave_timer;
    failure over;               /* code is not STATUS_OK: it is over, and why */
    failure refusal;            /* code is not STATUS_OK: how a tokenizerd refused us */
    uint64_t n_numbers;         /* that calls got so far */
};

/* ---- text_link.c ---- */

void text_link_timers_clear(text_link *link);
void text_link_unjoin(text_link *link);         /* leave the place whose turn it is */
void text_link_join_next(text_link *link);      /* and try the one after it. Not from within an event of the peers */
void text_link_give_up(text_link *link, const failure *why);

/* ---- text_link_waits.c ---- */

void text_link_tell(text_link *link, const char *sentence);     /* what is waited for; several that wait for one thing, once */
/* The wait for a tokenizerd, of ms_min at least, and the word about it begin, unless they have. */
void text_link_await(text_link *link, uint32_t ms_min);
/* Nobody came within the wait, or can come. */
void text_link_no_tokenizerd(text_link *link);
bool text_link_knows_drained(const text_link *link, uint64_t incarnation);
void text_link_forget_drained(text_link *link, uint64_t incarnation);
/* A tokenizerd that drains is left for another one, where there may be one, as soon as nothing is under way there. */
void text_link_leave_if_idle(text_link *link);

#endif
