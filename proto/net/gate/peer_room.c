/* Room for peers: who must go when there is none, and which connections are nobody's. */
#include <malloc.h>
#include <string.h>

#include "gate.h"
#include "proto/net/errors.h"
#include "proto/net/peer_parts.h"

enum { MANY_CONNECTIONS = 64 };

/* ZeroMQ holds each connection in many small blocks, whose memory does not go back to the system by itself. */
static void give_back(void) {
    static size_t n_most;
    size_t n = gate_connections();
    if (n > n_most) n_most = n;
    if (n_most - n < MANY_CONNECTIONS) return;
    n_most = n;
    malloc_trim(0);
}

/* Which connections are joined is said again each time: a number may have been given to another one just when its peer
 * said Hello. */
static void on_sweep(void *context) {
    peers *ps = context;
    peer *p;
    TAILQ_FOREACH(p, &ps->list, link)
        if (p->state != PEER_ENDING) gate_joined(p->connection);
    gate_sweep(endpoint_listener(ps->endpoint));
    give_back();
}

void peers_room_begin(peers *ps) {
    loop_every(ps->loop, &ps->sweep_timer, GATE_SWEEP_MS, on_sweep, ps);
}

void peers_room_end(peers *ps) {
    loop_cancel(ps->loop, &ps->sweep_timer);
}

void peer_works(peer *p) {
    p->works = true;
}

static peer *longest_idle(const peers *ps) {
    peer *p, *longest = NULL;
    TAILQ_FOREACH(p, &ps->list, link) p->works = false;
    ps->options.events.find_work(ps->options.context);
    TAILQ_FOREACH(p, &ps->list, link) {
        if (p->state != PEER_JOINED || p->works) continue;
        if (!longest || p->asked_ms < longest->asked_ms) longest = p;
    }
    return longest;
}

static bool is_owners(const peer *p, const char *owner) {
    return strcmp(p->owner, owner) == 0;
}

/* Of the owner who has more than half of all, if there is one: each peer is struck out with one of another owner, and
 * somebody of that one is left. NULL: nobody is. */
static const peer *one_of_most(const peers *ps) {
    const peer *p, *left = NULL;
    size_t n_left = 0;
    TAILQ_FOREACH(p, &ps->list, link) {
        if (n_left == 0) left = p;
        if (is_owners(p, left->owner)) n_left++;
        else n_left--;
    }
    return left;
}

/* The newest of an owner who has more than three quarters of all, where another one says this Hello. NULL: there is none. */
static peer *beyond_its_share(const peers *ps, const wire_message *hello) {
    const peer *some = one_of_most(ps);
    peer newcomer = {.connection = hello->connection}, *p, *newest = NULL;
    size_t n = 0;
    peer_find_owner(ps, &newcomer, hello);
    if (!some || is_owners(some, newcomer.owner)) return NULL;
    TAILQ_FOREACH(p, &ps->list, link) {
        if (p->state != PEER_JOINED || !is_owners(p, some->owner)) continue;
        newest = p;
        n++;
    }
    return n > ps->n_peers - ps->n_peers / 4 ? newest : NULL;
}

/* Its Leave comes first: to a peer that counts as joined a refusal says nothing. */
void peers_make_room(peers *ps, const wire_message *hello) {
    if (!ps->options.events.find_work || (ps->n_peers < PEERS_MAX && !gate_crowded())) return;
    failure f;
    fail(&f, STATUS_BUSY, "its place was needed: it had nothing under way, and had asked for nothing the longest");
    peer *p = longest_idle(ps);
    if (!p && ps->n_peers >= PEERS_MAX && (p = beyond_its_share(ps, hello)))
        fail(&f, STATUS_BUSY, "its place was needed: its owner had more than three quarters of all, and another one came");
    if (!p) return;
    wire_route route = p->route;
    uint64_t incarnation = p->incarnation;
    peer_end(ps, p, f.message, true);
    peers_send_refusal(ps, &route, incarnation, &f);
}
