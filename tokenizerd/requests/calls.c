#include "calls.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"

/* A call's number is its slot plus CALLS_MAX × a serial number, so that it is found at once and a
 * late answer finds nobody. */
struct calls {
    const serving_events *serving;
    call *slots[CALLS_MAX];
    uint32_t free_slots[CALLS_MAX];
    size_t n_free;
    uint64_t serial;
    call *first, *last;
    size_t n_bytes_held;
};

calls *calls_new(const serving_events *serving) {
    calls *cs = calloc(1, sizeof *cs);
    if (!cs) return NULL;
    cs->serving = serving;
    for (uint32_t i = CALLS_MAX; i > 0; i--) cs->free_slots[cs->n_free++] = i - 1;
    return cs;
}

static void worker_leave(call *c) {
    if (c->worker) c->serving->give(c->worker);
    c->worker = NULL;
}

static void call_free(call *c) {
    worker_leave(c);
    passage_free(&c->passage);
    passage_free(&c->rendering.fits);
    conversation_free(&c->rendering.conversation);
    strategy_clear(&c->strategy);
    if (c->model) c->serving->release(c->model);
    free(c->ids);
    free(c->row);
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

static status probe_check(const call_order *o, failure *f) {
    if (o->n_row == 0 || o->n_row > N_VOCAB_MAX)
        return fail(f, STATUS_BAD_REQUEST, "a probe needs 1 to %d logits, not %zu", N_VOCAB_MAX,
                    o->n_row);
    if (o->n_ids > N_CTX_MAX)
        return fail(f, STATUS_TOO_LONG, "a history may have %d ids, not %zu", N_CTX_MAX, o->n_ids);
    for (size_t i = 0; i < o->n_ids; i++)
        if (o->ids[i] < 0 || (size_t)o->ids[i] >= o->n_row)
            return fail(f, STATUS_BAD_ID,
                        "the id %d of the history is outside the row of %zu logits", o->ids[i],
                        o->n_row);
    return strategy_check_ids(o->strategy, (uint32_t)o->n_row, f);
}

static status order_check(const call_order *o, failure *f) {
    if (!text_is_printable(o->model, NAME_BYTES_MAX) || !text_is_printable(o->pool, NAME_BYTES_MAX))
        return fail(
            f, STATUS_BAD_REQUEST,
            "a model's or pool's name may have %d bytes of UTF-8 without control characters",
            NAME_BYTES_MAX);
    if (o->seed >= SEED_MAX) return fail(f, STATUS_BAD_REQUEST, "a seed must be below 2^53");
    if (o->n_top > CANDIDATES_MAX)
        return fail(f, STATUS_BAD_REQUEST, "there may be %d candidates, not %u", CANDIDATES_MAX,
                    o->n_top);
    if (o->kind == CALL_PROBE) return probe_check(o, f);
    if (o->kind == CALL_RENDER) return chat_check(o->messages, o->n_messages, f);
    if (o->n_ids > TOKENIZE_IDS_MAX)
        return fail(f, STATUS_TOO_LONG, "%zu ids came, and %d are allowed", o->n_ids,
                    TOKENIZE_IDS_MAX);
    return STATUS_OK;
}

static status bytes_take(calls *cs, call *c, size_t n_bytes, failure *f) {
    if (n_bytes > CALLS_BYTES_MAX - cs->n_bytes_held)
        return fail(f, STATUS_BUSY, "calls hold %zu bytes already; try again later",
                    cs->n_bytes_held);
    cs->n_bytes_held += n_bytes;
    c->n_bytes_held += n_bytes;
    return STATUS_OK;
}

status call_set_ids(calls *cs, call *c, const int32_t *ids, size_t n_ids, failure *f) {
    assert(!c->ids);
    status st = bytes_take(cs, c, n_ids * sizeof *ids, f);
    if (st != STATUS_OK) return st;
    c->ids = malloc(n_ids * sizeof *ids + 1);
    if (!c->ids) return fail(f, STATUS_NO_MEMORY, "no memory for %zu ids", n_ids);
    if (n_ids > 0) memcpy(c->ids, ids, n_ids * sizeof *ids);
    c->n_ids = n_ids;
    return STATUS_OK;
}

static status row_set(calls *cs, call *c, const call_order *o, failure *f) {
    if (!o->row) return STATUS_OK;
    status st = bytes_take(cs, c, o->n_row * sizeof *o->row, f);
    if (st != STATUS_OK) return st;
    c->row = malloc(o->n_row * sizeof *o->row);
    if (!c->row) return fail(f, STATUS_NO_MEMORY, "no memory for a row");
    memcpy(c->row, o->row, o->n_row * sizeof *o->row);
    c->n_row = o->n_row;
    return STATUS_OK;
}

static status conversation_set(calls *cs, call *c, const call_order *o, failure *f) {
    if (o->kind != CALL_RENDER) return STATUS_OK;
    status st = bytes_take(cs, c, conversation_bytes(o->messages, o->n_messages), f);
    if (st != STATUS_OK) return st;
    c->rendering.asked = o->form;
    c->rendering.n_ids_max = o->n_ids_max;
    c->rendering.n_reply = o->n_reply;
    c->rendering.conversation = conversation_new(o->messages, o->n_messages);
    if (c->rendering.conversation) return STATUS_OK;
    return fail(f, STATUS_NO_MEMORY, "no memory for %zu messages", o->n_messages);
}

static status order_copy(calls *cs, call *c, const call_order *o, failure *f) {
    strategy_init(&c->strategy);
    if (o->strategy && strategy_copy(&c->strategy, o->strategy) != STATUS_OK)
        return fail(f, STATUS_NO_MEMORY, "no memory for a strategy");
    status st = o->ids ? call_set_ids(cs, c, o->ids, o->n_ids, f) : STATUS_OK;
    if (st == STATUS_OK) st = row_set(cs, c, o, f);
    if (st == STATUS_OK) st = conversation_set(cs, c, o, f);
    c->kind = o->kind;
    c->client = o->client;
    c->client_number = o->client_number;
    strcpy(c->model_name, o->model);
    strcpy(c->pool, o->pool);
    c->wait_ms = o->wait_ms == 0 ? WAIT_MS : o->wait_ms < WAIT_MS_MAX ? o->wait_ms : WAIT_MS_MAX;
    c->bos = o->bos;
    c->seed = o->seed;
    c->step = o->step;
    c->n_top = o->n_top;
    return st;
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

status calls_add(calls *cs, const call_order *o, uint64_t now_us, call **out, failure *f) {
    status st = order_check(o, f);
    if (st != STATUS_OK) return st;
    if (cs->n_free == 0)
        return fail(f, STATUS_BUSY, "%d calls are under way already; try again later", CALLS_MAX);
    call *c = calloc(1, sizeof *c);
    if (!c) return fail(f, STATUS_NO_MEMORY, "no memory for another call");
    c->serving = cs->serving;
    st = order_copy(cs, c, o, f);
    if (st != STATUS_OK) {
        cs->n_bytes_held -= c->n_bytes_held;
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
    cs->n_bytes_held -= c->n_bytes_held;
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

void call_send(call *c, modeld *d) {
    assert(c->state == CALL_WAITING && !c->worker);
    c->serving->take(d);
    c->worker = d;
    c->state = CALL_SENT;
}

void call_wait(call *c, uint64_t now_us) {
    worker_leave(c);
    c->state = CALL_WAITING;
    c->deadline_us = now_us + (uint64_t)c->wait_ms * 1000;
}

bool call_lost(call *c, uint64_t now_us) {
    call_wait(c, now_us);
    return ++c->n_losses <= REOPENS_MAX;
}
