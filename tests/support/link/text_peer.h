/* The bound end of a text link, played by a test: it keeps what a client asks and says what the test makes
 * it say. It runs on the loop of whoever it is played for; what cannot be done fails the test (cmocka). */
#ifndef TRIVIUM_TESTS_TEXT_PEER_H
#define TRIVIUM_TESTS_TEXT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/net/loop.h"
#include "proto/net/peer.h"
#include "text.pb-c.h"

enum { TEXT_PEER_ASKED_MAX = 32, TEXT_PEER_IDS_MAX = 16 };

/* A message that came: its header, and its last frame, as ids and as text. */
typedef struct text_peer_asked {
    Trivium__TextRequest *m;    /* owned */
    union {
        int32_t ids[TEXT_PEER_IDS_MAX];     /* [n_ids] */
        char text[TEXT_PEER_IDS_MAX * sizeof(int32_t)];     /* [n_bytes] */
    };
    size_t n_ids, n_bytes, n_frames;
} text_peer_asked;

typedef struct text_peer {
    peers *peers;               /* NULL: it does not run */
    peer *client;               /* that joined last; NULL: it is gone */
    Trivium__Hello hello;       /* may be changed before it is opened */
    status refusal;             /* not STATUS_OK: clients are refused so */
    size_t n_joined, n_refused;
    text_peer_asked asked[TEXT_PEER_ASKED_MAX];     /* [n_asked], in order */
    size_t n_asked;
    uint32_t step, attempt, change;     /* acknowledged by the last heartbeat that had anything */
    size_t n_acknowledged;      /* by the last heartbeat */
    size_t n_beats;
} text_peer;

void text_peer_init(text_peer *t);              /* as a tokenizerd, not open yet */
void text_peer_open(text_peer *t, loop *l, const char *address);
void text_peer_close(text_peer *t);             /* it ends, as a tokenizerd would: what was asked stays */
void text_peer_clear(text_peer *t);             /* closes it and frees what was asked */

/* The n-th message with this body, counted from 0; NULL: there is none. */
const text_peer_asked *text_peer_find(const text_peer *t, Trivium__TextRequest__BodyCase body, size_t n);

/* Say it to the client that is joined. */
void text_peer_say(text_peer *t, Trivium__TextReply *reply, const wire_raw *raw, size_t n_raw);

#endif
