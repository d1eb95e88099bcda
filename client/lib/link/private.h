/* What client.c and link/ share. Nothing else includes it: it needs ZeroMQ
 * and generated code. */
#ifndef TRIVIUM_CLIENT_PRIVATE_H
#define TRIVIUM_CLIENT_PRIVATE_H

#include "client/lib/client.h"
#include "proto/net/errors.h"
#include "proto/net/hello.h"
#include "proto/net/peer.h"
#include "text.pb-c.h"

typedef struct pending_call pending_call;
typedef struct generation generation;
typedef struct watching watching;

struct client {
    loop *loop;
    peers *link;                /* to endpoints[at]; NULL once the wait was over */
    peer *tokenizerd;           /* NULL while not joined */
    const char *endpoints[JOINS_MAX];
    size_t n_endpoints, at;
    char default_endpoint[ENDPOINT_BYTES_MAX];
    Trivium__Hello hello;
    char host[HOST_BYTES];
    uint64_t incarnation;
    uint32_t wait_ms;
    int wait_timer, turn_timer, joined_timer;   /* -1: not set */
    failure over;               /* code is not STATUS_OK once the wait was over: why */
    failure refusal;            /* code is not STATUS_OK: how a tokenizerd refused us */
    pending_call *calls;        /* in order of asking */
    uint64_t n_calls;           /* asked so far: the number of the newest */
    generation *generations;    /* under way, in order of asking */
    size_t n_generations;
    Trivium__Acknowledge *acknowledged[GENERATIONS_MAX];    /* of them, as a heartbeat says it */
    watching *watching;         /* NULL: nothing is watched */
};

/* Send to the tokenizerd that is joined. STATUS_OK also when it was lost meanwhile: what is under
 * way is sent again after the next joining. */
status client_send(client *c, Trivium__TextRequest *m, const wire_raw *raw, size_t n_raw,
                   failure *f);

void timer_clear(client *c, int *timer);        /* cancels a timer that is set */

/* For fields of a message: generated code wants what it only reads without const. */
char *name_or_empty(const char *name);
ProtobufCBinaryData bytes_of(const uint8_t *bytes, size_t n_bytes);

/* Candidates as plain structs: [n], the caller frees; their texts stay the message's.
 * NULL: no memory, or n is 0. */
candidate *candidates_from_wire(Trivium__Candidate *const *wire, size_t n);

/* ---- calls.c ---- */

void client_calls_joined(client *c);            /* send what waits */
void client_calls_lost(client *c);              /* tokenizerd is gone: they wait again */
void client_calls_fail(client *c, const failure *f);    /* all of them */
void client_calls_message(client *c, const wire_message *m, const Trivium__TextReply *reply);
void client_calls_free(client *c);

/* ---- answer_wire.c ---- */

/* The number of the call that it answers; 0: it answers none. */
uint64_t answer_number(const Trivium__TextReply *reply);

/* Call `handler` with what the reply says to the call, or with why it cannot be used. */
void answer_deliver(const question *asked, const wire_message *m, const Trivium__TextReply *reply,
                    answer_handler *handler, void *context);

/* ---- generations.c: each does nothing while nothing is generated ---- */

void generations_joined(client *c);             /* send all, or again from where they are */
void generations_fail(client *c, const failure *f);     /* all of them */
void generations_message(client *c, const wire_message *m, const Trivium__TextReply *reply);
void generations_heartbeat(client *c, Trivium__Heartbeat *beat);
void generations_free(client *c);

finish_reason finish_reason_from_wire(Trivium__FinishReason reason);
/* A token as a plain struct, which borrows from `drawn` except for its candidates; false: no memory. */
bool token_from_wire(generation_token *out, const Trivium__Drawn *drawn, uint32_t at_step);
void token_clear(generation_token *token);

/* ---- watching.c: each does nothing while nothing is watched ---- */

void watching_joined(client *c);
void watching_fail(client *c, const failure *f);
bool watching_message(client *c, const Trivium__TextReply *reply);  /* false: it is not about that */
void watching_free(client *c);

#endif
