#include <stdio.h>

#include "peer_parts.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

enum {
    DRAIN_MESSAGES_MAX = 16 * RECEIVE_BURST
}; /* read at once before somebody is declared lost */

/* ---- Receiving ---- */

/* Dropped, counted, and logged once for each peer and once for all strangers. */
static void garbage(peers *ps, const wire_route *route) {
    ps->n_garbage++;
    peer *p = ps->first;
    while (p && !peer_has_route(p, route)) p = p->next;
    bool *logged = p ? &p->garbage_logged : &ps->garbage_logged;
    if (*logged) return;
    *logged = true;
    log_event(LOG_INFO, "garbage", "endpoint=%s peer=\"%s\"", endpoint_address(ps->endpoint),
              p ? p->hello->name : "");
}

static void take_heartbeat(peers *ps, peer *p, const Trivium__Heartbeat *beat) {
    if (ps->options.events.heard) ps->options.events.heard(ps->options.context, p, beat);
    if (ps->options.liveness == LIVENESS_PING && !peers_bound(ps)) peers_send_heartbeat(ps, p);
}

static void take_message(peers *ps, const wire_message *m) {
    const Trivium__Control *control = *control_of(m->header);
    if (!control || control->from == 0) {
        garbage(ps, &m->route);
        return;
    }
    if (control->word_case == TRIVIUM__CONTROL__WORD_HELLO) {
        peers_take_hello(ps, &m->route, control);
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
        if (to_us) peers_take_refused(ps, p, control);
        break;
    case TRIVIUM__CONTROL__WORD_SAY_HELLO:
        if (to_us) peers_take_say_hello(ps);
        break;
    default: /* a heartbeat, or a message with a body */
        if (!p) {
            if (peers_bound(ps)) peers_ask_hello(ps, &m->route, control->from);
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

void peers_readable(void *context) {
    peers *ps = context;
    receive(ps, RECEIVE_BURST);
    peers_flush(ps); /* a peer that answers has read */
}

/* Joining side. ZeroMQ connects again by itself, but has dropped what was under way, both ways:
 * only joining anew makes both sides sure of what the other one has. */
void peers_disconnected(void *context) {
    peers *ps = context;
    if (!endpoint_broke(ps->endpoint) || !ps->first) return;
    peer_end(ps, ps->first, "the connection broke", true);
    peers_say_hello(ps);
}

/* ---- Liveness ---- */

/* Does it owe us a word? A peer that speaks when asked does when it is idle and was asked. */
static bool should_speak(const peers *ps, const peer *p) {
    if (p->state != PEER_JOINED) return false;
    if (ps->options.liveness == LIVENESS_BOTH || !peers_bound(ps)) return true;
    return !p->busy && p->pinged_ms > p->heard_ms;
}

static uint64_t silence_ms(const peer *p) {
    uint64_t silent_ms = clock_ms() - p->heard_ms;
    return silent_ms > p->forgiven_ms ? silent_ms - p->forgiven_ms : 0;
}

static peer *find_silent(const peers *ps) {
    for (peer *p = ps->first; p; p = p->next)
        if (should_speak(ps, p) && silence_ms(p) > p->silence_ms_max) return p;
    return NULL;
}

/* The time by which this tick is late, while we computed or were stopped: nobody could be heard
 * then. It does not move heard_ms: when a peer is pinged next is a matter of real time. */
static void forgive_own_silence(peers *ps, uint64_t now_ms) {
    uint64_t due_ms = ps->ticked_ms + ps->tick_ms;
    uint64_t late_ms = now_ms > due_ms ? now_ms - due_ms : 0;
    for (peer *p = ps->first; p; p = p->next) {
        if (p->heard_ms >= ps->ticked_ms) p->forgiven_ms = 0;
        p->forgiven_ms += late_ms;
    }
    ps->ticked_ms = now_ms;
}

/* Declare lost who is silent, after what already lies in the socket was read. */
static void end_the_silent(peers *ps) {
    if (!find_silent(ps) || !receive(ps, DRAIN_MESSAGES_MAX)) return;
    for (peer *p; (p = find_silent(ps));) {
        char why[WHY_BYTES];
        snprintf(why, sizeof why, "silent for %u ms", (unsigned)silence_ms(p));
        peer_end(ps, p, why, true);
        if (!peers_bound(ps)) peers_say_hello(ps);
    }
}

/* An interval has passed, give or take half a tick: else a tick that comes a little early adds a
 * whole one. */
static bool interval_passed(const peers *ps, uint64_t since_ms, uint64_t now_ms) {
    return now_ms - since_ms + ps->tick_ms / 2 >= ps->options.heartbeat_ms;
}

static void send_pings(peers *ps, uint64_t now_ms) {
    for (peer *p = ps->first; p; p = p->next) {
        uint64_t since_ms = p->heard_ms > p->pinged_ms ? p->heard_ms : p->pinged_ms;
        if (p->busy || !interval_passed(ps, since_ms, now_ms)) continue;
        if (peers_send_heartbeat(ps, p)) p->pinged_ms = now_ms;
    }
}

static void send_heartbeats(peers *ps, uint64_t now_ms) {
    if (!interval_passed(ps, ps->beaten_ms, now_ms)) return;
    ps->beaten_ms = now_ms;
    peers_beat(ps);
}

void peers_tick(void *context) {
    peers *ps = context;
    ps->n_say_hello = 0;
    peers_end_doomed(ps);
    forgive_own_silence(ps, clock_ms());
    end_the_silent(ps);
    uint64_t now_ms = clock_ms();
    if (!peers_bound(ps) && !ps->first && interval_passed(ps, ps->hello_ms, now_ms))
        peers_say_hello(ps);
    if (ps->options.liveness == LIVENESS_BOTH)
        send_heartbeats(ps, now_ms);
    else if (peers_bound(ps))
        send_pings(ps, now_ms);
    peers_flush(ps);
}
