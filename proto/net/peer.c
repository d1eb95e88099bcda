#include <assert.h>
#include <search.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "gate/gate.h"
#include "peer_parts.h"
#include "proto/base/clock.h"

enum { OUTBOX_RETRY_MS = 1 };

/* ---- One peer ---- */

peer *peer_new(peers *ps, const wire_message *m, uint64_t incarnation, const Trivium__Hello *hello) {
    peer *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->route = m->route;
    p->connection = m->connection;
    p->gate_number = gate_number(m->connection);
    p->incarnation = incarnation;
    p->joined_ms = p->asked_ms = clock_ms();
    p->hello = hello_copy(hello);
    peer_find_owner(ps, p, m);
    p->outbox = outbox_new(!ps->options.counts_sent_itself);
    if (!p->hello || !p->outbox) {
        peer_free(p);
        return NULL;
    }
    peer_life_begin(ps, p);
    return p;
}

void peer_free(peer *p) {
    if (p->hello) trivium__hello__free_unpacked(p->hello, NULL);
    outbox_free(&p->outbox);
    pieces_free(&p->incoming);
    free(p);
}

/* ---- Finding one ----
 *
 * Each message has a sender, so the list is not walked for it: the routes of all peers are in a tree of the C library's,
 * which finds one of PEERS_MAX in a fraction of a microsecond. */

static int routes_compare(const void *one, const void *other) {
    const wire_route *a = one, *b = other;
    if (a->n_bytes != b->n_bytes) return a->n_bytes < b->n_bytes ? -1 : 1;
    return memcmp(a->bytes, b->bytes, a->n_bytes);
}

bool peer_link(peers *ps, peer *p) {
    wire_route **placed = tsearch(&p->route, &ps->routes, routes_compare);
    if (!placed) return false;
    assert(*placed == &p->route);   /* whoever had this route was replaced */
    TAILQ_INSERT_TAIL(&ps->list, p, link);
    ps->n_peers++;
    return true;
}

void peer_unlink(peers *ps, peer *p) {
    tdelete(&p->route, &ps->routes, routes_compare);
    TAILQ_REMOVE(&ps->list, p, link);
    ps->n_peers--;
}

bool peer_has_route(const peer *p, const wire_route *route) {
    return routes_compare(&p->route, route) == 0;
}

peer *peer_at(const peers *ps, const wire_route *route) {
    wire_route **found = tfind(route, &ps->routes, routes_compare);
    return found ? (peer *)((char *)*found - offsetof(peer, route)) : NULL;
}

peer *peer_find(const peers *ps, uint64_t incarnation, const wire_route *route) {
    peer *p = peer_at(ps, route);
    return p && p->incarnation == incarnation ? p : NULL;
}

/* ---- The end of one ---- */

/* Else ZeroMQ would keep what it does not read, for whoever is at the other end of that connection. */
static void shut(peers *ps, const peer *p) {
    if (peers_bound(ps)) gate_shut(p->gate_number);
    else endpoint_shut(ps->endpoint, p->connection);
}

void peer_end(peers *ps, peer *p, const char *why, bool tell) {
    if (p->state == PEER_ENDING) why = p->why; /* what came first */
    p->state = PEER_ENDING;
    peer_unlink(ps, p);
    if (!peers_bound(ps)) peers_owe_leave(ps, tell ? p->incarnation : 0, why);
    else if (tell) peers_send_leave(ps, &p->route, p->incarnation, why);
    gate_left(p->connection);
    if (outbox_on_its_way(p->outbox)) shut(ps, p);
    ps->options.events.left(ps->options.context, p, why);
    peer_free(p);
}

/* An event may doom another one, so the search begins anew after each. */
static void on_end(void *context) {
    peers *ps = context;
    for (;;) {
        peer *p;
        TAILQ_FOREACH(p, &ps->list, link)
            if (p->state == PEER_ENDING) break;
        if (!p) return;
        peer_end(ps, p, p->why, true);
    }
}

void peer_doom(peers *ps, peer *p, const char *why) {
    if (p->state == PEER_ENDING) return;
    p->state = PEER_ENDING;
    snprintf(p->why, sizeof p->why, "%s", why);
    if (!timer_is_set(&ps->end_timer)) loop_once(ps->loop, &ps->end_timer, 0, on_end, ps);
}

/* A Leave that it said before may still lie unread: then it left. */
void peer_doom_broken(peers *ps, peer *p) {
    p->broke = true;
    peer_doom(ps, p, WHY_BROKE);
}

/* ---- Outboxes ---- */

static void retry_later(peers *ps);

static const char unread[] = "it does not read what is sent to it";

void peer_flush(peers *ps, peer *p) {
    if (outbox_overrun(p->outbox)) {
        peer_doom(ps, p, unread);
        return;
    }
    status st = outbox_flush(p->outbox, ps->socket, &p->route);
    if (st == STATUS_NOT_FOUND) peer_doom_broken(ps, p);
    if (st == STATUS_BUSY) retry_later(ps);
}

void peers_flush(peers *ps) {
    if (outboxes_quiet()) return; /* as nearly always: no walk over a thousand peers after each message */
    peer *p;
    TAILQ_FOREACH(p, &ps->list, link)
        if (p->state == PEER_JOINED && !outbox_empty(p->outbox)) peer_flush(ps, p);
}

static void on_retry(void *context) {
    peers_flush(context);
}

/* A ROUTER does not tell when a queue has room again. */
static void retry_later(peers *ps) {
    if (!timer_is_set(&ps->retry_timer)) loop_once(ps->loop, &ps->retry_timer, OUTBOX_RETRY_MS, on_retry, ps);
}

status peer_post(peers *ps, peer *p, wire_parcel *parcel) {
    if (p->state == PEER_JOINED && outbox_empty(p->outbox)) {
        status st = outbox_send(p->outbox, ps->socket, &p->route, &parcel);
        if (st == STATUS_OK) return STATUS_OK;
        if (st == STATUS_NOT_FOUND) {
            wire_parcel_free(&parcel);
            peer_doom_broken(ps, p);
            return STATUS_BUSY;
        }
    }
    if (outbox_push(p->outbox, &parcel) == STATUS_OK) {
        if (p->state == PEER_JOINED) retry_later(ps);
        return STATUS_OK;
    }
    wire_parcel_free(&parcel);
    peer_doom(ps, p, unread);
    return STATUS_BUSY;
}

static status parcel_pack(const peers *ps, const peer *p, ProtobufCMessage *m, const wire_raw *raw,
                          size_t n_raw, wire_parcel **out) {
    Trivium__Control control = control_to(ps, p->incarnation), **field = control_of(m);
    *field = &control;
    status st = wire_pack(out, m, raw, n_raw);
    *field = NULL;
    return st;
}

status peers_send(peers *ps, peer *p, ProtobufCMessage *m, const wire_raw *raw, size_t n_raw) {
    wire_parcel *parcel;
    if (p->state == PEER_ENDING) return STATUS_BUSY;
    if (!ps->options.sends_whole && pieces_needed(raw, n_raw)) return peer_send_in_pieces(ps, p, m, raw, n_raw);
    status st = parcel_pack(ps, p, m, raw, n_raw, &parcel);
    return st == STATUS_OK ? peer_post(ps, p, parcel) : st;
}

bool peers_offer(peers *ps, peer *p, ProtobufCMessage *m) {
    wire_parcel *parcel;
    if (p->state != PEER_JOINED || !outbox_empty(p->outbox)) return false;
    if (parcel_pack(ps, p, m, NULL, 0, &parcel) != STATUS_OK) return false;
    bool left = outbox_offer(p->outbox, ps->socket, &p->route, &parcel) == STATUS_OK;
    if (!left) wire_parcel_free(&parcel);
    return left;
}

bool peer_has_taken(const peer *p) {
    return !outbox_on_its_way(p->outbox);
}

bool peer_is_behind(const peer *p) {
    return outbox_half_full(p->outbox);
}

size_t peer_unread_bytes(const peer *p) {
    return outbox_bytes(p->outbox);
}

void peers_cut(peers *ps, peer *p, const char *why) {
    peer_doom(ps, p, why);
}

/* ---- All peers of an endpoint ---- */

uint64_t peers_incarnation(void) {
    uint64_t incarnation = 0;
    while (incarnation == 0)
        if (getrandom(&incarnation, sizeof incarnation, 0) != sizeof incarnation) incarnation = 0;
    return incarnation;
}

/* Take the loop's calls away, before the sockets go. */
static void detach(peers *ps) {
    peers_life_end(ps);
    peers_room_end(ps);
    loop_cancel(ps->loop, &ps->retry_timer);
    loop_cancel(ps->loop, &ps->end_timer);
    peers_join_end(ps);
    peers_detach_sockets(ps);
}

static bool attach(peers *ps) {
    if (peers_bound(ps)) peers_room_begin(ps);
    peers_life_begin(ps);
    return peers_attach_sockets(ps);
}

/* Links come and go; what a Hello tells is how long the process has been here. */
static uint64_t process_started_ms(void) {
    static atomic_uint_fast64_t first_ms;
    uint_fast64_t known_ms = 0, now_ms = clock_ms();
    return atomic_compare_exchange_strong(&first_ms, &known_ms, now_ms) ? now_ms : known_ms;
}

typedef status endpoint_opener(endpoint **out, const endpoint_options *options, failure *f);

static status open_peers(endpoint_opener *opener, peers **out, loop *l, const endpoint_options *where,
                         const peers_options *who, failure *f) {
    assert(who->incarnation != 0);
    assert(who->heartbeat_ms >= HEARTBEAT_MS_MIN && who->heartbeat_ms <= HEARTBEAT_MS_MAX);
    *out = NULL;
    peers *ps = calloc(1, sizeof *ps);
    if (!ps) return fail(f, STATUS_NO_MEMORY, "no memory for the link at %s", where->address);
    ps->loop = l;
    ps->options = *who;
    ps->hello = *who->hello;
    ps->options.hello = &ps->hello;     /* the caller's own need not live on */
    ps->hello.heartbeat_ms = who->heartbeat_ms;
    hello_fill(&ps->hello, ps->host);
    ps->started_ms = process_started_ms();
    TAILQ_INIT(&ps->list);
    status st = hello_check(&ps->hello, f);
    endpoint_options how = *where;
    how.whole = who->sends_whole;
    if (st == STATUS_OK && opener == endpoint_bind) st = peers_guard_begin(ps, &how, f);
    if (st == STATUS_OK) st = opener(&ps->endpoint, &how, f);
    if (st == STATUS_OK) {
        ps->socket = endpoint_socket(ps->endpoint);
        peers_join_begin(ps, &how);
        if (!attach(ps)) {
            detach(ps);
            st = fail(f, STATUS_NO_MEMORY, "no memory for the link at %s", where->address);
        }
    }
    if (st != STATUS_OK) {
        endpoint_close(&ps->endpoint);
        peers_guard_end(ps);
        free(ps);
        return st;
    }
    if (!peers_bound(ps)) peers_say_hello(ps);
    *out = ps;
    return STATUS_OK;
}

status peers_bind(peers **out, loop *l, const endpoint_options *where, const peers_options *who,
                  failure *f) {
    return open_peers(endpoint_bind, out, l, where, who, f);
}

status peers_join(peers **out, loop *l, const endpoint_options *where, const peers_options *who,
                  failure *f) {
    return open_peers(endpoint_join, out, l, where, who, f);
}

void peers_free(peers **ps_pointer) {
    peers *ps = *ps_pointer;
    *ps_pointer = NULL;
    if (!ps) return;
    peers_pay_leave(ps);
    while (!TAILQ_EMPTY(&ps->list)) {
        peer *p = TAILQ_FIRST(&ps->list);
        outbox_flush(p->outbox, ps->socket, &p->route);
        peers_send_leave(ps, &p->route, p->incarnation, "");
        peer_unlink(ps, p);
        peer_free(p);
    }
    detach(ps);
    endpoint_close(&ps->endpoint);
    peers_guard_end(ps);
    free(ps);
}

bool peers_have_sent(const peers *ps) {
    const peer *p;
    TAILQ_FOREACH(p, &ps->list, link)
        if (p->state == PEER_JOINED && !outbox_empty(p->outbox)) return false;
    return true;
}

/* The first peer in the list from `p` on that is joined. */
static peer *joined_from(peer *p) {
    while (p && p->state != PEER_JOINED) p = TAILQ_NEXT(p, link);
    return p;
}

peer *peers_first(const peers *ps) {
    return joined_from(TAILQ_FIRST(&ps->list));
}

peer *peers_next(const peers *ps, const peer *p) {
    (void)ps;
    return joined_from(TAILQ_NEXT(p, link));
}

/* ---- What its owner may know of a peer ---- */

const char *peers_address(const peers *ps) {
    return endpoint_address(ps->endpoint);
}

const Trivium__Hello *peers_hello(const peers *ps) {
    return &ps->hello;
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

uint32_t peer_version(const peer *p) {
    return hello_version(p->hello);
}

uint64_t peer_uptime_ms(const peer *p) {
    return p->hello->uptime_ms + (clock_ms() - p->joined_ms);
}

bool peer_is_draining(const peer *p) {
    return p->is_draining;
}

bool peer_has_left(const peer *p) {
    return p->has_left;
}

void peer_set_user(peer *p, void *user) {
    p->user = user;
}

void *peer_user(const peer *p) {
    return p->user;
}
