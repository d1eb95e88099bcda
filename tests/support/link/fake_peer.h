/* A stand-in for the other side of a link: a bare socket without any code of proto/net, which says what it is
 * told to, right or wrong, and keeps what it hears. What cannot be done fails the test (cmocka).
 *
 *     fake_peer fake;
 *     fake_peer_bind(&fake, address, &trivium__logits_reply__descriptor);
 *     …                                                    the side under test joins it, on loop l
 *     assert_true(fake_peer_hears(&fake, l, TRIVIUM__CONTROL__WORD_HELLO));
 *     fake_peer_say_hello(&fake, fake_hello(TRIVIUM__ROLE__MODELD));
 *     fake_peer_send(&fake, &request.base, raw, 2);
 *     assert_true(fake_peer_hears(&fake, l, FAKE_BODY));
 *     … ((Trivium__LogitsReply *)fake.header)->sample …
 *     fake_peer_close(&fake); */
#ifndef TRIVIUM_TESTS_FAKE_PEER_H
#define TRIVIUM_TESTS_FAKE_PEER_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common.pb-c.h"
#include "proto/net/loop.h"
#include "proto/net/wire.h"

enum { FAKE_INCARNATION = 77 };

/* Not a word of the link's own: a message with a body. */
#define FAKE_BODY TRIVIUM__CONTROL__WORD__NOT_SET

typedef struct fake_peer {
    void *zsock;                /* DEALER where it joined, ROUTER where it is bound; NULL: closed */
    void *route;                /* bound: where what came last came from, and what is sent goes */
    uint64_t from;              /* the incarnation that it says to be; FAKE_INCARNATION unless set */
    uint64_t to;                /* the one that it speaks to: whoever was heard last, unless set */
    const ProtobufCMessageDescriptor *incoming;

    /* What was heard last, until the next is. */
    ProtobufCMessage *header;   /* of type `incoming`; NULL: nothing yet */
    Trivium__Control *control;  /* its part of the header */
    Trivium__Control__WordCase word;
    void *message;              /* its raw frames (zmsg_t *) */
    size_t n_passed_over;       /* by fake_peer_hears, before what it waited for */
} fake_peer;

/* Connect to `address`, or bind there. `incoming`: what comes to it on this link; with
 * &trivium__envelope__descriptor it reads the link's own words only. */
void fake_peer_join(fake_peer *f, const char *address, const ProtobufCMessageDescriptor *incoming);
void fake_peer_bind(fake_peer *f, const char *address, const ProtobufCMessageDescriptor *incoming);

/* A joining one that reads slowly: at most high_water messages wait for it. */
void fake_peer_join_narrowly(fake_peer *f, const char *address,
                             const ProtobufCMessageDescriptor *incoming, int high_water);

/* Gone without a word, as if it had been killed. One that is closed already, or all zero, is fine. */
void fake_peer_close(fake_peer *f);

/* ---- Speaking ---- */

Trivium__Hello fake_hello(Trivium__Role role);      /* of this version, by the name of "fake" */
/* The same, of one that need not speak for minutes: its silence does not make it lost. */
Trivium__Hello fake_hello_of_the_silent(Trivium__Role role);

void fake_peer_say(fake_peer *f, Trivium__Control control);     /* from and to are filled in */
void fake_peer_say_hello(fake_peer *f, Trivium__Hello hello);
void fake_peer_say_heartbeat(fake_peer *f);
void fake_peer_say_leave(fake_peer *f);
void fake_peer_say_draining(fake_peer *f);
void fake_peer_ask_hello(fake_peer *f);             /* SayHello */

/* A message of the link, whose control part is filled in, and raw frames. */
void fake_peer_send(fake_peer *f, ProtobufCMessage *m, const wire_raw *raw, size_t n_raw);

/* The header of one whose frames of so many bytes are to follow in pieces, n_more of them; and a piece. */
void fake_peer_begin(fake_peer *f, ProtobufCMessage *m, const uint64_t *more, size_t n_more);
void fake_peer_say_piece(fake_peer *f, uint32_t index, const void *bytes, size_t n_bytes);

/* Any frames at all, as they are. n ≥ 1. */
void fake_peer_send_frames(fake_peer *f, const wire_raw *frames, size_t n_frames);

/* ---- Hearing ---- */

/* Take the next message that has come. False: none. What is no message of the type fails the test. */
bool fake_peer_take(fake_peer *f);

/* Run the loop until it hears this word, or FAKE_BODY; others before it are passed over. False: it did not
 * come within SOON_MS (turns.h). */
bool fake_peer_hears(fake_peer *f, loop *l, Trivium__Control__WordCase word);

/* Raw frame `index` of what was heard last, from 0 on; NULL: it has fewer. */
const void *fake_peer_raw(const fake_peer *f, size_t index, size_t *n_bytes);

#endif
