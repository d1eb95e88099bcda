#include "join_table.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_name.h"
#include "proto/base/clock.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"
#include "proto/net/endpoint/waiting.h"

enum {
    NAMES_LOOK_MS = 500,            /* how often names without an address are looked at */
    MET_MS = 2000,                  /* in which a link joins whom it has met; then another one may */
};

typedef enum join_state {
    JOIN_FREE,                  /* no address is here */
    JOIN_TRIES,                 /* to join; a link is there, here and in the next three */
    JOIN_STANDS,
    JOIN_REFUSED,
    JOIN_DOUBLE,                /* the process that is there has another link, and this one is to be left */
    JOIN_ELSEWHERE,             /* … and was left */
} join_state;

typedef struct join {
    join_state state;
    char address[ENDPOINT_BYTES_MAX];
    void *link;
    uint64_t incarnation;       /* of the process there; JOIN_TRIES: 0 until it is met */
    uint64_t met_ms;
    uint64_t since_ms;          /* when it began to try and when it met a new process there; when it was refused or left */
} join;

/* An endpoint as it was given, and what it leads to. */
typedef struct join_endpoint {
    join_table *of;
    const char *text;           /* borrowed */
    host_name *name;
    waiting waiting;            /* while it has no address */
} join_endpoint;

struct join_table {
    loop *loop;
    join_table_events events;
    void *context;
    size_t n_endpoints;
    size_t next;                /* of all addresses in order, the one that is the next to get a link */
    join_endpoint endpoints[JOINS_MAX];
    join all[JOINS_MAX];
    timer settle_timer, later_timer, waiting_timer;
    bool has_names;
    bool is_crowded;            /* there are addresses for which there is no link */
    bool failure_logged;        /* since all could be joined */
};

static bool has_link(const join *one) {
    return one->state != JOIN_FREE && one->state != JOIN_ELSEWHERE;
}

/* ---- what is wanted ---- */

static bool wanted(const join_table *j, const char *address) {
    for (size_t i = 0; i < j->n_endpoints; i++)
        if (host_name_has(j->endpoints[i].name, address)) return true;
    return false;
}

static size_t count_addresses(const join_table *j) {
    size_t n = 0;
    for (size_t i = 0; i < j->n_endpoints; i++) n += host_name_n_addresses(j->endpoints[i].name);
    return n;
}

/* Number k of the addresses of all endpoints, in order. */
static const char *nth_address(const join_table *j, size_t k) {
    size_t i = 0;
    for (; k >= host_name_n_addresses(j->endpoints[i].name); i++) k -= host_name_n_addresses(j->endpoints[i].name);
    return host_name_address(j->endpoints[i].name, k);
}

/* Given as it is, not by a name. */
static bool given(const join_table *j, const char *address) {
    for (size_t i = 0; i < j->n_endpoints; i++)
        if (strcmp(j->endpoints[i].text, address) == 0) return true;
    return false;
}

static join *find(join_table *j, const char *address) {
    for (size_t i = 0; i < JOINS_MAX; i++)
        if (j->all[i].state != JOIN_FREE && strcmp(j->all[i].address, address) == 0) return &j->all[i];
    return NULL;
}

static join *find_link(join_table *j, const void *link) {
    for (size_t i = 0; i < JOINS_MAX; i++)
        if (has_link(&j->all[i]) && j->all[i].link == link) return &j->all[i];
    return NULL;
}

static join *find_standing(join_table *j, uint64_t incarnation, const join *but) {
    for (size_t i = 0; i < JOINS_MAX; i++)
        if (&j->all[i] != but && j->all[i].state == JOIN_STANDS && j->all[i].incarnation == incarnation) return &j->all[i];
    return NULL;
}

/* One that is joining it. */
static join *find_joining(join_table *j, uint64_t incarnation, const join *but, uint64_t now_ms) {
    for (size_t i = 0; i < JOINS_MAX; i++) {
        join *one = &j->all[i];
        if (one != but && one->state == JOIN_TRIES && one->incarnation == incarnation && now_ms - one->met_ms < MET_MS) return one;
    }
    return NULL;
}

static join *find_holder(join_table *j, uint64_t incarnation, const join *but, uint64_t now_ms) {
    join *one = find_standing(j, incarnation, but);
    return one ? one : find_joining(j, incarnation, but, now_ms);
}

/* ---- links come and go ---- */

static void leave(join_table *j, join *one) {
    void *link = has_link(one) ? one->link : NULL;
    one->state = one->state == JOIN_DOUBLE ? JOIN_ELSEWHERE : JOIN_FREE;
    one->since_ms = clock_ms();
    if (link) j->events.leave(j->context, link);
}

/* Is this place of no more use? */
static bool is_over(join_table *j, const join *one, uint64_t now_ms) {
    bool by_name = !given(j, one->address);
    switch (one->state) {
    case JOIN_TRIES: return !wanted(j, one->address);
    case JOIN_REFUSED:
        return by_name && (now_ms - one->since_ms >= REFUSED_AGAIN_MS || !wanted(j, one->address));
    case JOIN_DOUBLE: return true;
    case JOIN_ELSEWHERE: return !find_holder(j, one->incarnation, one, now_ms) || !wanted(j, one->address);
    case JOIN_STANDS:
    case JOIN_FREE: break;
    }
    return false;
}

static bool may_be_over_later(join_table *j, const join *one) {
    if (one->state == JOIN_REFUSED) return !given(j, one->address);
    return one->state == JOIN_ELSEWHERE && !find_standing(j, one->incarnation, one);
}

/* May another address have its place? Never that of whoever is joined. */
static bool may_yield(const join *one, uint64_t now_ms) {
    if (one->state == JOIN_TRIES) return now_ms - one->since_ms >= JOIN_TURN_MS;
    return one->state == JOIN_ELSEWHERE && now_ms - one->since_ms >= REFUSED_AGAIN_MS;
}

/* Where more addresses wait than there are places, those that have tried for the longest yield: however many of them never
 * answer, each one has its turn. */
static void make_room(join_table *j) {
    const uint64_t now_ms = clock_ms();     /* some may have been left just now */
    size_t n_waiting = 0, n_free = 0;
    for (size_t k = 0, n = count_addresses(j); k < n; k++) n_waiting += !find(j, nth_address(j, k));
    for (size_t i = 0; i < JOINS_MAX; i++) n_free += j->all[i].state == JOIN_FREE;
    for (; n_free < n_waiting; n_free++) {
        join *first = NULL;
        for (size_t i = 0; i < JOINS_MAX; i++)
            if (may_yield(&j->all[i], now_ms) && (!first || j->all[i].since_ms < first->since_ms)) first = &j->all[i];
        if (!first) return;
        leave(j, first);
    }
}

static status join_address(join_table *j, const char *address, failure *f) {
    join *one = NULL;
    if (find(j, address)) return STATUS_OK;
    for (size_t i = 0; !one && i < JOINS_MAX; i++)
        if (j->all[i].state == JOIN_FREE) one = &j->all[i];
    if (!one) return fail(f, STATUS_BUSY, "there are more than %d addresses: those that do not answer take turns", JOINS_MAX);
    snprintf(one->address, sizeof one->address, "%s", address);
    one->incarnation = 0;
    one->since_ms = clock_ms();
    one->link = j->events.join(j->context, one->address, f);
    if (!one->link) return f->code;
    one->state = JOIN_TRIES;
    return STATUS_OK;
}

/* From where the last time ended for want of a place, so that whoever yielded comes last. */
static status join_all(join_table *j, failure *f) {
    const size_t n = count_addresses(j), first = n > 0 ? j->next % n : 0;
    j->next = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t k = (first + i) % n;
        if (join_address(j, nth_address(j, k), f) == STATUS_OK) continue;
        j->next = f->code == STATUS_BUSY ? k : k + 1;       /* one that fails by itself keeps nobody out */
        return f->code;
    }
    return STATUS_OK;
}

/* ---- in order, from the loop ---- */

static void settle(join_table *j);

/* Whoever refused for good is asked again after a while, and what failed is tried again. */
static void look_later(void *context) {
    settle(context);
}

static void on_settle(void *context) {
    join_table *j = context;
    failure f;
    bool later = false;
    uint64_t now_ms = clock_ms();
    for (size_t i = 0; i < JOINS_MAX; i++)
        if (is_over(j, &j->all[i], now_ms)) leave(j, &j->all[i]);
    make_room(j);
    status st = join_all(j, &f);
    if (st != STATUS_OK && !j->failure_logged) log_event(LOG_ERROR, "not_joined", "why=\"%s\"", f.message);
    j->failure_logged = st != STATUS_OK;
    j->is_crowded = st == STATUS_BUSY;
    for (size_t i = 0; i < JOINS_MAX; i++) later = later || may_be_over_later(j, &j->all[i]);
    if ((later || st != STATUS_OK) && !timer_is_set(&j->later_timer))
        loop_once(j->loop, &j->later_timer, j->is_crowded ? JOIN_TURN_MS : NAME_ASK_MS, look_later, j);
}

/* Links are not freed within their own events. */
static void settle(join_table *j) {
    if (!timer_is_set(&j->settle_timer)) loop_once(j->loop, &j->settle_timer, 0, on_settle, j);
}

static bool has_standing(const join_table *j, const join_endpoint *e) {
    for (size_t i = 0; i < JOINS_MAX; i++)
        if (j->all[i].state == JOIN_STANDS && host_name_has(e->name, j->all[i].address)) return true;
    return false;
}

/* Of those that have an address their links tell; but where these take turns each may be there for too short a time. */
static void on_waiting(void *context) {
    join_table *j = context;
    for (size_t i = 0; i < j->n_endpoints; i++) {
        join_endpoint *e = &j->endpoints[i];
        if (host_name_n_addresses(e->name) == 0) waiting_goes_on(&e->waiting, e->text, WAITING_NO_ADDRESS);
        else if (j->is_crowded && !has_standing(j, e)) waiting_goes_on(&e->waiting, e->text, WAITING_TURNS);
        else waiting_over(&e->waiting);
    }
}

static void log_addresses(join_endpoint *e) {
    static const char *const words[] = {
        [NAME_ASKED] = "asked", [NAME_FOUND] = "found", [NAME_NONE] = "none", [NAME_UNANSWERED] = "no_answer",
    };
    size_t n = host_name_n_addresses(e->name);
    log_event(LOG_INFO, "name", "endpoint=%s answer=%s addresses=%zu", e->text, words[host_name_now(e->name)], n);
}

static void on_changed(void *context) {
    join_endpoint *e = context;
    log_addresses(e);
    settle(e->of);
}

/* ---- what happens to links ---- */

static bool share_a_name(const join_table *j, const char *address, const char *other) {
    for (size_t i = 0; i < j->n_endpoints; i++)
        if (host_name_has(j->endpoints[i].name, address) && host_name_has(j->endpoints[i].name, other)) return true;
    return false;
}

bool join_table_asks_who(const join_table *j, const char *address) {
    for (size_t i = 0; i < JOINS_MAX; i++) {
        const join *other = &j->all[i];
        if (strcmp(other->address, address) == 0) continue;
        if (other->state == JOIN_STANDS || (other->state == JOIN_TRIES && share_a_name(j, address, other->address))) return true;
    }
    return false;
}

static void note_double(join *one, const join *other) {
    log_event(LOG_INFO, "same_peer", "endpoint=%s as=%s", one->address, other->address);
    one->state = JOIN_DOUBLE;
}

bool join_table_met(join_table *j, void *link, uint64_t incarnation) {
    join *one = find_link(j, link);
    if (!one || one->state != JOIN_TRIES) return false;
    const uint64_t now_ms = clock_ms();
    const join *other = find_holder(j, incarnation, one, now_ms);
    if (one->incarnation != incarnation) one->since_ms = now_ms;
    one->incarnation = incarnation;
    one->met_ms = now_ms;
    if (!other) return true;
    note_double(one, other);
    settle(j);
    return false;
}

/* The link before is left at once: what it had must be over before anything comes through this one, and what still lies
 * in it is not for us any more. */
void join_table_joined(join_table *j, void *link, uint64_t incarnation) {
    join *one = find_link(j, link);
    if (!one) return;
    one->state = JOIN_STANDS;
    one->incarnation = incarnation;
    join *other = find_standing(j, incarnation, one);
    if (!other) return;
    note_double(other, one);
    leave(j, other);
}

/* It may have other addresses by now. */
void join_table_lost(join_table *j, void *link) {
    join *one = find_link(j, link);
    if (!one || one->state != JOIN_STANDS) return;
    one->state = JOIN_TRIES;
    one->incarnation = 0;
    one->since_ms = clock_ms();
    for (size_t i = 0; i < j->n_endpoints; i++) host_name_ask(j->endpoints[i].name);
    settle(j);
}

void join_table_refused(join_table *j, void *link) {
    join *one = find_link(j, link);
    if (!one) return;
    one->state = JOIN_REFUSED;
    one->since_ms = clock_ms();
    settle(j);
}

bool join_table_all_refused(const join_table *j) {
    if (j->has_names) return false;
    for (size_t i = 0; i < JOINS_MAX; i++)
        if (j->all[i].state != JOIN_FREE && j->all[i].state != JOIN_REFUSED) return false;
    return true;
}

void *join_table_link(const join_table *j, size_t i) {
    return has_link(&j->all[i]) ? j->all[i].link : NULL;
}

/* ---- making and ending it ---- */

static bool have_names(const char *const *endpoints, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (host_name_needed(endpoints[i])) return true;
    return false;
}

size_t join_table_n_links(const char *const *endpoints, size_t n_endpoints) {
    return have_names(endpoints, n_endpoints) ? JOINS_MAX : n_endpoints;
}

static status follow_all(join_table *j, const char *const *endpoints, size_t n, failure *f) {
    for (size_t i = 0; i < n; i++) {
        join_endpoint *e = &j->endpoints[i];
        *e = (join_endpoint){.of = j, .text = endpoints[i]};
        if (host_name_new(&e->name, j->loop, e->text, on_changed, e, f) != STATUS_OK) return f->code;
        j->n_endpoints++;
    }
    return STATUS_OK;
}

status join_table_new(join_table **out, loop *l, const char *const *endpoints, size_t n_endpoints,
                      const join_table_events *events, void *context, failure *f) {
    assert(n_endpoints >= 1 && n_endpoints <= JOINS_MAX);
    join_table *j = *out = calloc(1, sizeof *j);
    if (!j) return fail(f, STATUS_NO_MEMORY, "no memory for links");
    j->loop = l;
    j->events = *events;
    j->context = context;
    j->has_names = have_names(endpoints, n_endpoints);
    status st = follow_all(j, endpoints, n_endpoints, f);
    if (st == STATUS_OK) st = join_all(j, f);
    if (j->has_names) loop_every(l, &j->waiting_timer, NAMES_LOOK_MS, on_waiting, j);
    if (st != STATUS_OK) join_table_free(out);
    return st;
}

void join_table_free(join_table **out) {
    join_table *j = *out;
    *out = NULL;
    if (!j) return;
    loop_cancel(j->loop, &j->settle_timer);
    loop_cancel(j->loop, &j->later_timer);
    loop_cancel(j->loop, &j->waiting_timer);
    for (size_t i = 0; i < JOINS_MAX; i++) leave(j, &j->all[i]);
    for (size_t i = 0; i < j->n_endpoints; i++) host_name_free(&j->endpoints[i].name);
    free(j);
}
