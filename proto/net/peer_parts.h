/* Private to the files of peers, which are one module: peer.c (one and all peers, sending), peer_words.c (the link's
 * own words), peer_owner.c (on whose behalf one is here), peer_join.c (Hello and what follows from it), peer_life.c
 * (receiving, and which peer has fallen silent). Nobody else includes it; what others may use is in peer.h. */
#ifndef TRIVIUM_PEER_PARTS_H
#define TRIVIUM_PEER_PARTS_H

#include <sys/queue.h>

#include "endpoint/waiting.h"
#include "faults/faults.h"
#include "hello.h"
#include "outbox/outbox.h"
#include "peer.h"
#include "pieces/pieces.h"

enum { WHY_BYTES = 160 };

#define WHY_BROKE "the connection broke"
#define WHY_LEFT "it left"
#define WHY_GIVEN_UP "it gave us up: "      /* and its own words for that */
#define WHY_DRAINED "it drained, and its connection ended"

typedef enum peer_state {
    PEER_ENTERING,                  /* the owner is being asked; what is sent waits in the outbox */
    PEER_JOINED,
    PEER_ENDING,                    /* `left` follows from the loop */
} peer_state;

/* Of a peer: is it still there? Only peer_life.c looks into it. */
typedef struct peer_life {
    uint64_t heard_ms;              /* when anything came from it */
    uint64_t forgiven_ms;           /* of the time since then, when we could not hear */
    uint64_t pinged_ms;             /* when it was last asked for life (LIVENESS_PING, bound side) */
    uint32_t silence_ms_max;
    uint64_t n_read;                /* of peers_life, at its newest message, or when its connection broke after that */
    bool busy;
    bool garbage_logged;
} peer_life;

struct peer {
    TAILQ_ENTRY(peer) link;
    peer_state state;
    wire_route route;
    int connection;                 /* bound side: its descriptor; -1: not known, or it broke */
    uint64_t gate_number;           /* bound side: of that connection; 0: not known */
    bool broke;                     /* its connection did, and what came before may still lie unread */
    uint64_t incarnation;
    Trivium__Hello *hello;
    outbox *outbox;
    pieces *incoming;               /* a message of which pieces are still to come, or NULL */
    char key[KEY_TEXT_BYTES];       /* its public key; "": it came without one */
    char key_name[KEY_NAME_BYTES_MAX + 1];  /* of the file that authorises it, or "" */
    char owner[OWNER_BYTES_MAX + 1];
    bool is_operator, names_owners;
    uint64_t joined_ms;
    uint64_t asked_ms;              /* when it last said something with a body, or joined */
    bool works;                     /* as of when it was last asked for */
    bool is_draining, has_left;     /* it said so */
    bool knows_draining;            /* we said it to this peer */
    peer_life life;
    char why[WHY_BYTES];            /* PEER_ENDING: for `left` */
    void *user;
};

typedef TAILQ_HEAD(peer_list, peer) peer_list;

/* Our own pace, and what strangers send. Only peer_life.c looks into it. */
typedef struct peers_life {
    timer tick_timer;
    uint32_t tick_ms;
    uint64_t ticked_ms, beaten_ms;  /* when the last tick, the last heartbeat was */
    uint64_t n_read, ticked_n_read; /* messages of all senders: now, at the last tick */
    uint64_t listened_ms;           /* by when all have been listened to */
    uint64_t round_ms, round_n_read;    /* when that was last noted, and what had been read then */
    size_t n_say_hello;             /* answers to strangers since the last tick */
    uint64_t n_garbage;
    bool garbage_logged;
} peers_life;

/* Of a joining side. Only peer_join.c looks into it. */
typedef struct peers_joining {
    endpoint_options where;         /* of each endpoint that is made */
    char address[ENDPOINT_BYTES_MAX];
    uint64_t made_ms;               /* when the last one was */
    uint32_t pause_ms;              /* until the next one may be, at least */
    timer anew_timer;
    bool met;                       /* through it somebody joined */
    bool rests;                     /* its connection broke, and another one is to be made */
    uint64_t hello_ms;              /* when we last said Hello, or gave a peer up */
    uint64_t leave_to;              /* the incarnation to which we owe a Leave before the next Hello, or 0 */
    char leave_why[WHY_BYTES];      /* what it is to say */
    bool awaits_writable;
    bool asks_who;                  /* instead of Hello we asked who is there */
    uint64_t refused_by;            /* whose refusal the owner knows, and its code */
    Trivium__Code refused_code;
    waiting waiting;                /* while nobody is joined */
} peers_joining;

struct peers {
    loop *loop;
    endpoint *endpoint;
    void *socket;
    keys *keys;                     /* of a bound side over tcp with keys, else NULL: who may join */
    key_link link;
    lasting_fault bind_fault;       /* of the endpoint, with another server key */
    peers_options options;
    Trivium__Hello hello;           /* ours */
    char host[HOST_BYTES];
    uint64_t started_ms;
    peer_list list;                 /* in order of joining */
    void *routes;                   /* the same peers by their routes (search.h); NULL: none */
    size_t n_peers;
    bool is_draining;               /* we take nothing new, and all are to know it */
    timer retry_timer, end_timer;
    timer sweep_timer;              /* bound side */
    bool some_broke;                /* connections of peers that have not ended yet */
    peers_life life;
    peers_joining joining;
};

static inline bool peers_bound(const peers *ps) {
    return endpoint_bound(ps->endpoint);
}

/* ---- peer.c ---- */

peer *peer_new(peers *ps, const wire_message *m, uint64_t incarnation, const Trivium__Hello *hello);
void peer_free(peer *p);
/* Into the list of peers. False: no memory. No other has its route. */
bool peer_link(peers *ps, peer *p);
void peer_unlink(peers *ps, peer *p);

bool peer_has_route(const peer *p, const wire_route *route);

/* Whoever joined through this connection; NULL: nobody. */
peer *peer_at(const peers *ps, const wire_route *route);

/* The sender of a message: both its incarnation and its connection must be the ones that said Hello. */
peer *peer_find(const peers *ps, uint64_t incarnation, const wire_route *route);

/* The end of a peer, now: only called from the loop, never from within peers_send or an event.
 * `tell`: it may still be there, and is to be told. */
void peer_end(peers *ps, peer *p, const char *why, bool tell);

/* The end of a peer, soon: its owner may be using it right now. */
void peer_doom(peers *ps, peer *p, const char *why);
void peer_doom_broken(peers *ps, peer *p);      /* nothing reaches it any more */

/* To be sent, now or after what waits; the parcel is taken over in any case. STATUS_BUSY: the peer is cut. */
status peer_post(peers *ps, peer *p, wire_parcel *parcel);

/* Send what waits, as far as it can be sent. */
void peer_flush(peers *ps, peer *p);
void peers_flush(peers *ps);

/* ---- peer_owner.c ---- */

void peer_find_owner(const peers *ps, peer *p, const wire_message *hello);  /* of one whose connection is known */
status peers_check_key(const peers *ps, const wire_message *hello, failure *f); /* STATUS_FORBIDDEN: it is not authorised */

/* Bound side: who may join through an endpoint that is about to be opened here. Fails as keys_guard. */
status peers_guard_begin(peers *ps, const endpoint_options *where, failure *f);
void peers_guard_end(peers *ps);                    /* after its endpoint is closed */

/* ---- peer_words.c ---- */

/* Field 1 of any message of a link. */
Trivium__Control **control_of(ProtobufCMessage *m);
Trivium__Control control_to(const peers *ps, uint64_t to);
Trivium__Control control_hello(peers *ps, uint64_t to);

status control_send(peers *ps, const wire_route *route, Trivium__Control *control);
status peers_send_leave(peers *ps, const wire_route *route, uint64_t to, const char *why);   /* "": we end, or did */
void peers_send_refusal(peers *ps, const wire_route *route, uint64_t to, failure *f);
void peers_send_say_hello(peers *ps, const wire_route *route, uint64_t to);
status peers_ask_who(peers *ps);                     /* joining side: SayHello answers it, and changes nothing there */
bool peers_send_heartbeat(peers *ps, peer *p);     /* false: not sent, for its queue is full */
void peers_say_draining(peers *ps);                 /* if we are, to those who do not know it yet */

/* ---- peer_join.c ---- */

void peers_join_begin(peers *ps, const endpoint_options *where);    /* joining side: its endpoint was made */
void peers_join_end(peers *ps);
/* Joining side: nobody is joined, and the endpoint is of no more use. Another one takes its place, now or after a pause. */
void peers_join_anew(peers *ps);
bool peers_rest(const peers *ps);                   /* is that pause now? */
void peers_tell_waiting(peers *ps);                 /* at each tick while nobody is joined: the log */
/* Joining side: Hello, now or as soon as we are connected; before it the owner may want to know who is there. */
void peers_say_hello(peers *ps);
void peers_owe_leave(peers *ps, uint64_t to, const char *why);  /* joining side: before the next Hello; 0: to nobody */
void peers_pay_leave(peers *ps);                    /* if there is one, now */
uint64_t peers_hello_ms(const peers *ps);           /* when it was last said, or a peer given up */
void peers_take_hello(peers *ps, const wire_message *m, const Trivium__Control *control);
void peers_take_refused(peers *ps, peer *p,
                        const Trivium__Control *control); /* p: the sender, or NULL */
void peers_take_say_hello(peers *ps, uint64_t from);

/* ---- pieces/peer_pieces.c ---- */

/* A message of the link's own came, whole or as a header that pieces follow; one of these. */
void peer_take_body(peers *ps, peer *p, const wire_message *m, const Trivium__Control *control);
void peer_take_piece(peers *ps, peer *p, const wire_message *m, const Trivium__Piece *piece);
void peers_refuse_the_slow(peers *ps, uint64_t listened_ms);    /* what will not become whole, as of then */

/* As peers_send, for frames that need it (pieces.h). */
status peer_send_in_pieces(peers *ps, peer *p, ProtobufCMessage *m, const wire_raw *raw, size_t n_raw);

/* ---- gate/peer_room.c ---- */

void peers_room_begin(peers *ps);                   /* bound side: sweeps from now on */
void peers_room_end(peers *ps);
void peers_make_room(peers *ps, const wire_message *hello);     /* for one more: it may end another one */

/* ---- peer_life.c ---- */

void peers_life_begin(peers *ps);
void peers_life_end(peers *ps);
void peer_life_begin(const peers *ps, peer *p);     /* of one whose Hello is known */
void peer_heard(peer *p);                           /* a sign of life */

/* Bound side: whose connections broke, as far as that is known. To be asked before a Hello is taken: its connection
 * may have the descriptor of one that broke. */
void peers_note_broken(peers *ps);
void peers_lose_connections(peers *ps);             /* bound side: none of those that there were is left */

/* The endpoint's sockets and the loop. False: no memory. */
bool peers_attach_sockets(peers *ps);
void peers_detach_sockets(peers *ps);

/* Handlers for the loop; the context is the peers. */
void peers_readable(void *context);
void peers_disconnected(void *context);

#endif
