#include "requests.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"
#include "share.h"

enum { BUCKETS = 2048 };

/* A request that ended, so that a late or repeated Generate does not re-open it. */
typedef struct ending {
    uint8_t id[REQUEST_BYTES];
    uint32_t attempt;               /* the highest; 0: an empty place */
    bool cancelled;
    struct ending *next_in_bucket;
} ending;

struct requests {
    const serving_events *serving;
    request *first;
    request *buckets[BUCKETS];
    size_t n_requests, n_bytes_held;
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

requests *requests_new(const serving_events *serving) {
    requests *rs = calloc(1, sizeof *rs);
    if (rs) rs->serving = serving;
    return rs;
}

void requests_free(requests **rs) {
    if (!*rs) return;
    for (request *r = (*rs)->first, *next; r; r = next) {
        next = r->next;
        request_free(&r);
    }
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

request *requests_find(const requests *rs, const uint8_t id[REQUEST_BYTES]) {
    request *r = rs->buckets[bucket_of(id)];
    while (r && memcmp(r->id, id, REQUEST_BYTES) != 0) r = r->next_in_bucket;
    return r;
}

status requests_match(const requests *rs, const uint8_t *prefix, size_t n_bytes, request **out,
                      failure *f) {
    *out = NULL;
    if (n_bytes == 0 || n_bytes > REQUEST_BYTES)
        return fail(f, STATUS_BAD_REQUEST, "a request is named by 1 to %d bytes of its id, not %zu",
                    REQUEST_BYTES, n_bytes);
    char digits[2 * REQUEST_BYTES + 1];
    text_hex(prefix, n_bytes, digits);
    for (request *r = rs->first; r; r = r->next) {
        if (memcmp(r->id, prefix, n_bytes) != 0) continue;
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

static ending *ending_find(const requests *rs, const uint8_t id[REQUEST_BYTES]) {
    ending *e = rs->ending_buckets[bucket_of(id)];
    while (e && memcmp(e->id, id, REQUEST_BYTES) != 0) e = e->next_in_bucket;
    return e;
}

request_finish requests_admit(const requests *rs, const uint8_t id[REQUEST_BYTES], uint32_t attempt,
                              request **rival) {
    *rival = NULL;
    const ending *e = ending_find(rs, id);
    if (e && attempt <= e->attempt) return FINISH_SUPERSEDED;
    if (e && e->cancelled) return FINISH_CANCELLED;
    request *live = requests_find(rs, id);
    if (live && attempt <= live->attempt) return FINISH_SUPERSEDED;
    *rival = live;
    return FINISH_NONE;
}

/* Counting is spared where there is room for everybody. */
static bool share_is_left(const requests *rs, const void *owner) {
    size_t n_own = 0, n_free = REQUESTS_MAX - rs->n_requests;
    if (share_allows(rs->n_requests, n_free)) return true;
    for (const request *r = rs->first; r; r = r->next) n_own += r->owner == owner;
    return n_own == 0 || share_allows(n_own, n_free);
}

status requests_add(requests *rs, const request_order *order, const request *rival, void *owner,
                    uint64_t now_us, request **out, failure *f) {
    assert(requests_find(rs, order->id) == rival);
    size_t n_requests = rs->n_requests - (rival ? 1 : 0);
    if (n_requests >= REQUESTS_MAX)
        return fail(f, STATUS_BUSY, "%d requests are under way already; try again later",
                    REQUESTS_MAX);
    if (!rival && !share_is_left(rs, owner))
        return fail(f, STATUS_BUSY, "this client has its share of the %d requests that may be under way; try again later",
                    REQUESTS_MAX);
    const size_t n_bytes = request_order_bytes(order), n_bytes_held = rs->n_bytes_held - (rival ? rival->n_bytes_held : 0);
    if (n_bytes_held + n_bytes > REQUESTS_BYTES_MAX)
        return fail(f, STATUS_BUSY, "requests hold %zu bytes already; try again later", n_bytes_held);
    status st = request_new(order, rs->serving, owner, now_us, out, f);
    if (st != STATUS_OK) return st;
    request *r = *out;
    r->n_bytes_held_by_all = &rs->n_bytes_held;
    rs->n_bytes_held += n_bytes;
    request **place = &rs->first;
    while (*place) place = &(*place)->next;
    *place = r;
    request **bucket = &rs->buckets[bucket_of(r->id)];
    r->next_in_bucket = *bucket;
    *bucket = r;
    rs->n_requests++;
    return STATUS_OK;
}

static ending *ending_take(requests *rs, const uint8_t id[REQUEST_BYTES]) {
    ending *e = &rs->endings[rs->next_ending];
    rs->next_ending = (rs->next_ending + 1) % ENDED_MAX;
    if (e->attempt != 0) {
        ending **place = &rs->ending_buckets[bucket_of(e->id)];
        while (*place != e) place = &(*place)->next_in_bucket;
        *place = e->next_in_bucket;
    }
    ending **bucket = &rs->ending_buckets[bucket_of(id)];
    memcpy(e->id, id, REQUEST_BYTES);
    e->next_in_bucket = *bucket;
    *bucket = e;
    return e;
}

static void ending_note(requests *rs, const uint8_t id[REQUEST_BYTES], uint32_t attempt,
                        bool cancelled) {
    ending *e = ending_find(rs, id);
    if (!e) {
        e = ending_take(rs, id);
        e->attempt = 0;
        e->cancelled = false;
    }
    if (attempt > e->attempt) e->attempt = attempt;
    e->cancelled |= cancelled;
}

void requests_refused(requests *rs, const uint8_t id[REQUEST_BYTES], uint32_t attempt) {
    if (attempt > 0) ending_note(rs, id, attempt, false);
}

void requests_remove(requests *rs, request **out, bool cancelled) {
    request *r = *out;
    ending_note(rs, r->id, r->attempt, cancelled);
    request **place = &rs->first;
    while (*place != r) place = &(*place)->next;
    *place = r->next;
    request **bucket = &rs->buckets[bucket_of(r->id)];
    while (*bucket != r) bucket = &(*bucket)->next_in_bucket;
    *bucket = r->next_in_bucket;
    rs->n_requests--;
    rs->n_bytes_held -= r->n_bytes_held;
    r->n_bytes_held_by_all = NULL;
    request_free(out);
}
