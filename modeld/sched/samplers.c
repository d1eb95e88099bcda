#include "samplers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

TAILQ_HEAD(sampler_list, sampler);

struct samplers {
    struct sampler_list list;
    uint32_t n_samplers;
};

samplers *samplers_new(void) {
    samplers *t = calloc(1, sizeof *t);
    if (t) TAILQ_INIT(&t->list);
    return t;
}

void samplers_free(samplers **t) {
    if (!*t) return;
    for (sampler *one = TAILQ_FIRST(&(*t)->list); one; one = TAILQ_FIRST(&(*t)->list))
        samplers_remove(*t, one);
    free(*t);
    *t = NULL;
}

status samplers_add(samplers *t, void *peer, const char *pool, const char *semantics, sampler **out,
                    failure *f) {
    if (t->n_samplers >= PEERS_MAX)
        return fail(f, STATUS_BUSY, "this modeld has %d samplers, its limit", PEERS_MAX);
    if (!semantics[0])
        return fail(f, STATUS_BAD_REQUEST, "a sampler must name its semantics, as in \"name/1\"");
    if (strlen(pool) > NAME_BYTES_MAX || strlen(semantics) > NAME_BYTES_MAX)
        return fail(f, STATUS_BAD_REQUEST, "a pool's and semantics' name has at most %d bytes",
                    NAME_BYTES_MAX);
    sampler *one = calloc(1, sizeof *one);
    if (!one) return fail(f, STATUS_NO_MEMORY, "no memory for another sampler");
    strcpy(one->pool, pool[0] ? pool : DEFAULT_POOL);
    strcpy(one->semantics, semantics);
    one->peer = peer;
    TAILQ_INSERT_TAIL(&t->list, one, link);
    t->n_samplers++;
    *out = one;
    return STATUS_OK;
}

void samplers_remove(samplers *t, sampler *one) {
    TAILQ_REMOVE(&t->list, one, link);
    t->n_samplers--;
    free(one);
}

static bool serves(const sampler *one, const char *pool, const char *semantics) {
    return !one->lost && !one->released && strcmp(one->pool, pool[0] ? pool : DEFAULT_POOL) == 0 &&
           (!semantics[0] || strcmp(one->semantics, semantics) == 0);
}

static bool has_room(const sampler *one) {
    return !one->lost && !one->released && one->n_outstanding + one->n_given_up < HIGH_WATER_ROWS;
}

/* Does `a` come before `b`, which joined earlier? */
static bool precedes(const sampler *a, const sampler *b, const sampler *avoided) {
    if (a->hanging != b->hanging) return b->hanging;
    if (a->draining != b->draining) return b->draining;
    if ((a == avoided) != (b == avoided)) return b == avoided;
    return a->n_outstanding < b->n_outstanding;
}

sampler *samplers_choose(const samplers *t, const char *pool, const char *semantics,
                         const sampler *avoided) {
    sampler *best = NULL;
    sampler *one;
    TAILQ_FOREACH (one, &t->list, link)
        if (serves(one, pool, semantics) && (!best || precedes(one, best, avoided))) best = one;
    return best && has_room(best) ? best : NULL;
}

bool samplers_serve(const samplers *t, const char *pool, const char *semantics) {
    const sampler *one;
    TAILQ_FOREACH (one, &t->list, link)
        if (serves(one, pool, semantics) && !one->hanging) return true;
    return false;
}

bool samplers_present(const samplers *t, const char *pool, const char *semantics) {
    const sampler *one;
    TAILQ_FOREACH (one, &t->list, link)
        if (serves(one, pool, semantics)) return true;
    return false;
}

bool samplers_need(const samplers *t, const sampler *one, const char *pool, const char *semantics) {
    const sampler *other;
    if (!serves(one, pool, semantics)) return false;
    TAILQ_FOREACH (other, &t->list, link)
        if (other != one && serves(other, pool, semantics) && !other->hanging && !other->draining) return false;
    return true;
}

bool samplers_have_room(const samplers *t) {
    const sampler *one;
    TAILQ_FOREACH (one, &t->list, link)
        if (has_room(one)) return true;
    return false;
}

bool samplers_may_take(const samplers *t, size_t n_bytes) {
    size_t n_out = 0, n_given_up = 0;
    const sampler *one;
    TAILQ_FOREACH (one, &t->list, link) {
        n_out += one->bytes_outstanding;
        n_given_up += one->bytes_given_up;
    }
    return n_out == 0 || n_out + n_given_up + n_bytes <= SENT_ROWS_BYTES_MAX;
}

void sampler_took(sampler *one, size_t n_bytes) {
    one->n_outstanding++;
    one->bytes_outstanding += n_bytes;
}

void sampler_released(sampler *one, size_t n_bytes, bool given_up) {
    assert(one->n_outstanding > 0 && one->bytes_outstanding >= n_bytes);
    one->n_outstanding--;
    one->bytes_outstanding -= n_bytes;
    one->n_given_up += given_up;
    one->bytes_given_up += given_up ? n_bytes : 0;
}

void sampler_heard(sampler *one) {
    one->n_given_up = 0;
    one->bytes_given_up = 0;
}

void sampler_answered(sampler *one, bool in_time) {
    one->hanging = false;
    sampler_heard(one);
    one->n_steps += in_time;
}

void sampler_hangs(sampler *one) {
    one->hanging = true;
}

void sampler_lost(sampler *one) {
    one->lost = true;
}

void sampler_drains(sampler *one) {
    one->draining = true;
}

void sampler_released_for_good(sampler *one) {
    one->released = true;
}

void sampler_maps(sampler *one) {
    one->maps_rows = true;
}

void sampler_takes_cut_rows(sampler *one) {
    one->takes_cut_rows = true;
}

sampler *samplers_first(const samplers *t) {
    return TAILQ_FIRST(&t->list);
}

sampler *samplers_next(const sampler *one) {
    return TAILQ_NEXT(one, link);
}
