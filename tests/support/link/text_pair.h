/* A client and the peer that it joins, in one process and on one loop: what tests of client/lib begin with. */
#ifndef TRIVIUM_TESTS_TEXT_PAIR_H
#define TRIVIUM_TESTS_TEXT_PAIR_H

#include "client/lib/client.h"
#include "place.h"
#include "text_peer.h"

typedef struct text_pair {
    client *client;
    text_peer peer;
    place meeting;
    const char *endpoints[1];
    size_t n_waits_told;        /* by the client, and the last of them: */
    bool was_in_text;
} text_pair;

/* The client is open, with this wait; nobody is there yet. */
void text_pair_begin(text_pair *p, uint32_t wait_ms);
void text_pair_end(text_pair *p);

void text_pair_join(text_pair *p);              /* the peer comes: until the client has joined it */
void text_pair_again(text_pair *p);             /* the peer is lost, and another one is joined */

/* Run the loop until it is so. False: it was not within SOON_MS (turns.h). */
bool text_pair_becomes(text_pair *p, bool (*wanted)(void));

/* Wait for the n-th message with this body, counted from 0, and return it. */
const text_peer_asked *text_pair_asked(text_pair *p, Trivium__TextRequest__BodyCase body, size_t n);

#endif
