#include <stdio.h>
#include <stdlib.h>

#include "errors.h"
#include "gate/gate.h"
#include "peer_parts.h"
#include "proto/base/clock.h"

static void on_writable(void *context);

static void await_writable(peers *ps, bool wanted) {
    if (wanted == ps->joining.awaits_writable) return;
    if (!wanted)
        loop_remove_socket_writer(ps->loop, ps->socket);
    else if (loop_add_socket_writer(ps->loop, ps->socket, on_writable, ps) != 0)
        return; /* no memory: the next tick says Hello */
    ps->joining.awaits_writable = wanted;
}

static status send_hello(peers *ps) {
    Trivium__Control control = control_hello(ps, 0);
    return control_send(ps, NULL, &control);
}

/* The Leave comes first, so that the other side can tell a Hello said again after a loss from one that was repeated
 * because its answer is slow. Not connected: as soon as we are. */
static void begin_to_join(peers *ps, bool asks_who) {
    peers_joining *j = &ps->joining;
    j->hello_ms = clock_ms();
    j->asks_who = asks_who;
    bool sent = j->leave_to == 0 || peers_send_leave(ps, NULL, j->leave_to, j->leave_why) == STATUS_OK;
    if (sent) {
        j->leave_to = 0;
        sent = (asks_who ? peers_ask_who(ps) : send_hello(ps)) == STATUS_OK;
    }
    await_writable(ps, !sent);
}

void peers_say_hello(peers *ps) {
    const peers_events *events = &ps->options.events;
    begin_to_join(ps, events->asks_who && events->asks_who(ps->options.context));
}

static void on_writable(void *context) {
    peers *ps = context;
    await_writable(ps, false);
    if (TAILQ_EMPTY(&ps->list)) peers_say_hello(ps);
}

/* ---- Joining side: one endpoint after the other ---- */

void peers_join_begin(peers *ps, const endpoint_options *where) {
    peers_joining *j = &ps->joining;
    j->where = *where;
    snprintf(j->address, sizeof j->address, "%s", where->address);
    j->where.address = j->address;
    j->made_ms = clock_ms();
    j->pause_ms = REJOIN_MS_MIN;
}

void peers_join_end(peers *ps) {
    loop_cancel(ps->loop, &ps->joining.anew_timer);
}

static void on_anew(void *context);

static void anew_after(peers *ps, uint32_t pause_ms) {
    peers_joining *j = &ps->joining;
    loop_once(ps->loop, &j->anew_timer, pause_ms, on_anew, ps);
    if (j->pause_ms < REJOIN_MS_MAX) j->pause_ms = j->pause_ms < REJOIN_MS_MAX / 2 ? 2 * j->pause_ms : REJOIN_MS_MAX;
}

static void make_anew(peers *ps) {
    peers_joining *j = &ps->joining;
    failure f;
    j->made_ms = clock_ms();
    if (!j->met) j->where.n_tries++;    /* the keys with which somebody was met will do again */
    j->met = false;
    bool made = endpoint_join_anew(&ps->endpoint, &j->where, &f) == STATUS_OK;
    ps->socket = endpoint_socket(ps->endpoint);
    if (made && peers_attach_sockets(ps)) {
        j->rests = false;
        peers_say_hello(ps);
        return;
    }
    if (made) peers_detach_sockets(ps);
    anew_after(ps, j->pause_ms);
}

static void on_anew(void *context) {
    make_anew(context);
}

/* At once after a link that lasted, or a try that did: pauses are for whoever ends each connection soon. The endpoint
 * before has a Leave to send, if one is owed; the next one needs none, for whoever says Hello on another connection was
 * lost on the one before. */
void peers_join_anew(peers *ps) {
    peers_joining *j = &ps->joining;
    uint64_t passed_ms = clock_ms() - j->made_ms;
    if (j->rests) return;
    peers_pay_leave(ps);
    j->leave_to = 0;
    j->rests = true;
    j->awaits_writable = false;
    peers_detach_sockets(ps);
    endpoint_rest(ps->endpoint);
    if (passed_ms >= j->pause_ms) make_anew(ps);
    else anew_after(ps, j->pause_ms - (uint32_t)passed_ms);
}

bool peers_rest(const peers *ps) {
    return ps->joining.rests;
}

/* ---- Hello ---- */

void peers_owe_leave(peers *ps, uint64_t to, const char *why) {
    ps->joining.leave_to = to;
    snprintf(ps->joining.leave_why, sizeof ps->joining.leave_why, "%s", why);
    ps->joining.hello_ms = clock_ms();
}

void peers_pay_leave(peers *ps) {
    if (ps->joining.leave_to != 0) peers_send_leave(ps, NULL, ps->joining.leave_to, ps->joining.leave_why);
}

uint64_t peers_hello_ms(const peers *ps) {
    return ps->joining.hello_ms;
}

/* Tell the owner that our Hello is refused: once, not at each repetition. */
static void note_refusal(peers *ps, uint64_t from, const Trivium__Error *error) {
    peers_joining *j = &ps->joining;
    if (j->refused_by == from && j->refused_code == error->code) return;
    j->refused_by = from;
    j->refused_code = error->code;
    if (ps->options.events.refused) ps->options.events.refused(ps->options.context, error);
}

/* Whose refusal the owner knows says no more than that. */
void peers_tell_waiting(peers *ps) {
    endpoint_reach reach = endpoint_reached(ps->endpoint);
    if (ps->joining.refused_by != 0 && reach == REACH_SILENT) return;
    waiting_goes_on(&ps->joining.waiting, endpoint_address(ps->endpoint), reach_name(reach));
}

/* A Hello that cannot be accepted whoever the owner is. */
static status check_hello(const peers *ps, const wire_message *m, const Trivium__Hello *hello, failure *f) {
    if (peers_check_key(ps, m, f) != STATUS_OK) return f->code;
    if (ps->n_peers >= PEERS_MAX)
        return fail(f, STATUS_BUSY, "%d peers are joined, which is the most there can be",
                    PEERS_MAX);
    return hello_check(hello, f);
}

/* Ask the owner. Our own Hello is the first message that waits in the peer's outbox, so that
 * whatever the owner sends from within `joined` comes after it. */
static status peer_enter(peers *ps, peer *p, failure *f) {
    if (peers_bound(ps)) {
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

static void peer_admit(peers *ps, const wire_message *m, uint64_t from, const Trivium__Hello *hello) {
    failure f;
    if (peers_bound(ps) && peers_check_key(ps, m, &f) == STATUS_OK) peers_make_room(ps, m);
    status st = check_hello(ps, m, hello, &f);
    if (st != STATUS_OK && !peers_bound(ps)) {
        Trivium__Error error = error_to_wire(&f);
        note_refusal(ps, from, &error);
    }
    peer *p = st == STATUS_OK ? peer_new(ps, m, from, hello) : NULL;
    if (p && !peer_link(ps, p)) peer_free(p), p = NULL;
    if (st == STATUS_OK && !p) st = fail(&f, STATUS_NO_MEMORY, "no memory for another peer");
    if (p) st = peer_enter(ps, p, &f);
    if (st != STATUS_OK) {
        if (p) peer_unlink(ps, p), peer_free(p);
        peers_send_refusal(ps, &m->route, from, &f);
        return;
    }
    ps->joining.leave_to = ps->joining.refused_by = 0;
    ps->joining.pause_ms = REJOIN_MS_MIN;
    waiting_over(&ps->joining.waiting);
    await_writable(ps, false);
    if (p->state != PEER_ENTERING) return; /* its owner cut it */
    p->state = PEER_JOINED;
    ps->joining.met = true;
    gate_joined(p->connection);
    peer_flush(ps, p);
    peers_say_draining(ps);
}

/* One that this Hello replaces: on a joining side whoever is there, on a bound one another
 * incarnation on this connection or this incarnation on another connection. */
static peer *find_replaced(const peers *ps, uint64_t from, const wire_route *route) {
    peer *p;
    TAILQ_FOREACH(p, &ps->list, link)
        if (!peers_bound(ps) || p->incarnation == from || peer_has_route(p, route)) return p;
    return NULL;
}

void peers_take_hello(peers *ps, const wire_message *m, const Trivium__Control *control) {
    const wire_route *route = &m->route;
    if (!peers_bound(ps) && control->to != ps->options.incarnation) return;
    if (peers_bound(ps)) peers_note_broken(ps);
    peer *p = peer_find(ps, control->from, route);
    if (p && p->state == PEER_JOINED) {
        peer_heard(p);
        if (!peers_bound(ps)) return; /* two Hellos of ours were answered */
        Trivium__Control answer = control_hello(ps, p->incarnation);
        control_send(ps, route, &answer);
        return;
    }
    while ((p = find_replaced(ps, control->from, route)))
        peer_end(ps, p, p->incarnation == control->from ? "it joined again"
                                                        : "another incarnation joined", false);
    peer_admit(ps, m, control->from, control->hello);
}

/* On a bound side a refusal comes from a joiner that does not want us after all. */
void peers_take_refused(peers *ps, peer *p, const Trivium__Control *control) {
    if (peers_bound(ps) && p) peer_end(ps, p, control->refused->message, false);
    if (!peers_bound(ps) && TAILQ_EMPTY(&ps->list)) note_refusal(ps, control->from, control->refused);
}

/* Of one that is not joined, and did not ask who is there, Hello is being said anyhow. */
void peers_take_say_hello(peers *ps, uint64_t from) {
    peer *p = TAILQ_FIRST(&ps->list);
    if (peers_bound(ps)) return;
    if (p) {
        peer_end(ps, p, "it does not know us any more", false);
        peers_say_hello(ps);
    } else if (ps->joining.asks_who) {
        if (ps->options.events.met(ps->options.context, from)) begin_to_join(ps, false);
    }
}
