#include "request_order.h"

#include "proto/base/carried/traceparent.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

static status names_check(const request_order *o, failure *f) {
    const char *const names[] = {o->model, o->fingerprint, o->pool, o->session, o->semantics};
    const char *const what[] = {"model", "fingerprint", "pool", "session", "semantics"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!text_is_printable(names[i], NAME_BYTES_MAX))
            return fail(f, STATUS_BAD_REQUEST,
                        "the name of a %s may have %d bytes of UTF-8 without control characters",
                        what[i], NAME_BYTES_MAX);
    return STATUS_OK;
}

static status stops_check(const request_order *o, failure *f) {
    if (o->n_stops > STOPS_MAX || o->n_stop_ids > STOP_IDS_MAX)
        return fail(f, STATUS_BAD_REQUEST, "there may be %d stop strings and %d stop ids",
                    STOPS_MAX, STOP_IDS_MAX);
    for (size_t i = 0; i < o->n_stops; i++) {
        if (o->stops[i].n_bytes == 0 || o->stops[i].n_bytes > STOP_BYTES_MAX)
            return fail(f, STATUS_BAD_REQUEST, "a stop string must have 1 to %d bytes",
                        STOP_BYTES_MAX);
        if (!text_is_utf8(o->stops[i].bytes, o->stops[i].n_bytes))
            return fail(f, STATUS_NOT_UTF8, "a stop string is not valid UTF-8");
    }
    return STATUS_OK;
}

static status ids_check(const request_order *o, failure *f) {
    if (!o->ids) return STATUS_OK;
    if (o->n_prompt == 0) return fail(f, STATUS_EMPTY_PROMPT, "the prompt is empty");
    if (o->n_prompt > o->n_ids)
        return fail(f, STATUS_BAD_REQUEST, "%zu ids came, and %zu of them should be the prompt",
                    o->n_ids, o->n_prompt);
    if (o->n_ids > N_CTX_MAX)
        return fail(f, STATUS_TOO_LONG, "%zu ids came, and no context holds more than %d", o->n_ids,
                    N_CTX_MAX);
    return STATUS_OK;
}

status request_order_check(const request_order *o, failure *f) {
    if (o->attempt == 0) return fail(f, STATUS_BAD_REQUEST, "attempts count from 1");
    if (o->max_new_tokens == 0)
        return fail(f, STATUS_BAD_REQUEST, "max_new_tokens must be at least 1");
    if (o->seed >= SEED_MAX) return fail(f, STATUS_BAD_REQUEST, "a seed must be below 2^53");
    if (o->n_candidates > CANDIDATES_MAX)
        return fail(f, STATUS_BAD_REQUEST, "there may be %d candidates a step, not %u",
                    CANDIDATES_MAX, o->n_candidates);
    if (o->sampler_state.n_bytes > STATE_BYTES_MAX)
        return fail(f, STATUS_TOO_LONG, "a sampler's state may have %d bytes, not %zu",
                    STATE_BYTES_MAX, o->sampler_state.n_bytes);
    if (o->priority < PRIORITY_MIN || o->priority > PRIORITY_MAX)
        return fail(f, STATUS_BAD_REQUEST, "a priority is %d to %d, not %d", PRIORITY_MIN, PRIORITY_MAX, o->priority);
    status st = names_check(o, f);
    if (st == STATUS_OK) st = traceparent_check(o->traceparent, f);
    if (st == STATUS_OK) st = stops_check(o, f);
    if (st == STATUS_OK) st = ids_check(o, f);
    return st;
}

size_t stop_bytes_held(size_t n_bytes) {
    return n_bytes * (2 + sizeof(size_t));
}

size_t request_order_bytes(const request_order *o) {
    size_t n_bytes = o->ids ? o->n_ids * sizeof *o->ids : 0;
    for (size_t i = 0; i < o->n_stops; i++) n_bytes += stop_bytes_held(o->stops[i].n_bytes);
    return n_bytes + strategy_bytes(o->strategy);
}
