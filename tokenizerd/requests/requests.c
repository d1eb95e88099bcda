#include "requests.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"

enum { BUCKETS = 2048 };

/* A request that ended, so that a late or repeated Generate does not re-open it. */
typedef struct ending {
    owner *owner;                   /* held; NULL: an empty place */
    uint8_t id[REQUEST_BYTES];
    uint32_t attempt;               /* the highest */
    bool cancelled;
    struct ending *next_in_bucket;
} ending;

struct requests {
    const serving_events *serving;
    owners *owners;
    request *first;
    request *buckets[BUCKETS];
    size_t n_requests;
    uint32_t n_numbers;             /* given: to requests that share their id with another owner's, and to those that moved */
    ending endings[ENDED_MAX];      /* a ring */
    ending *ending_buckets[BUCKETS];
    size_t next_ending;
};

static size_t bucket_of(const uint8_t id[REQUEST_BYTES]) {
    uint64_t low, high;
    memcpy(&low, id, 8);
    memcpy(&high, id + 8, 8);
    return (size_t)(((low ^ high) * 0x9e3779b97f4a7c15u) >> 32) % BUCKETS;
}

requests *requests_new(const serving_events *serving, owners *os) {
    requests *rs = calloc(1, sizeof *rs);
    if (rs) *rs = (requests){.serving = serving, .owners = os};
    return rs;
}

/* It leaves its owner, with all that it holds. */
static void leave_owner(request *r) {
    owner_give(r->owner, HOLDING_REQUESTS, 1);
    owner_give(r->owner, HOLDING_REQUEST_BYTES, r->n_bytes_held);
    owner_release(&r->owner);
    request_free(&r);
}

void requests_free(requests **rs) {
    if (!*rs) return;
    for (request *r = (*rs)->first, *next; r; r = next) {
        next = r->next;
        leave_owner(r);
    }
    for (size_t i = 0; i < ENDED_MAX; i++) owner_release(&(*rs)->endings[i].owner);
    free(*rs);
    *rs = NULL;
}

request *requests_first(const requests *rs) {
    return rs->first;
}

request *requests_next(const request *r) {
    return r->next;
}

size_t requests_count(const requests *rs) {
    return rs->n_requests;
}

/* ---- finding ---- */

static bool has_id(const request *r, const uint8_t id[REQUEST_BYTES]) {
    return memcmp(r->id, id, REQUEST_BYTES) == 0;
}

static bool is_of(const request *r, const char *whose) {
    return strcmp(r->owner->name, whose) == 0;
}

request *requests_find(const requests *rs, const char *whose, const uint8_t id[REQUEST_BYTES]) {
    request *r = rs->buckets[bucket_of(id)];
    while (r && !(has_id(r, id) && is_of(r, whose))) r = r->next_in_bucket;
    return r;
}

request *requests_of_client(const requests *rs, const void *client, const uint8_t id[REQUEST_BYTES]) {
    request *r = rs->buckets[bucket_of(id)];
    while (r && !(has_id(r, id) && r->client == client)) r = r->next_in_bucket;
    return r;
}

request *requests_numbered(const requests *rs, const uint8_t id[REQUEST_BYTES], uint32_t number) {
    request *r = rs->buckets[bucket_of(id)];
    while (r && !(has_id(r, id) && r->number == number)) r = r->next_in_bucket;
    return r;
}

status requests_match(const requests *rs, const char *whose, const uint8_t *prefix, size_t n_bytes, request **out,
                      failure *f) {
    *out = NULL;
    if (n_bytes == 0 || n_bytes > REQUEST_BYTES)
        return fail(f, STATUS_BAD_REQUEST, "a request is named by 1 to %d bytes of its id, not %zu",
                    REQUEST_BYTES, n_bytes);
    char digits[2 * REQUEST_BYTES + 1];
    text_hex(prefix, n_bytes, digits);
    for (request *r = rs->first; r; r = r->next) {
        if (memcmp(r->id, prefix, n_bytes) != 0 || (whose && !is_of(r, whose))) continue;
        if (*out) {
            *out = NULL;
            return fail(f, STATUS_BAD_REQUEST,
                        "several requests begin with %s; give more of the id", digits);
        }
        *out = r;
    }
    return *out ? STATUS_OK
                : fail(f, STATUS_UNKNOWN_REQUEST, "no running request begins with %s", digits);
}

static ending *ending_find(const requests *rs, const char *whose, const uint8_t id[REQUEST_BYTES]) {
    ending *e = rs->ending_buckets[bucket_of(id)];
    while (e && !(memcmp(e->id, id, REQUEST_BYTES) == 0 && strcmp(e->owner->name, whose) == 0)) e = e->next_in_bucket;
    return e;
}

request_finish requests_admit(const requests *rs, const char *whose, const uint8_t id[REQUEST_BYTES],
                              uint32_t attempt, request **rival) {
    *rival = NULL;
    const ending *e = ending_find(rs, whose, id);
    if (e && attempt <= e->attempt) return FINISH_SUPERSEDED;
    if (e && e->cancelled) return FINISH_CANCELLED;
    request *live = requests_find(rs, whose, id);
    if (live && attempt <= live->attempt) return FINISH_SUPERSEDED;
    *rival = live;
    return FINISH_NONE;
}

/* ---- coming ---- */

/* Has another owner a request of this id, or had one of which a modeld may still speak? */
static bool shares_id(const requests *rs, const owner *own, const uint8_t id[REQUEST_BYTES]) {
    const request *r = rs->buckets[bucket_of(id)];
    const ending *e = rs->ending_buckets[bucket_of(id)];
    while (r && !(has_id(r, id) && r->owner != own)) r = r->next_in_bucket;
    while (e && !(memcmp(e->id, id, REQUEST_BYTES) == 0 && e->owner != own)) e = e->next_in_bucket;
    return r || e;
}

/* What a modeld is told beside its id: its own number where the id alone would not do. */
static uint32_t number_of(requests *rs, const request *r, const request *rival) {
    if (rival) return rival->number;
    return shares_id(rs, r->owner, r->id) ? ++rs->n_numbers : 0;
}

/* Room for it among what its owner has; its rival's place counts as free. */
static status take_room(owner *own, size_t n_bytes, const request *rival, failure *f) {
    if (rival) owner_give(own, HOLDING_REQUESTS, 1);
    if (rival) owner_give(own, HOLDING_REQUEST_BYTES, rival->n_bytes_held);
    status st = owner_take(own, HOLDING_REQUESTS, 1, f);
    if (st == STATUS_OK && owner_take(own, HOLDING_REQUEST_BYTES, n_bytes, f) != STATUS_OK) {
        owner_give(own, HOLDING_REQUESTS, 1);
        st = f->code;
    }
    if (rival) owner_count(own, HOLDING_REQUESTS, 1);
    if (rival) owner_count(own, HOLDING_REQUEST_BYTES, rival->n_bytes_held);
    return st;
}

static void enter(requests *rs, request *r) {
    request **place = &rs->first, **bucket = &rs->buckets[bucket_of(r->id)];
    while (*place) place = &(*place)->next;
    *place = r;
    r->next_in_bucket = *bucket;
    *bucket = r;
    rs->n_requests++;
}

static status add(requests *rs, const request_order *order, request *rival, owner **own, void *client, uint64_t now_us,
                  request **out, failure *f) {
    const request *other = client ? requests_of_client(rs, client, order->id) : NULL;
    if (other && other->owner != *own)
        return fail(f, STATUS_BAD_REQUEST, "this client has a text of the same id under way, in another name");
    const size_t n_bytes = request_order_bytes(order);
    status st = take_room(*own, n_bytes, rival, f);
    if (st != STATUS_OK) return st;
    st = request_new(order, rs->serving, client, now_us, out, f);
    if (st != STATUS_OK) {
        owner_give(*own, HOLDING_REQUESTS, 1);
        owner_give(*own, HOLDING_REQUEST_BYTES, n_bytes);
        return st;
    }
    (*out)->owner = *own;
    *own = NULL;
    (*out)->number = number_of(rs, *out, rival);
    enter(rs, *out);
    return STATUS_OK;
}

status requests_add(requests *rs, const request_order *order, request *rival, void *client,
                    uint64_t now_us, request **out, failure *f) {
    owner *own = owners_hold(rs->owners, order->owner ? order->owner : "");
    if (!own) return fail(f, STATUS_NO_MEMORY, "no memory for another request");
    assert(requests_find(rs, own->name, order->id) == rival);
    status st = add(rs, order, rival, &own, client, now_us, out, f);
    owner_release(&own);
    return st;
}

void requests_renumber(requests *rs, request *r) {
    r->number = ++rs->n_numbers;
}

/* ---- going ---- */

static ending *ending_take(requests *rs, owner *own, const uint8_t id[REQUEST_BYTES]) {
    ending *e = &rs->endings[rs->next_ending];
    rs->next_ending = (rs->next_ending + 1) % ENDED_MAX;
    if (e->owner) {
        ending **place = &rs->ending_buckets[bucket_of(e->id)];
        while (*place != e) place = &(*place)->next_in_bucket;
        *place = e->next_in_bucket;
        owner_release(&e->owner);
    }
    ending **bucket = &rs->ending_buckets[bucket_of(id)];
    *e = (ending){.owner = owner_hold(own), .next_in_bucket = *bucket};
    memcpy(e->id, id, REQUEST_BYTES);
    *bucket = e;
    return e;
}

static void ending_note(requests *rs, owner *own, const uint8_t id[REQUEST_BYTES], uint32_t attempt,
                        bool cancelled) {
    ending *e = ending_find(rs, own->name, id);
    if (!e) e = ending_take(rs, own, id);
    if (attempt > e->attempt) e->attempt = attempt;
    e->cancelled |= cancelled;
}

void requests_refused(requests *rs, const char *whose, const uint8_t id[REQUEST_BYTES], uint32_t attempt) {
    owner *own = attempt > 0 ? owners_hold(rs->owners, whose) : NULL;
    if (own) ending_note(rs, own, id, attempt, false);  /* without memory it is forgotten */
    owner_release(&own);
}

void requests_remove(requests *rs, request **out, bool cancelled) {
    request *r = *out;
    *out = NULL;
    ending_note(rs, r->owner, r->id, r->attempt, cancelled);
    request **place = &rs->first;
    while (*place != r) place = &(*place)->next;
    *place = r->next;
    request **bucket = &rs->buckets[bucket_of(r->id)];
    while (*bucket != r) bucket = &(*bucket)->next_in_bucket;
    *bucket = r->next_in_bucket;
    rs->n_requests--;
    leave_owner(r);
}
