#include "peer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "clock.h"
#include "hello.h"
#include "log.h"
#include "outbox.h"

enum {
    TICKS_PER_HEARTBEAT = 4,        /* how closely silence is measured */
    DRAIN_MESSAGES_MAX = 16 * RECEIVE_BURST,    /* read at once before somebody is declared lost */
    SAY_HELLO_MAX = PEERS_MAX,      /* answers to strangers between two ticks */
    OUTBOX_RETRY_MS = 1,
    WHY_BYTES = 160,
};

typedef enum peer_state {
    PEER_ENTERING,                  /* the owner is being asked; what is sent waits in the outbox */
    PEER_JOINED,
    PEER_ENDING,                    /* `left` follows from the loop */
} peer_state;

struct peer {
    peer *next;
    peer_state state;
    wire_route route;
    uint64_t incarnation;
    Trivium__Hello *hello;
    outbox *outbox;
    uint64_t joined_ms;
    uint64_t heard_ms;              /* when anything came from it */
    uint64_t pinged_ms;             /* when it was last asked for life (LIVENESS_PING, bound side) */
    uint32_t silence_ms_max;
    bool busy;
    bool garbage_logged;
    char why[WHY_BYTES];            /* PEER_ENDING: for `left` */
    void *user;
};

struct peers {
    loop *loop;
    endpoint *endpoint;
    void *zsock;
    peers_options options;
    Trivium__Hello hello;           /* ours */
    uint64_t started_ms;
    peer *first;                    /* in order of joining */
    size_t n_peers;
    uint32_t tick_ms;
    uint64_t ticked_ms, beaten_ms;  /* when the last tick, the last heartbeat was */
    int tick_timer, retry_timer, end_timer;     /* -1: not set */
    size_t n_say_hello;             /* since the last tick */
    uint64_t n_garbage;
    bool garbage_logged;
    /* joining side */
    uint64_t hello_ms;              /* when we last said Hello, or gave a peer up */
    uint64_t leave_to;              /* the incarnation to which we owe a Leave before the next Hello, or 0 */
    bool awaits_writable;
    uint64_t refused_by;            /* whose refusal the owner knows, and its code */
    Trivium__Code refused_code;
};

static bool is_bound(const peers *ps) {
    return endpoint_bound(ps->endpoint);
}

/* ---- The link's own words ---- */

static Trivium__Control **control_of(ProtobufCMessage *m) {
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(m->descriptor, 1);
    assert(field && field->descriptor == &trivium__control__descriptor);
    return (Trivium__Control **)((char *)m + field->offset);
}

static Trivium__Control control_to(const peers *ps, uint64_t to) {
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    control.from = ps->options.incarnation;
    control.to = to;
    return control;
}

static status control_send(peers *ps, const wire_route *route, Trivium__Control *control) {
    Trivium__Envelope envelope = TRIVIUM__ENVELOPE__INIT;
    envelope.control = control;
    return wire_send(ps->zsock, route, &envelope.base, NULL, 0);
}

static Trivium__Control control_hello(peers *ps, uint64_t to) {
    Trivium__Control control = control_to(ps, to);
    ps->hello.uptime_ms = clock_ms() - ps->started_ms;
    control.word_case = TRIVIUM__CONTROL__WORD_HELLO;
    control.hello = &ps->hello;
    return control;
}

static status send_leave(peers *ps, const wire_route *route, uint64_t to) {
    Trivium__Leave leave = TRIVIUM__LEAVE__INIT;
    Trivium__Control control = control_to(ps, to);
    control.word_case = TRIVIUM__CONTROL__WORD_LEAVE;
    control.leave = &leave;
    return control_send(ps, route, &control);
}

static void send_refusal(peers *ps, const wire_route *route, uint64_t to, failure *f) {
    Trivium__Error error = TRIVIUM__ERROR__INIT;
    error.code = (Trivium__Code)f->code;
    error.message = f->message;
    Trivium__Control control = control_to(ps, to);
    control.word_case = TRIVIUM__CONTROL__WORD_REFUSED;
    control.refused = &error;
    control_send(ps, route, &control);
}

/* To somebody who talks as if we knew him. A stranger gets so many answers, not one for each message. */
static void send_say_hello(peers *ps, const wire_route *route, uint64_t to) {
    if (ps->n_say_hello == SAY_HELLO_MAX) return;
    ps->n_say_hello++;
    Trivium__SayHello say_hello = TRIVIUM__SAY_HELLO__INIT;
    Trivium__Control control = control_to(ps, to);
    control.word_case = TRIVIUM__CONTROL__WORD_SAY_HELLO;
    control.say_hello = &say_hello;
    control_send(ps, route, &control);
}

/* ---- One peer ---- */

static peer *peer_new(peers *ps, const wire_route *route, uint64_t incarnation,
                      const Trivium__Hello *hello) {
    peer *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->route = *route;
    p->incarnation = incarnation;
    p->joined_ms = p->heard_ms = clock_ms();
    /* A pinged peer speaks when it is asked, at our pace or at its own, whichever is slower. */
    uint32_t heartbeat_ms = hello_heartbeat_ms(hello);
    if (ps->options.liveness == LIVENESS_PING && is_bound(ps) && heartbeat_ms < ps->options.heartbeat_ms)
        heartbeat_ms = ps->options.heartbeat_ms;
    p->silence_ms_max = LIVENESS * heartbeat_ms;
    p->hello = hello_copy(hello);
    p->outbox = outbox_new();
    if (p->hello && p->outbox) return p;
    if (p->hello) trivium__hello__free_unpacked(p->hello, NULL);
    outbox_free(&p->outbox);
    free(p);
    return NULL;
}

static void peer_free(peer *p) {
    trivium__hello__free_unpacked(p->hello, NULL);
    outbox_free(&p->outbox);
    free(p);
}

static void peer_link(peers *ps, peer *p) {
    peer **at = &ps->first;
    while (*at) at = &(*at)->next;
    *at = p;
    ps->n_peers++;
}

static void peer_unlink(peers *ps, peer *p) {
    peer **at = &ps->first;
    while (*at != p) at = &(*at)->next;
    *at = p->next;
    ps->n_peers--;
}

static bool same_route(const wire_route *a, const wire_route *b) {
    return a->n_bytes == b->n_bytes && memcmp(a->bytes, b->bytes, a->n_bytes) == 0;
}

/* Who sent a message: both its incarnation and its connection must be the ones that said Hello. A list
 * is enough: PEERS_MAX comparisons of a number cost less than receiving the message did. */
static peer *peer_find(const peers *ps, uint64_t incarnation, const wire_route *route) {
    for (peer *p = ps->first; p; p = p->next)
        if (p->incarnation == incarnation && same_route(&p->route, route)) return p;
    return NULL;
}

/* The end of a peer, now: only called from the loop, never from within peers_send or an event. `tell`: it
 * may still be there, and shall know. */
static void peer_end(peers *ps, peer *p, const char *why, bool tell) {
    if (p->state == PEER_ENDING) why = p->why; /* what came first */
    p->state = PEER_ENDING;
    peer_unlink(ps, p);
    if (!is_bound(ps)) {
        ps->leave_to = tell ? p->incarnation : 0;
        ps->hello_ms = clock_ms();
    } else if (tell) {
        send_leave(ps, &p->route, p->incarnation);
    }
    ps->options.events.left(ps->options.context, p, why);
    peer_free(p);
}

static void end_the_ending(void *context) {
    peers *ps = context;
    ps->end_timer = -1;
    for (;;) {
        peer *p = ps->first;
        while (p && p->state != PEER_ENDING) p = p->next;
        if (!p) return;
        peer_end(ps, p, p->why, true);
    }
}

/* The end of a peer, soon: its owner may hold it in his hands. Without memory for the timer the next
 * tick does it. */
static void peer_doom(peers *ps, peer *p, const char *why) {
    if (p->state == PEER_ENDING) return;
    p->state = PEER_ENDING;
    snprintf(p->why, sizeof p->why, "%s", why);
    if (ps->end_timer < 0) ps->end_timer = loop_once(ps->loop, 0, end_the_ending, ps);
}

/* ---- Outboxes ---- */

static void retry_later(peers *ps);

static void flush_one(peers *ps, peer *p) {
    status st = outbox_flush(p->outbox, ps->zsock, &p->route);
    if (st == STATUS_NOT_FOUND) peer_doom(ps, p, "the connection broke");
    if (st == STATUS_BUSY) retry_later(ps);
}

static void flush_all(peers *ps) {
    for (peer *p = ps->first; p; p = p->next)
        if (p->state == PEER_JOINED && !outbox_empty(p->outbox)) flush_one(ps, p);
}

static void on_retry(void *context) {
    peers *ps = context;
    ps->retry_timer = -1;
    flush_all(ps);
}

/* A ROUTER does not tell when a queue has room again. */
static void retry_later(peers *ps) {
    if (ps->retry_timer < 0) ps->retry_timer = loop_once(ps->loop, OUTBOX_RETRY_MS, on_retry, ps);
}

static status peer_post(peers *ps, peer *p, wire_parcel *parcel) {
    if (p->state == PEER_JOINED && outbox_empty(p->outbox)) {
        status st = wire_send_parcel(ps->zsock, &p->route, &parcel);
        if (st == STATUS_OK) return STATUS_OK;
        if (st == STATUS_NOT_FOUND) {
            wire_parcel_free(&parcel);
            peer_doom(ps, p, "the connection broke");
            return STATUS_BUSY;
        }
    }
    if (outbox_push(p->outbox, &parcel) == STATUS_OK) {
        if (p->state == PEER_JOINED) retry_later(ps);
        return STATUS_OK;
    }
    wire_parcel_free(&parcel);
    peer_doom(ps, p, "it does not read what is sent to it");
    return STATUS_BUSY;
}

status peers_send(peers *ps, peer *p, ProtobufCMessage *m, const wire_raw *raw, size_t n_raw) {
    if (p->state == PEER_ENDING) return STATUS_BUSY;
    Trivium__Control control = control_to(ps, p->incarnation), **field = control_of(m);
    wire_parcel *parcel;
    *field = &control;
    status st = wire_pack(&parcel, m, raw, n_raw);
    *field = NULL;
    return st == STATUS_OK ? peer_post(ps, p, parcel) : st;
}

void peers_cut(peers *ps, peer *p, const char *why) {
    peer_doom(ps, p, why);
}

/* A heartbeat never waits: where something else does, that will be the sign of life. False: not sent. */
static bool send_heartbeat(peers *ps, peer *p) {
    if (p->state != PEER_JOINED || !outbox_empty(p->outbox)) return false;
    Trivium__Heartbeat beat = TRIVIUM__HEARTBEAT__INIT;
    if (ps->options.events.heartbeat) ps->options.events.heartbeat(ps->options.context, p, &beat);
    Trivium__Control control = control_to(ps, p->incarnation);
    control.word_case = TRIVIUM__CONTROL__WORD_HEARTBEAT;
    control.heartbeat = &beat;
    status st = control_send(ps, &p->route, &control);
    if (st == STATUS_NOT_FOUND) peer_doom(ps, p, "the connection broke");
    return st == STATUS_OK;
}

void peers_beat(peers *ps) {
    for (peer *p = ps->first; p; p = p->next) send_heartbeat(ps, p);
}

/* ---- Joining ---- */

static void on_writable(void *context);

static void await_writable(peers *ps, bool wanted) {
    if (wanted == ps->awaits_writable) return;
    if (!wanted)
        loop_remove_socket_writer(ps->loop, ps->zsock);
    else if (loop_add_socket_writer(ps->loop, ps->zsock, on_writable, ps) != 0)
        return; /* no memory: the next tick says Hello */
    ps->awaits_writable = wanted;
}

/* Joining side. The Leave comes first, so that the other side can tell a Hello said again after a loss
 * from one that was repeated because its answer is slow. Not connected: as soon as we are. */
static void say_hello(peers *ps) {
    ps->hello_ms = clock_ms();
    bool sent = ps->leave_to == 0 || send_leave(ps, NULL, ps->leave_to) == STATUS_OK;
    if (sent) {
        ps->leave_to = 0;
        Trivium__Control control = control_hello(ps, 0);
        sent = control_send(ps, NULL, &control) == STATUS_OK;
    }
    await_writable(ps, !sent);
}

static void on_writable(void *context) {
    peers *ps = context;
    await_writable(ps, false);
    if (!ps->first) say_hello(ps);
}

/* Tell the owner that our Hello is refused: once, not at each repetition. */
static void note_refusal(peers *ps, uint64_t from, const Trivium__Error *error) {
    if (ps->refused_by == from && ps->refused_code == error->code) return;
    ps->refused_by = from;
    ps->refused_code = error->code;
    if (ps->options.events.refused) ps->options.events.refused(ps->options.context, error);
}

/* A Hello that cannot be accepted whoever the owner is. */
static status check_hello(const peers *ps, const Trivium__Hello *hello, failure *f) {
    if (ps->n_peers >= PEERS_MAX)
        return fail(f, STATUS_BUSY, "%d peers are joined, which is the most there can be", PEERS_MAX);
    return hello_check(hello, f);
}

/* Ask the owner. Our own Hello is the first message that waits in the peer's outbox, so that whatever
 * the owner sends from within `joined` comes after it. */
static status peer_enter(peers *ps, peer *p, failure *f) {
    if (is_bound(ps)) {
        Trivium__Control control = control_hello(ps, p->incarnation);
        Trivium__Envelope envelope = TRIVIUM__ENVELOPE__INIT;
        envelope.control = &control;
        wire_parcel *parcel;
        if (wire_pack(&parcel, &envelope.base, NULL, 0) != STATUS_OK ||
            outbox_push(p->outbox, &parcel) != STATUS_OK) {
            wire_parcel_free(&parcel);
            return fail(f, STATUS_NO_MEMORY, "no memory for another peer");
        }
    }
    return ps->options.events.joined(ps->options.context, p, p->hello, f);
}

static void peer_admit(peers *ps, const wire_route *route, uint64_t from, const Trivium__Hello *hello) {
    failure f;
    status st = check_hello(ps, hello, &f);
    if (st != STATUS_OK && !is_bound(ps)) {
        Trivium__Error error = TRIVIUM__ERROR__INIT;
        error.code = (Trivium__Code)f.code;
        error.message = f.message;
        note_refusal(ps, from, &error);
    }
    peer *p = st == STATUS_OK ? peer_new(ps, route, from, hello) : NULL;
    if (st == STATUS_OK && !p) st = fail(&f, STATUS_NO_MEMORY, "no memory for another peer");
    if (p) {
        peer_link(ps, p);
        st = peer_enter(ps, p, &f);
    }
    if (st != STATUS_OK) {
        if (p) peer_unlink(ps, p), peer_free(p);
        send_refusal(ps, route, from, &f);
        return;
    }
    ps->leave_to = ps->refused_by = 0;
    await_writable(ps, false);
    if (p->state != PEER_ENTERING) return; /* its owner cut it */
    p->state = PEER_JOINED;
    flush_one(ps, p);
}

/* One that this Hello replaces: on a joining side whoever is there, on a bound one another incarnation
 * on this connection or this incarnation on another connection. */
static peer *find_replaced(const peers *ps, uint64_t from, const wire_route *route) {
    for (peer *p = ps->first; p; p = p->next)
        if (!is_bound(ps) || p->incarnation == from || same_route(&p->route, route)) return p;
    return NULL;
}

static void take_hello(peers *ps, const wire_route *route, const Trivium__Control *control) {
    if (!is_bound(ps) && control->to != ps->options.incarnation) return;
    peer *p = peer_find(ps, control->from, route);
    if (p && p->state == PEER_JOINED) {
        p->heard_ms = clock_ms();
        if (!is_bound(ps)) return; /* two Hellos of ours were answered */
        Trivium__Control answer = control_hello(ps, p->incarnation);
        control_send(ps, route, &answer);
        return;
    }
    while ((p = find_replaced(ps, control->from, route)))
        peer_end(ps, p, p->incarnation == control->from ? "it joined again" : "another incarnation joined",
                 false);
    peer_admit(ps, route, control->from, control->hello);
}

/* ---- Receiving ---- */

/* Dropped, counted, and logged once for each peer and once for all strangers. */
static void garbage(peers *ps, const wire_route *route) {
    ps->n_garbage++;
    peer *p = ps->first;
    while (p && !same_route(&p->route, route)) p = p->next;
    bool *logged = p ? &p->garbage_logged : &ps->garbage_logged;
    if (*logged) return;
    *logged = true;
    log_event(LOG_INFO, "garbage", "endpoint=%s peer=\"%s\"", endpoint_address(ps->endpoint),
              p ? p->hello->name : "");
}

/* On a bound side a refusal comes from a joiner that does not want us after all. */
static void take_refused(peers *ps, peer *p, const Trivium__Control *control) {
    if (is_bound(ps) && p) peer_end(ps, p, control->refused->message, false);
    if (!is_bound(ps) && !ps->first) note_refusal(ps, control->from, control->refused);
}

static void take_say_hello(peers *ps) {
    if (is_bound(ps) || !ps->first) return; /* not joined: Hello is being said anyhow */
    peer_end(ps, ps->first, "it does not know us any more", false);
    say_hello(ps);
}

static void take_heartbeat(peers *ps, peer *p, const Trivium__Heartbeat *beat) {
    if (ps->options.events.heard) ps->options.events.heard(ps->options.context, p, beat);
    if (ps->options.liveness == LIVENESS_PING && !is_bound(ps)) send_heartbeat(ps, p);
}

static void take_message(peers *ps, const wire_message *m) {
    const Trivium__Control *control = *control_of(m->header);
    if (!control || control->from == 0) {
        garbage(ps, &m->route);
        return;
    }
    if (control->word_case == TRIVIUM__CONTROL__WORD_HELLO) {
        take_hello(ps, &m->route, control);
        return;
    }
    bool to_us = control->to == ps->options.incarnation;
    peer *p = peer_find(ps, control->from, &m->route);
    if (p && p->state == PEER_ENDING) return;
    if (p && to_us) p->heard_ms = clock_ms();

    switch (control->word_case) {
    case TRIVIUM__CONTROL__WORD_LEAVE:
        if (p && to_us) peer_end(ps, p, "it left", false);
        break;
    case TRIVIUM__CONTROL__WORD_REFUSED:
        if (to_us) take_refused(ps, p, control);
        break;
    case TRIVIUM__CONTROL__WORD_SAY_HELLO:
        if (to_us) take_say_hello(ps);
        break;
    default: /* a heartbeat, or a message with a body */
        if (!p) {
            if (is_bound(ps)) send_say_hello(ps, &m->route, control->from);
        } else if (to_us && control->word_case == TRIVIUM__CONTROL__WORD_HEARTBEAT) {
            take_heartbeat(ps, p, control->heartbeat);
        } else if (to_us) {
            ps->options.events.message(ps->options.context, p, m);
        }
    }
}

/* Read up to n_max messages. True: no more are there. */
static bool receive(peers *ps, size_t n_max) {
    for (size_t i = 0; i < n_max; i++) {
        wire_message m;
        status st = wire_receive(ps->zsock, ps->options.incoming, &m);
        if (st == STATUS_NOT_FOUND) return true;
        if (st == STATUS_OK)
            take_message(ps, &m);
        else
            garbage(ps, &m.route);
        wire_release(&m);
    }
    return false;
}

static void on_readable(void *context) {
    peers *ps = context;
    receive(ps, RECEIVE_BURST);
    flush_all(ps); /* a peer that answers has read */
}

/* ---- Liveness ---- */

/* Does it owe us a word? A peer that speaks when asked does when it is idle and was asked. */
static bool should_speak(const peers *ps, const peer *p) {
    if (p->state != PEER_JOINED) return false;
    if (ps->options.liveness == LIVENESS_BOTH || !is_bound(ps)) return true;
    return !p->busy && p->pinged_ms > p->heard_ms;
}

static peer *find_silent(const peers *ps) {
    uint64_t now_ms = clock_ms();
    for (peer *p = ps->first; p; p = p->next)
        if (should_speak(ps, p) && now_ms - p->heard_ms > p->silence_ms_max) return p;
    return NULL;
}

/* The time by which this tick is late, while we computed or were stopped: nobody could be heard then. */
static void forgive_own_silence(peers *ps, uint64_t now_ms) {
    uint64_t due_ms = ps->ticked_ms + ps->tick_ms;
    uint64_t late_ms = now_ms > due_ms ? now_ms - due_ms : 0;
    for (peer *p = ps->first; p; p = p->next) {
        p->heard_ms += late_ms;
        if (p->heard_ms > now_ms) p->heard_ms = now_ms;
    }
    ps->ticked_ms = now_ms;
}

/* Joining side: a DEALER that takes no message, while none waits, has lost its connection, and ZeroMQ
 * drops what was under way on it, both ways. */
static void end_the_disconnected(peers *ps) {
    peer *p = ps->first;
    if (is_bound(ps) || !p || !outbox_empty(p->outbox) || wire_writable(ps->zsock)) return;
    peer_end(ps, p, "the connection broke", true);
    say_hello(ps);
}

/* Declare lost who is silent, after what already lies in the socket was read. */
static void end_the_silent(peers *ps) {
    if (!find_silent(ps) || !receive(ps, DRAIN_MESSAGES_MAX)) return;
    for (peer *p; (p = find_silent(ps));) {
        char why[WHY_BYTES];
        snprintf(why, sizeof why, "silent for %u ms", (unsigned)(clock_ms() - p->heard_ms));
        peer_end(ps, p, why, true);
        if (!is_bound(ps)) say_hello(ps);
    }
}

/* An interval has passed, give or take half a tick: a late tick must not make the next one too early. */
static bool interval_passed(const peers *ps, uint64_t since_ms, uint64_t now_ms) {
    return now_ms - since_ms + ps->tick_ms / 2 >= ps->options.heartbeat_ms;
}

static void send_pings(peers *ps, uint64_t now_ms) {
    for (peer *p = ps->first; p; p = p->next) {
        uint64_t since_ms = p->heard_ms > p->pinged_ms ? p->heard_ms : p->pinged_ms;
        if (p->busy || !interval_passed(ps, since_ms, now_ms)) continue;
        if (send_heartbeat(ps, p)) p->pinged_ms = now_ms;
    }
}

static void send_heartbeats(peers *ps, uint64_t now_ms) {
    if (!interval_passed(ps, ps->beaten_ms, now_ms)) return;
    ps->beaten_ms = now_ms;
    for (peer *p = ps->first; p; p = p->next) send_heartbeat(ps, p);
}

static void on_tick(void *context) {
    peers *ps = context;
    ps->n_say_hello = 0;
    end_the_ending(ps);
    forgive_own_silence(ps, clock_ms());
    end_the_disconnected(ps);
    end_the_silent(ps);
    uint64_t now_ms = clock_ms();
    if (!is_bound(ps) && !ps->first && interval_passed(ps, ps->hello_ms, now_ms)) say_hello(ps);
    if (ps->options.liveness == LIVENESS_BOTH)
        send_heartbeats(ps, now_ms);
    else if (is_bound(ps))
        send_pings(ps, now_ms);
    flush_all(ps);
}

/* ---- All peers of an endpoint ---- */

uint64_t peers_incarnation(void) {
    uint64_t incarnation = 0;
    while (getrandom(&incarnation, sizeof incarnation, 0) != sizeof incarnation || incarnation == 0) {}
    return incarnation;
}

peers *peers_new(loop *l, endpoint **e, const peers_options *options) {
    assert(options->incarnation != 0);
    assert(options->heartbeat_ms >= HEARTBEAT_MS_MIN && options->heartbeat_ms <= HEARTBEAT_MS_MAX);
    peers *ps = calloc(1, sizeof *ps);
    if (!ps) return NULL;
    ps->loop = l;
    ps->zsock = endpoint_zsock(*e);
    ps->options = *options;
    ps->hello = *options->hello;
    ps->hello.heartbeat_ms = options->heartbeat_ms;
    ps->tick_ms = options->heartbeat_ms / TICKS_PER_HEARTBEAT;
    ps->started_ms = ps->ticked_ms = ps->beaten_ms = clock_ms();
    ps->retry_timer = ps->end_timer = -1;
    ps->tick_timer = loop_every(l, ps->tick_ms, on_tick, ps);
    if (ps->tick_timer < 0 || loop_add_socket(l, ps->zsock, on_readable, ps) != 0) {
        loop_cancel(l, ps->tick_timer);
        free(ps);
        return NULL;
    }
    ps->endpoint = *e;
    *e = NULL;
    if (!is_bound(ps)) say_hello(ps);
    return ps;
}

void peers_free(peers **ps_pointer) {
    peers *ps = *ps_pointer;
    *ps_pointer = NULL;
    if (!ps) return;
    if (ps->leave_to != 0) send_leave(ps, NULL, ps->leave_to);
    while (ps->first) {
        peer *p = ps->first;
        outbox_flush(p->outbox, ps->zsock, &p->route);
        send_leave(ps, &p->route, p->incarnation);
        peer_unlink(ps, p);
        peer_free(p);
    }
    loop_cancel(ps->loop, ps->tick_timer);
    loop_cancel(ps->loop, ps->retry_timer);
    loop_cancel(ps->loop, ps->end_timer);
    loop_remove_socket(ps->loop, ps->zsock); /* its writer, too */
    endpoint_close(&ps->endpoint);
    free(ps);
}

uint64_t peers_garbage(const peers *ps) {
    return ps->n_garbage;
}

/* The first peer in the list from `p` on that is joined. */
static peer *joined_from(peer *p) {
    while (p && p->state != PEER_JOINED) p = p->next;
    return p;
}

peer *peers_first(const peers *ps) {
    return joined_from(ps->first);
}

peer *peers_next(const peers *ps, const peer *p) {
    (void)ps;
    return joined_from(p->next);
}

/* ---- What its owner may know of a peer ---- */

/* Silence while it was busy does not count, so the count starts now. */
void peer_set_busy(peer *p, bool busy) {
    if (p->busy && !busy) p->heard_ms = clock_ms();
    p->busy = busy;
}

const char *peer_name(const peer *p) {
    return p->hello->name;
}

uint64_t peer_incarnation(const peer *p) {
    return p->incarnation;
}

const Trivium__Hello *peer_hello(const peer *p) {
    return p->hello;
}

uint64_t peer_uptime_ms(const peer *p) {
    return p->hello->uptime_ms + (clock_ms() - p->joined_ms);
}

void peer_set_user(peer *p, void *user) {
    p->user = user;
}

void *peer_user(const peer *p) {
    return p->user;
}
