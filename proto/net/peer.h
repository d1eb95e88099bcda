/* Who is at the other end of an endpoint: Hello, heartbeats, liveness, joining again, outboxes.
 *
 * A `peers` owns one endpoint and all peers that it reaches: many on a bound one, one on a joining one. It
 * reads the socket, answers the link's own words (Control in common.proto) and hands every other
 * message to its owner. Rules (PROTOCOL.md): a bound side answers an unknown sender with SayHello; a
 * joining side repeats Hello until it is answered, and again when the other side has fallen silent or
 * has a new incarnation; messages whose `from` or `to` is not the incarnation that said Hello are
 * dropped. */
#ifndef TRIVIUM_PEER_H
#define TRIVIUM_PEER_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "common.pb-c.h"
#include "endpoint/endpoint.h"
#include "loop.h"
#include "wire.h"

typedef struct peers peers;
typedef struct peer peer;       /* one that said Hello and was accepted; valid until `left` returns */

typedef enum liveness_rule {
    LIVENESS_BOTH,              /* both sides send heartbeats all the time */
    LIVENESS_PING,              /* the bound side pings an idle peer, any message is life, and silence
                                 * of a peer marked busy is not counted (the logits link) */
} liveness_rule;

typedef struct peers_events {
    /* A peer said Hello. Return STATUS_OK to accept it; else it gets `f` as a refusal. What is sent to it
     * from here goes after our own Hello. It is in the list of peers once it is accepted. */
    status (*joined)(void *context, peer *p, const Trivium__Hello *hello, failure *f);
    /* It left, fell silent, came back as another incarnation, was cut, or its connection broke. */
    void (*left)(void *context, peer *p, const char *why);
    /* A message with a body, from a joined peer. `m` is released by the caller afterwards. */
    void (*message)(void *context, peer *p, const wire_message *m);
    /* NULL, or: a message that was to come in pieces will not become whole, and is told of instead: of `m` there is the
     * header alone. `why` has a sentence for whoever asked. */
    void (*refuse)(void *context, peer *p, const wire_message *m, const failure *why);
    /* NULL, or: put a report or acknowledgements into the heartbeat that goes to `p`; what it points to
     * must live until the next call. */
    void (*heartbeat)(void *context, peer *p, Trivium__Heartbeat *beat);
    /* NULL, or: a heartbeat came from `p`. */
    void (*heard)(void *context, peer *p, const Trivium__Heartbeat *beat);
    /* NULL, or: `p` says that it takes nothing new from here on; what it has goes on, and it stays joined until it
     * leaves. Told once. */
    void (*draining)(void *context, peer *p);
    /* NULL, or (joining side): must we know who is there before we say Hello, which would end another link to it? */
    bool (*asks_who)(void *context);
    /* With asks_who: it is this process. False: it gets no Hello from here, and the owner ends this side. */
    bool (*met)(void *context, uint64_t incarnation);
    /* NULL, or (joining side): the other side refused our Hello, or we cannot take its own. Told once for each
     * incarnation and code; Hello goes on being said. */
    void (*refused)(void *context, const Trivium__Error *error);
    /* NULL, or: the messages of this turn were handed over. Whoever collects some (wire_keep) acts on them now. */
    void (*all_handed)(void *context);
    /* NULL, or (bound side): call peer_works for each peer that has something under way. When no more peers fit, the
     * one of all others which has asked for nothing for the longest time leaves for one that joins; if all have something, the
     * newest of an owner who has more than three quarters of them, for one of another owner. */
    void (*find_work)(void *context);
} peers_events;

typedef struct peers_options {
    const ProtobufCMessageDescriptor *incoming;     /* of the messages that come in on this link */
    const Trivium__Hello *hello;    /* ours: role, name and what we offer; the rest is filled in. What it
                                     * points to is borrowed for the life of `peers` */
    uint64_t incarnation;           /* ours, never 0: one a process, from peers_incarnation() */
    uint32_t heartbeat_ms;          /* HEARTBEAT_MS_MIN … HEARTBEAT_MS_MAX */
    liveness_rule liveness;
    bool counts_sent_itself;        /* the owner bounds the bytes that it has sent and that were not read yet */
    bool sends_whole;               /* messages of any size go whole, and come so: rows (the logits link) */
    peers_events events;
    void *context;
} peers_options;

/* Open the endpoint `where`, bound or joining, and attach it to the loop. Refusals: those of endpoint_bind or
 * endpoint_join; those of hello_check, for a Hello of ours that no peer would take; STATUS_NO_MEMORY. *out is NULL
 * then. */
status peers_bind(peers **out, loop *loop, const endpoint_options *where, const peers_options *who,
                  failure *f);
status peers_join(peers **out, loop *loop, const endpoint_options *where, const peers_options *who,
                  failure *f);
/* Says Leave to all, closes the endpoint; `left` is not called. Not from within one of its events. */
void peers_free(peers **ps);

uint64_t peers_incarnation(void);   /* 64 random bits, not 0 */

/* Send a message of this link; its control part (field 1 of every link's messages) is filled in here.
 * Large raw frames go in pieces. When the peer's queue is full the message waits in its outbox; when that holds too much
 * (outbox.h), or the connection broke, or there is no memory for the rest of what goes in pieces, the peer is cut: STATUS_BUSY,
 * and `left` follows from the loop. STATUS_TOO_LONG: a size past its bound, STATUS_NO_MEMORY: nothing was sent. */
status peers_send(peers *ps, peer *p, ProtobufCMessage *m, const wire_raw *raw, size_t n_raw);

/* The same for what may be lost: it leaves at once or not at all, never after what waits. False: it
 * was dropped, and no peer is cut for it. */
bool peers_offer(peers *ps, peer *p, ProtobufCMessage *m);
bool peer_has_taken(const peer *p);     /* nothing large that was offered or counts is still on its way to it */
bool peer_is_behind(const peer *p);     /* half of what may wait for it does: whoever can wait should send it no more */
size_t peer_unread_bytes(const peer *p);        /* that were sent to it and still take room here */

/* We take nothing new from here on: everybody hears it once, and whoever joins later after our Hello. It cannot be taken
 * back. */
void peers_drain(peers *ps);
bool peers_have_sent(const peers *ps);      /* nothing waits in an outbox any more */

void peers_beat(peers *ps);         /* a heartbeat to everybody now: what it reports has changed */
void peers_cut(peers *ps, peer *p, const char *why);    /* `left` follows from the loop */
void peer_set_busy(peer *p, bool busy);                 /* LIVENESS_PING: see above */

void peer_works(peer *p);                               /* find_work: see above */

/* What its Hello said; valid as long as the peer. */
const char *peer_name(const peer *p);
uint64_t peer_incarnation(const peer *p);
const Trivium__Hello *peer_hello(const peer *p);
uint32_t peer_version(const peer *p);       /* of the protocol, that is spoken with it */
uint64_t peer_uptime_ms(const peer *p);     /* as of now */
bool peer_is_draining(const peer *p);       /* it said that it takes nothing new */
bool peer_has_left(const peer *p);          /* it said Leave: `left` follows, or is just told */
/* Whose texts are those of a joined peer: "uid:1000", the user of a process that came over ipc; "" over tcp without keys,
 * which all such peers share. OWNER_BYTES_MAX at most; valid as long as the peer. */
const char *peer_owner(const peer *p);
/* May it see and change everybody's texts, drain and replace daemons? Over ipc whoever could end this process: its own
 * user, and root. */
bool peer_is_operator(const peer *p);
bool peer_names_owners(const peer *p);      /* may it ask on behalf of others? Over ipc the same */
/* What the file is called that authorises an owner who is a key of this link, as of now. False: it is none, or not authorised;
 * `out` is "". */
bool peers_owner_name(const peers *ps, const char *owner, char out[KEY_NAME_BYTES_MAX + 1]);
/* Which process it is, as lines of a log have it: pid=12 host="a", and of one that has a key
 * also key="NAME", the name of the file that authorised it as it joined. */
enum { PEER_PLACE_BYTES = 512 };
const char *peer_place(const peer *p, char out[PEER_PLACE_BYTES]);
void peer_set_user(peer *p, void *user);    /* the owner's own record of it */
void *peer_user(const peer *p);

peer *peers_first(const peers *ps);         /* joined peers, in order of joining; NULL at the end */
peer *peers_next(const peers *ps, const peer *p);
const char *peers_address(const peers *ps); /* of the endpoint; valid as long as `ps` */
const Trivium__Hello *peers_hello(const peers *ps);     /* ours, as it is said; valid as long as `ps` */
endpoint_reach peers_reached(const peers *ps);  /* of a joining one */
uint64_t peers_garbage(const peers *ps);    /* messages dropped because they could not be read */

#endif
