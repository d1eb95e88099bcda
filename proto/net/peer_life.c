#include <stdio.h>

#include "gate/gate.h"
#include "peer_parts.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

enum {
    ROUND_MESSAGES = 2 * PEERS_MAX,     /* as many as there may be connections, at least */
    TICKS_PER_HEARTBEAT = 4,                    /* how closely silence is measured */
    SAY_HELLO_MAX = PEERS_MAX,                  /* answers to strangers between two ticks */
};

/* ---- Receiving ---- */

/* Dropped, counted, and logged once for each peer and once for all strangers. */
static void garbage(peers *ps, const wire_route *route) {
    ps->life.n_garbage++;
    peer *p = peer_at(ps, route);
    bool *logged = p ? &p->life.garbage_logged : &ps->life.garbage_logged;
    if (*logged) return;
    *logged = true;
    log_event(LOG_INFO, "garbage", "endpoint=%s peer=\"%s\"", endpoint_address(ps->endpoint),
              p ? p->hello->name : "");
}

endpoint_reach peers_reached(const peers *ps) {
    return endpoint_reached(ps->endpoint);
}

uint64_t peers_garbage(const peers *ps) {
    return ps->life.n_garbage;
}

/* To one that talks as if we knew it. Strangers get SAY_HELLO_MAX answers between two ticks, not one for each
 * message. */
static void ask_hello(peers *ps, const wire_route *route, uint64_t to) {
    if (ps->life.n_say_hello == SAY_HELLO_MAX) return;
    ps->life.n_say_hello++;
    peers_send_say_hello(ps, route, to);
}

static void take_heartbeat(peers *ps, peer *p, const Trivium__Heartbeat *beat) {
    if (ps->options.events.heard) ps->options.events.heard(ps->options.context, p, beat);
    if (ps->options.liveness == LIVENESS_PING && !peers_bound(ps)) peers_send_heartbeat(ps, p);
}

/* Said twice, it is nothing new. */
static void take_draining(peers *ps, peer *p) {
    if (p->is_draining) return;
    p->is_draining = true;
    if (ps->options.events.draining) ps->options.events.draining(ps->options.context, p);
}

/* One that ends says no more than that. */
static void put_why_left(char out[WHY_BYTES], const Trivium__Leave *leave) {
    if (*leave->why) snprintf(out, WHY_BYTES, WHY_GIVEN_UP "%s", leave->why);
    else snprintf(out, WHY_BYTES, WHY_LEFT);
}

static void take_leave(peers *ps, peer *p, const Trivium__Leave *leave) {
    char why[WHY_BYTES];
    put_why_left(why, leave);
    peer_end(ps, p, why, false);
}

static void take_message(peers *ps, const wire_message *m) {
    const Trivium__Control *control = *control_of(m->header);
    if (!control || control->from == 0) {
        garbage(ps, &m->route);
        return;
    }
    if (control->word_case == TRIVIUM__CONTROL__WORD_HELLO) {
        peers_take_hello(ps, m, control);
        return;
    }
    bool to_us = control->to == ps->options.incarnation;
    peer *p = peer_find(ps, control->from, &m->route);
    if (p) p->life.n_read = ps->life.n_read;
    bool left = p && to_us && control->word_case == TRIVIUM__CONTROL__WORD_LEAVE;
    if (left) p->has_left = true;
    if (left && p->state == PEER_ENDING && p->broke) put_why_left(p->why, control->leave);
    if (p && p->state == PEER_ENDING) return;
    if (p && to_us) peer_heard(p);

    switch (control->word_case) {
    case TRIVIUM__CONTROL__WORD_LEAVE:
        if (left) take_leave(ps, p, control->leave);
        break;
    case TRIVIUM__CONTROL__WORD_REFUSED:
        if (to_us) peers_take_refused(ps, p, control);
        break;
    case TRIVIUM__CONTROL__WORD_SAY_HELLO:
        if (to_us) peers_take_say_hello(ps, control->from);
        break;
    default: /* a heartbeat, a piece, Draining, or a message with a body */
        if (!p) {
            if (peers_bound(ps)) ask_hello(ps, &m->route, control->from);
        } else if (to_us && control->word_case == TRIVIUM__CONTROL__WORD_PIECE) {
            p->asked_ms = p->life.heard_ms;
            peer_take_piece(ps, p, m, control->piece);
        } else if (to_us && control->word_case == TRIVIUM__CONTROL__WORD_HEARTBEAT) {
            take_heartbeat(ps, p, control->heartbeat);
        } else if (to_us && control->word_case == TRIVIUM__CONTROL__WORD_DRAINING) {
            take_draining(ps, p);
        } else if (to_us) {
            p->asked_ms = p->life.heard_ms;
            peer_take_body(ps, p, m, control);
        }
    }
}

static size_t receive_one(peers *ps, status *st) {
    wire_message m;
    *st = wire_receive(ps->socket, ps->options.incoming, &m);
    size_t n_bytes = m.n_bytes;
    if (*st == STATUS_NOT_FOUND) return 0;
    ps->life.n_read++;
    if (*st == STATUS_OK)
        take_message(ps, &m);
    else
        garbage(ps, &m.route);
    wire_release(&m);
    return n_bytes;
}

/* Up to when we have listened: what was sent by then has been read, or something later of the same sender. That is so
 * when nothing is left; and since connections have their turns by message, also after a message for each that there
 * may be: so a socket that is never empty hides nobody who has fallen silent. */
static void note_listening(peers *ps, bool all_read, uint64_t now_ms) {
    peers_life *life = &ps->life;
    bool round_over = life->n_read - life->round_n_read >= ROUND_MESSAGES;
    if (!all_read && !round_over) return;
    life->listened_ms = all_read ? now_ms : life->round_ms;
    life->round_ms = now_ms;
    life->round_n_read = life->n_read;
}

/* One turn: TURN_BYTES_MAX, or one message that is larger, and no other begins after TURN_MS_MAX. What is left wakes
 * the loop again at once, after the others had their turn. True: nothing was left. */
static bool receive(peers *ps) {
    uint64_t begun_us = clock_us(), moment = gate_moment();
    size_t n_bytes = 0;
    status st = STATUS_OK;
    do n_bytes += receive_one(ps, &st);
    while (st != STATUS_NOT_FOUND && n_bytes < TURN_BYTES_MAX && clock_us() - begun_us < TURN_MS_MAX * 1000);
    bool all_read = st == STATUS_NOT_FOUND;
    note_listening(ps, all_read, clock_ms());
    if (all_read && peers_bound(ps)) gate_all_taken(endpoint_listener(ps->endpoint), moment);
    if (ps->options.events.all_handed) ps->options.events.all_handed(ps->options.context);
    return all_read;
}

/* ---- Connections that break ---- */

/* The oldest that has this descriptor: a newer one got it after it was closed. Connections of strangers have none. */
void peers_note_broken(peers *ps) {
    int connection;
    while (endpoint_next_broken(ps->endpoint, &connection)) {
        peer *p;
        TAILQ_FOREACH(p, &ps->list, link)
            if (p->connection == connection) break;
        if (!p) continue;
        p->connection = -1;
        p->broke = ps->some_broke = true;
        p->life.n_read = ps->life.n_read;
    }
}

/* Nothing that came of it lies unread: the gate knows, by what it has counted. */
static bool nothing_unread(const peer *p) {
    return p->gate_number != 0 && !gate_unread(p->gate_number);
}

/* Was all that came before it broke read, though there is more of others? A connection that has more to be read is given
 * a turn within a round. */
static bool was_read(const peers *ps, const peer *p) {
    return nothing_unread(p) || ps->life.n_read - p->life.n_read >= ROUND_MESSAGES;
}

static peer *find_broken(const peers *ps, bool all_read) {
    peer *p;
    TAILQ_FOREACH(p, &ps->list, link)
        if (p->broke && (all_read || was_read(ps, p))) return p;
    return NULL;
}

/* What a peer sent before its connection broke counts: it ends when nothing of it is left to be read. */
static void end_the_broken(peers *ps, bool all_read) {
    if (!ps->some_broke) return;
    for (peer *p; (p = find_broken(ps, all_read));) peer_end(ps, p, WHY_BROKE, false);
    if (all_read) ps->some_broke = false;
}

void peers_lose_connections(peers *ps) {
    peer *p;
    TAILQ_FOREACH(p, &ps->list, link) {
        if (p->broke) continue;
        p->connection = -1;
        p->broke = ps->some_broke = true;
        p->life.n_read = ps->life.n_read;
    }
    end_the_broken(ps, receive(ps));
}

void peers_readable(void *context) {
    peers *ps = context;
    end_the_broken(ps, receive(ps));
    peers_flush(ps); /* a peer that answers has read */
}

/* Joining side. ZeroMQ may connect again by itself, but has dropped what was under way, both ways, a Leave included: only
 * joining anew makes both sides sure of what the other one has. */
static void rejoin(peers *ps) {
    peer *p = TAILQ_FIRST(&ps->list);
    if (!endpoint_broke(ps->endpoint)) return;
    if (p) p->connection = -1;
    if (p) peer_end(ps, p, p->is_draining ? WHY_DRAINED : WHY_BROKE, false);
    peers_join_anew(ps);
}

void peers_disconnected(void *context) {
    peers *ps = context;
    if (!peers_bound(ps)) {
        rejoin(ps);
        return;
    }
    peers_note_broken(ps);
    if (ps->some_broke) end_the_broken(ps, receive(ps));
}

/* ---- Liveness ---- */

void peer_heard(peer *p) {
    p->life.heard_ms = clock_ms();
}

/* A pinged peer speaks when it is asked, at our pace or at its own, whichever is slower. */
void peer_life_begin(const peers *ps, peer *p) {
    uint32_t heartbeat_ms = hello_heartbeat_ms(p->hello);
    if (ps->options.liveness == LIVENESS_PING && peers_bound(ps) &&
        heartbeat_ms < ps->options.heartbeat_ms)
        heartbeat_ms = ps->options.heartbeat_ms;
    p->life = (peer_life){.heard_ms = p->joined_ms, .silence_ms_max = LIVENESS * heartbeat_ms};
}

/* Silence while it was busy does not count, so the count starts now. */
void peer_set_busy(peer *p, bool busy) {
    if (p->life.busy && !busy) peer_heard(p);
    p->life.busy = busy;
}

/* Does it owe us a word? A peer that speaks when asked does when it is idle and was asked. */
static bool should_speak(const peers *ps, const peer *p) {
    if (p->state != PEER_JOINED) return false;
    if (ps->options.liveness == LIVENESS_BOTH || !peers_bound(ps)) return true;
    return !p->life.busy && p->life.pinged_ms > p->life.heard_ms;
}

/* Whose word may lie unread is not silent: the gate knows of whom nothing does, though there is much of others. */
static uint64_t listened_ms(const peers *ps, const peer *p) {
    return nothing_unread(p) ? ps->life.ticked_ms : ps->life.listened_ms;
}

static uint64_t silence_ms(const peers *ps, const peer *p) {
    uint64_t since_ms = p->life.heard_ms + p->life.forgiven_ms, until_ms = listened_ms(ps, p);
    return until_ms > since_ms ? until_ms - since_ms : 0;
}

static peer *find_silent(const peers *ps) {
    peer *p;
    TAILQ_FOREACH(p, &ps->list, link)
        if (should_speak(ps, p) && silence_ms(ps, p) > p->life.silence_ms_max) return p;
    return NULL;
}

/* The time by which this tick is late, while we computed or were stopped: nobody could be heard
 * then. It does not move heard_ms: when a peer is pinged next is a matter of real time. */
static void forgive_own_silence(peers *ps, uint64_t now_ms) {
    uint64_t due_ms = ps->life.ticked_ms + ps->life.tick_ms;
    uint64_t late_ms = now_ms > due_ms ? now_ms - due_ms : 0;
    peer *p;
    TAILQ_FOREACH(p, &ps->list, link) {
        if (p->life.heard_ms >= ps->life.ticked_ms) p->life.forgiven_ms = 0;
        p->life.forgiven_ms += late_ms;
    }
    ps->life.ticked_ms = now_ms;
}

static void end_the_silent(peers *ps) {
    for (peer *p; (p = find_silent(ps));) {
        char why[WHY_BYTES];
        snprintf(why, sizeof why, "silent for %u ms", (unsigned)silence_ms(ps, p));
        peer_end(ps, p, why, true);
        if (!peers_bound(ps)) peers_join_anew(ps);
    }
}

/* An interval has passed, give or take half a tick: else a tick that comes a little early adds a
 * whole one. */
static bool interval_passed(const peers *ps, uint64_t since_ms, uint64_t now_ms) {
    return now_ms - since_ms + ps->life.tick_ms / 2 >= ps->options.heartbeat_ms;
}

static void send_pings(peers *ps, uint64_t now_ms) {
    peer *p;
    TAILQ_FOREACH(p, &ps->list, link) {
        peer_life *life = &p->life;
        uint64_t since_ms = life->heard_ms > life->pinged_ms ? life->heard_ms : life->pinged_ms;
        if (life->busy || !interval_passed(ps, since_ms, now_ms)) continue;
        if (peers_send_heartbeat(ps, p)) life->pinged_ms = now_ms;
    }
}

static void send_heartbeats(peers *ps, uint64_t now_ms) {
    if (!interval_passed(ps, ps->life.beaten_ms, now_ms)) return;
    ps->life.beaten_ms = now_ms;
    peers_beat(ps);
}

/* A socket from which nothing comes is looked into once a tick, to know that it is empty. */
static void listen_to_nothing(peers *ps) {
    if (ps->life.n_read == ps->life.ticked_n_read && !peers_rest(ps)) end_the_broken(ps, receive(ps));
    ps->life.ticked_n_read = ps->life.n_read;
}

/* Joining side. */
static void look_for_peer(peers *ps) {
    if (!TAILQ_EMPTY(&ps->list)) return;
    peers_tell_waiting(ps);
    if (!peers_rest(ps) && interval_passed(ps, peers_hello_ms(ps), clock_ms())) peers_say_hello(ps);
}

static void on_tick(void *context) {
    peers *ps = context;
    ps->life.n_say_hello = 0;
    forgive_own_silence(ps, clock_ms());
    listen_to_nothing(ps);
    end_the_silent(ps);
    peers_refuse_the_slow(ps, ps->life.listened_ms);
    peers_say_draining(ps);
    if (!peers_bound(ps)) look_for_peer(ps);
    uint64_t now_ms = clock_ms();
    if (ps->options.liveness == LIVENESS_BOTH)
        send_heartbeats(ps, now_ms);
    else if (peers_bound(ps))
        send_pings(ps, now_ms);
    peers_flush(ps);
}

bool peers_attach_sockets(peers *ps) {
    return loop_add_socket(ps->loop, ps->socket, peers_readable, ps) == 0 &&
           loop_add_socket_alone(ps->loop, endpoint_monitor(ps->endpoint), peers_disconnected, ps) == 0;
}

void peers_detach_sockets(peers *ps) {
    loop_remove_socket(ps->loop, ps->socket); /* its writer, too */
    loop_remove_socket(ps->loop, endpoint_monitor(ps->endpoint));
}

void peers_life_begin(peers *ps) {
    uint64_t now_ms = clock_ms();
    ps->life = (peers_life){.tick_ms = ps->options.heartbeat_ms / TICKS_PER_HEARTBEAT,
                            .ticked_ms = now_ms, .beaten_ms = now_ms, .listened_ms = now_ms, .round_ms = now_ms};
    loop_every(ps->loop, &ps->life.tick_timer, ps->life.tick_ms, on_tick, ps);
}

void peers_life_end(peers *ps) {
    loop_cancel(ps->loop, &ps->life.tick_timer);
}
