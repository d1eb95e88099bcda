#include "calls.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/carried/traceparent.h"
#include "proto/base/text.h"

/* A call's number is its slot plus CALLS_MAX × a serial number, so that it is found at once and a
 * late answer finds nobody. */
struct calls {
    const serving_events *serving;
    owners *owners;
    call *slots[CALLS_MAX];
    uint32_t free_slots[CALLS_MAX];
    size_t n_free;
    uint64_t serial;
    call *first, *last;
};

calls *calls_new(const serving_events *serving, owners *os) {
    calls *cs = calloc(1, sizeof *cs);
    if (!cs) return NULL;
    cs->serving = serving;
    cs->owners = os;
    for (uint32_t i = CALLS_MAX; i > 0; i--) cs->free_slots[cs->n_free++] = i - 1;
    return cs;
}

/* ---- what only some kinds have ---- */

tokenize_call *call_as_tokenize(call *c) {
    assert(c->kind == CALL_TOKENIZE);
    return &c->tokenize;
}

detokenize_call *call_as_detokenize(call *c) {
    assert(c->kind == CALL_DETOKENIZE);
    return &c->detokenize;
}

kept_rendering *call_as_render(call *c) {
    assert(c->kind == CALL_RENDER);
    return &c->render;
}

score_call *call_as_score(call *c) {
    assert(c->kind == CALL_SCORE);
    return &c->score;
}

probe_call *call_as_probe(call *c) {
    assert(c->kind == CALL_PROBE);
    return &c->probe;
}

call_text *call_text_of(call *c) {
    switch (c->kind) {
    case CALL_TOKENIZE: return &c->tokenize.text;
    case CALL_SCORE: return &c->score.text;
    default: return NULL;
    }
}

call_errand *call_errand_of(call *c) {
    switch (c->kind) {
    case CALL_SCORE: return &c->score.errand;
    case CALL_PROBE: return &c->probe.errand;
    default: return NULL;
    }
}

/* ---- the table ---- */

static void worker_leave(call *c) {
    call_errand *errand = call_errand_of(c);
    if (!errand || !errand->modeld) return;
    c->serving->give(errand->modeld);
    errand->modeld = NULL;
}

static void part_free(call *c) {
    switch (c->kind) {
    case CALL_TOKENIZE: queued_text_free(&c->tokenize.text.queued); break;
    case CALL_DETOKENIZE:
        free(c->detokenize.given.ids);
        ids_text_clear(&c->detokenize.done);
        break;
    case CALL_RENDER: kept_rendering_free(&c->render); break;
    case CALL_SCORE:
        queued_text_free(&c->score.text.queued);
        free(c->score.scored.ids);
        break;
    case CALL_PROBE:
        if (c->probe.strategy) strategy_clear(c->probe.strategy);
        free(c->probe.strategy);
        free(c->probe.row);
        free(c->probe.history.ids);
        break;
    }
}

static void call_free(call *c) {
    worker_leave(c);
    part_free(c);
    if (c->model) c->serving->release(c->model);
    owner_give(c->owner, HOLDING_CALLS, 1);
    owner_give(c->owner, HOLDING_CALL_BYTES, c->n_bytes_held);
    owner_release(&c->owner);
    free(c);
}

void calls_free(calls **cs) {
    if (!*cs) return;
    for (call *c = (*cs)->first, *next; c; c = next) {
        next = c->next;
        call_free(c);
    }
    free(*cs);
    *cs = NULL;
}

/* ---- taking up ---- */

static status name_check(const char *name, failure *f) {
    if (text_is_printable(name, NAME_BYTES_MAX)) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "a model's or pool's name may have %d bytes of UTF-8 without control characters",
                NAME_BYTES_MAX);
}

static status ids_check(size_t n_ids, failure *f) {
    if (n_ids <= TOKENIZE_IDS_MAX) return STATUS_OK;
    return fail(f, STATUS_TOO_LONG, "%zu ids came, and %d are allowed", n_ids, TOKENIZE_IDS_MAX);
}

static status errand_check(const char *pool, const char *traceparent, failure *f) {
    status st = name_check(pool, f);
    return st == STATUS_OK ? traceparent_check(traceparent, f) : st;
}

static status score_check(const score_order *o, failure *f) {
    status st = errand_check(o->pool, o->traceparent, f);
    if (st == STATUS_OK && o->n_top > CANDIDATES_MAX)
        st = fail(f, STATUS_BAD_REQUEST, "there may be %d candidates, not %u", CANDIDATES_MAX, o->n_top);
    return st == STATUS_OK ? ids_check(o->n_ids, f) : st;
}

static status probe_check(const probe_order *o, failure *f) {
    status st = errand_check(o->pool, o->traceparent, f);
    if (st != STATUS_OK) return st;
    if (o->seed >= SEED_MAX) return fail(f, STATUS_BAD_REQUEST, "a seed must be below 2^53");
    if (o->n_row == 0 || o->n_row > N_VOCAB_MAX)
        return fail(f, STATUS_BAD_REQUEST, "a probe needs 1 to %d logits, not %zu", N_VOCAB_MAX, o->n_row);
    if (o->n_history > N_CTX_MAX)
        return fail(f, STATUS_TOO_LONG, "a history may have %d ids, not %zu", N_CTX_MAX, o->n_history);
    for (size_t i = 0; i < o->n_history; i++)
        if (o->history[i] < 0 || (size_t)o->history[i] >= o->n_row)
            return fail(f, STATUS_BAD_ID, "the id %d of the history is outside the row of %zu logits", o->history[i], o->n_row);
    return strategy_check_ids(o->strategy, (uint32_t)o->n_row, f);
}

static status detokenize_check(const detokenize_order *o, failure *f) {
    status st = name_check(o->fingerprint ? o->fingerprint : "", f);
    return st == STATUS_OK ? ids_check(o->n_ids, f) : st;
}

static status order_check(const call_order *o, failure *f) {
    status st = name_check(o->model, f);
    if (st != STATUS_OK) return st;
    switch (o->kind) {
    case CALL_DETOKENIZE: return detokenize_check(&o->detokenize, f);
    case CALL_SCORE: return score_check(&o->score, f);
    case CALL_PROBE: return probe_check(&o->probe, f);
    default: return STATUS_OK;
    }
}

/* ---- what it holds ---- */

static status bytes_take(call *c, size_t n_bytes, failure *f) {
    status st = owner_take(c->owner, HOLDING_CALL_BYTES, n_bytes, f);
    if (st == STATUS_OK) c->n_bytes_held += n_bytes;
    return st;
}

/* Of its answer, where it is larger than what was asked: such a one counts from the beginning. */
static size_t answer_bytes(const call *c) {
    switch (c->kind) {
    case CALL_SCORE: return c->score.scored.n_ids * sizeof(double);
    case CALL_PROBE: return c->probe.n_row * (sizeof(double) - sizeof *c->probe.row);
    default: return 0;
    }
}

/* Whoever reads late is not to be cut for what it asked for: its calls' answers, this one too, find room in its outbox. */
static status unread_check(const calls *cs, const call *c, size_t n_unread_bytes, failure *f) {
    if (n_unread_bytes == 0) return STATUS_OK;
    size_t n_bytes = c->n_bytes_held + n_unread_bytes;
    for (const call *other = cs->first; other; other = other->next)
        if (other->client == c->client) n_bytes += other->n_bytes_held;
    if (n_bytes <= CALLS_BYTES_MAX) return STATUS_OK;
    return fail(f, STATUS_BUSY, "this client has not read %zu bytes yet, and there is no room for another answer; try again later",
                n_unread_bytes);
}

static status ids_copy(call *c, call_ids *to, const int32_t *ids, size_t n_ids, failure *f) {
    assert(!to->ids);
    status st = bytes_take(c, n_ids * sizeof *ids, f);
    if (st != STATUS_OK) return st;
    to->ids = malloc(n_ids * sizeof *ids + 1);
    if (!to->ids) return fail(f, STATUS_NO_MEMORY, "no memory for %zu ids", n_ids);
    if (n_ids > 0) memcpy(to->ids, ids, n_ids * sizeof *ids);
    to->n_ids = n_ids;
    return STATUS_OK;
}

static void errand_copy(call_errand *to, const char *pool, const char *traceparent) {
    strcpy(to->pool, pool);
    traceparent_copy(to->traceparent, traceparent);
}

static status score_copy(call *c, const score_order *o, failure *f) {
    score_call *to = call_as_score(c);
    errand_copy(&to->errand, o->pool, o->traceparent);
    to->text.bos = o->bos;
    to->n_top = o->n_top;
    return o->ids ? ids_copy(c, &to->scored, o->ids, o->n_ids, f) : STATUS_OK;
}

static status row_copy(call *c, const probe_order *o, failure *f) {
    probe_call *to = call_as_probe(c);
    status st = bytes_take(c, o->n_row * sizeof *o->row, f);
    if (st != STATUS_OK) return st;
    to->row = malloc(o->n_row * sizeof *o->row);
    if (!to->row) return fail(f, STATUS_NO_MEMORY, "no memory for a row");
    memcpy(to->row, o->row, o->n_row * sizeof *o->row);
    to->n_row = o->n_row;
    return STATUS_OK;
}

static status probe_copy(call *c, const probe_order *o, failure *f) {
    probe_call *to = call_as_probe(c);
    errand_copy(&to->errand, o->pool, o->traceparent);
    to->seed = o->seed;
    to->step = o->step;
    status st = bytes_take(c, sizeof *to->strategy + strategy_bytes(o->strategy), f);
    if (st != STATUS_OK) return st;
    to->strategy = calloc(1, sizeof *to->strategy);
    if (to->strategy) strategy_init(to->strategy);
    if (!to->strategy || strategy_copy(to->strategy, o->strategy) != STATUS_OK)
        return fail(f, STATUS_NO_MEMORY, "no memory for a strategy");
    st = ids_copy(c, &to->history, o->history, o->n_history, f);
    return st == STATUS_OK ? row_copy(c, o, f) : st;
}

/* What the kind has of its own. */
static status part_copy(call *c, const call_order *o, failure *f) {
    c->kind = o->kind;
    switch (o->kind) {
    case CALL_TOKENIZE: c->tokenize.text.bos = o->tokenize.bos; return STATUS_OK;
    case CALL_DETOKENIZE:
        if (o->detokenize.fingerprint) strcpy(c->detokenize.fingerprint, o->detokenize.fingerprint);
        return ids_copy(c, &c->detokenize.given, o->detokenize.ids, o->detokenize.n_ids, f);
    case CALL_RENDER: return STATUS_OK;
    case CALL_SCORE: return score_copy(c, &o->score, f);
    case CALL_PROBE: return probe_copy(c, &o->probe, f);
    }
    return STATUS_OK;
}

static void order_copy(call *c, const call_order *o) {
    c->client = o->client;
    c->client_number = o->client_number;
    strcpy(c->model_name, o->model);
    c->has_own_wait = o->wait_ms > 0;
    c->wait_ms = o->wait_ms == 0 ? WAIT_MS : o->wait_ms < WAIT_MS_MAX ? o->wait_ms : WAIT_MS_MAX;
}

static void call_link(calls *cs, call *c) {
    uint32_t slot = cs->free_slots[--cs->n_free];
    c->number = slot + CALLS_MAX * ++cs->serial;
    cs->slots[slot] = c;
    c->previous = cs->last;
    if (cs->last) cs->last->next = c;
    else cs->first = c;
    cs->last = c;
}

/* It is its owner's, with all that it holds. */
static status fill(const calls *cs, call *c, const call_order *o, failure *f) {
    status st = owner_take(c->owner, HOLDING_CALLS, 1, f);
    if (st != STATUS_OK) {
        owner_release(&c->owner);   /* it has no place to give back */
        return st;
    }
    order_copy(c, o);
    st = part_copy(c, o, f);
    if (st == STATUS_OK) st = bytes_take(c, answer_bytes(c), f);
    return st == STATUS_OK ? unread_check(cs, c, o->n_unread_bytes, f) : st;
}

status calls_add(calls *cs, const call_order *o, uint64_t now_us, call **out, failure *f) {
    status st = order_check(o, f);
    if (st != STATUS_OK) return st;
    call *c = calloc(1, sizeof *c);
    owner *own = c ? owners_hold(cs->owners, o->owner ? o->owner : "") : NULL;
    if (!own) {
        free(c);
        return fail(f, STATUS_NO_MEMORY, "no memory for another call");
    }
    c->serving = cs->serving;
    c->owner = own;
    st = fill(cs, c, o, f);
    if (st != STATUS_OK) {
        call_free(c);
        return st;
    }
    call_link(cs, c);
    call_wait(c, now_us);
    *out = c;
    return STATUS_OK;
}

void calls_remove(calls *cs, call **out) {
    call *c = *out;
    *out = NULL;
    uint32_t slot = (uint32_t)(c->number % CALLS_MAX);
    cs->slots[slot] = NULL;
    cs->free_slots[cs->n_free++] = slot;
    if (c->previous) c->previous->next = c->next;
    else cs->first = c->next;
    if (c->next) c->next->previous = c->previous;
    else cs->last = c->previous;
    call_free(c);
}

call *calls_find(const calls *cs, uint64_t number) {
    call *c = cs->slots[number % CALLS_MAX];
    return c && c->number == number ? c : NULL;
}

call *calls_first(const calls *cs) {
    return cs->first;
}

call *calls_next(const call *c) {
    return c->next;
}

void call_meet(call *c, served_model *m) {
    assert(!c->model);
    c->serving->hold(m);
    c->model = m;
}

status call_set_ids(call *c, const int32_t *ids, size_t n_ids, failure *f) {
    status st = ids_copy(c, &call_as_score(c)->scored, ids, n_ids, f);
    return st == STATUS_OK ? bytes_take(c, answer_bytes(c), f) : st;
}

void call_send(call *c, modeld *d, uint64_t now_us) {
    call_errand *errand = call_errand_of(c);
    assert(errand && !errand->modeld && c->state == CALL_WAITING);
    c->serving->take(d);
    errand->modeld = d;
    c->state = CALL_SENT;
    c->notice_us = now_us + NOTICE_MS * 1000;
}

void call_wait(call *c, uint64_t now_us) {
    worker_leave(c);
    c->state = CALL_WAITING;
    c->deadline_us = now_us + (uint64_t)c->wait_ms * 1000;
    c->notice_us = now_us + NOTICE_MS * 1000;
}

bool call_notice_is_due(const call *c, uint64_t now_us) {
    return c->wait_ms > NOTICE_MS && c->notice_us > 0 && c->notice_us <= now_us;
}

void call_noticed(call *c) {
    c->notice_us = 0;
}

bool call_lost(call *c, uint64_t now_us) {
    assert(c->state == CALL_SENT);
    call_wait(c, now_us);
    return ++call_errand_of(c)->n_losses <= REOPENS_MAX;
}

bool call_may_move(call *c) {
    return c->state == CALL_SENT && call_errand_of(c)->n_moves < MOVES_MAX;
}

void call_moved(call *c, uint64_t now_us) {
    assert(c->state == CALL_SENT);
    call_wait(c, now_us);
    call_errand_of(c)->n_moves++;
}
