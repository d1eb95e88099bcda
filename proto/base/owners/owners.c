#include "owners.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "share.h"

enum { BUCKETS = 1024 };

struct owners {
    holding_table table;
    size_t limits[HOLDINGS_MAX];
    owner_caller *caller;           /* NULL: nobody has another name */
    void *caller_context;
    owner *buckets[BUCKETS];
    size_t held[HOLDINGS_MAX];
    size_t n_owners;
    uint64_t n_turns;               /* twice as many as were given: whoever comes new goes between two */
};

owners *owners_new(const holding_table *table, const size_t *limits) {
    assert(table->n_rows <= HOLDINGS_MAX);
    owners *os = calloc(1, sizeof *os);
    if (!os) return NULL;
    os->table = *table;
    if (limits) owners_limit(os, limits);
    return os;
}

void owners_limit(owners *os, const size_t *limits) {
    memcpy(os->limits, limits, os->table.n_rows * sizeof *limits);
}

void owners_call(owners *os, owner_caller *caller, void *context) {
    os->caller = caller;
    os->caller_context = context;
}

void owners_free(owners **os) {
    if (!*os) return;
    assert((*os)->n_owners == 0);
    free(*os);
    *os = NULL;
}

/* FNV-1a. */
static size_t bucket_of(const char *name) {
    uint32_t hash = 2166136261u;
    for (; *name; name++) hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash % BUCKETS;
}

owner *owner_hold(owner *o) {
    if (o) o->n_holds++;
    return o;
}

owner *owners_hold(owners *os, const char *name) {
    owner **bucket = &os->buckets[bucket_of(name)], *o = *bucket;
    assert(strlen(name) <= OWNER_BYTES_MAX);
    while (o && strcmp(o->name, name) != 0) o = o->next_in_bucket;
    if (o) return owner_hold(o);
    o = calloc(1, sizeof *o);
    if (!o) return NULL;
    strcpy(o->name, name);
    o->last_turn = os->n_turns > 0 ? os->n_turns - 1 : 0;
    o->home = os;
    o->next_in_bucket = *bucket;
    *bucket = o;
    os->n_owners++;
    return owner_hold(o);
}

void owner_release(owner **out) {
    owner *o = *out;
    *out = NULL;
    if (!o || --o->n_holds > 0) return;
    owner **place = &o->home->buckets[bucket_of(o->name)];
    while (*place != o) place = &(*place)->next_in_bucket;
    *place = o->next_in_bucket;
    o->home->n_owners--;
    free(o);
}

/* ---- how much ---- */

static const char *called(const owner *o, char buffer[OWNER_BYTES_MAX + 1]) {
    if (!o->name[0]) return "whoever comes without a key";
    return o->home->caller && o->home->caller(o->home->caller_context, o->name, buffer) ? buffer : o->name;
}

/* What it holds of all that one limit bounds. */
static size_t held_of_limit(const owner *o, size_t limit) {
    const holding_table *table = &o->home->table;
    size_t n_held = 0;
    for (size_t i = 0; i < table->n_rows; i++)
        if (table->rows[i].limit == limit) n_held += o->held[i];
    return n_held;
}

static status limit_check(const owner *o, const holding_row *row, size_t n, failure *f) {
    const size_t n_max = o->home->limits[row->limit], n_held = held_of_limit(o, row->limit);
    if (n_max == 0 || (n <= n_max && n_held <= n_max - n)) return STATUS_OK;
    char name[OWNER_BYTES_MAX + 1];
    if (n > n_max)      /* when to try again is of no use to whom no wait helps */
        return fail(f, STATUS_TOO_LONG, "%s asks for %zu %s at once, and one owner may have %zu %.*s", called(o, name), n,
                    row->things, n_max, (int)strcspn(row->limited, ";"), row->limited);
    return fail(f, STATUS_BUSY, "%s has %zu %s here, and one owner may have %zu %s", called(o, name), n_held, row->things,
                n_max, row->limited);
}

status owner_take(owner *o, size_t what, size_t n, failure *f) {
    if (!o) return STATUS_OK;
    const holding_row *row = &o->home->table.rows[what];
    const size_t n_held = o->home->held[what], n_free = n_held < row->n_max ? row->n_max - n_held : 0;
    if (n > n_free) return fail(f, STATUS_BUSY, "%s%zu %s; try again later", row->full, row->n_max, row->over);
    status st = limit_check(o, row, n, f);
    if (st != STATUS_OK) return st;
    char name[OWNER_BYTES_MAX + 1];
    if (n > 0 && !share_allows(o->held[what], n, n_free))
        return fail(f, STATUS_BUSY, "%s has its share of the %zu %s; try again later", called(o, name), row->n_max, row->shared);
    owner_count(o, what, n);
    return STATUS_OK;
}

void owner_count(owner *o, size_t what, size_t n) {
    if (!o) return;
    o->held[what] += n;
    o->home->held[what] += n;
}

void owner_give(owner *o, size_t what, size_t n) {
    if (!o) return;
    assert(n <= o->held[what]);
    o->held[what] -= n;
    o->home->held[what] -= n;
}

size_t owners_held(const owners *os, size_t what) {
    return os->held[what];
}

uint64_t owners_next_turn(owners *os) {
    return os->n_turns += 2;
}
