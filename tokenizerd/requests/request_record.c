/* The record of a text: its ids, with what drew the last of them, and where they end it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/grow.h"
#include "proto/base/text.h"
#include "request.h"

static bool is_end_id(const request *r, int32_t id) {
    for (size_t i = 0; i < r->n_end_ids; i++)
        if (r->end_ids[i] == id) return true;
    return false;
}

uint32_t request_step(const request *r) {
    return (uint32_t)(r->n_ids - r->n_prompt);
}

bool request_has_begun(const request *r) {
    return request_step(r) > 0 || r->n_losses > 0 || r->n_moves > 0;
}

bool request_is_full(const request *r) {
    return request_step(r) >= r->max_new_tokens || r->n_ids >= r->facts.n_ctx;
}

/* What was drawn before goes through the stream again, and nothing of it is shown. In one turn:
 * 131072 ids take some 7 ms, with as many and as long stops as there may be 120 ms, less than a
 * heartbeat. */
static status replay(request *r, failure *f) {
    for (size_t i = r->n_prompt; i < r->n_ids; i++) {
        stream_text past = {0};
        bool at_end = is_end_id(r, r->ids[i]);
        if (!at_end && stream_feed(r->stream, r->ids[i], &past) != STATUS_OK)
            return fail(f, STATUS_NO_MEMORY, "no memory for the text so far");
        if (!at_end && !past.stopped) continue;
        r->n_ids = at_end ? i : i + 1;
        r->over = FINISH_STOP;
    }
    if (r->over == FINISH_NONE && request_is_full(r)) r->over = FINISH_LENGTH;
    return STATUS_OK;
}

static status length_check(size_t n_ids, uint32_t n_ctx, failure *f) {
    if (n_ids < n_ctx) return STATUS_OK;
    return fail(f, STATUS_TOO_LONG,
                "the prompt has %zu tokens, the model's context holds %u, the answer included",
                n_ids, n_ctx);
}

status request_encoded(request *r, const int32_t *ids, size_t n_ids, uint64_t now_us, failure *f) {
    if (r->state != REQUEST_ENCODING) return STATUS_NOT_FOUND;
    if (r->fresh) {
        assert(!r->ids);
        if (n_ids == 0)
            return fail(f, STATUS_EMPTY_PROMPT,
                        "the prompt is empty, and the model puts no BOS before it: give a text to "
                        "go on from");
        status st = length_check(n_ids, r->facts.n_ctx, f);
        if (st == STATUS_OK) st = request_hold(r, n_ids * sizeof *ids, f);
        if (st != STATUS_OK) return st;
        r->ids = malloc(n_ids * sizeof *ids);
        if (!r->ids)
            return fail(f, STATUS_NO_MEMORY, "no memory for a prompt of %zu tokens", n_ids);
        memcpy(r->ids, ids, n_ids * sizeof *ids);
        r->n_ids = r->n_prompt = r->n_ids_room = n_ids;
    } else {
        status st = length_check(r->n_prompt, r->facts.n_ctx, f);
        if (st == STATUS_OK && r->n_ids > r->facts.n_ctx)
            st = fail(f, STATUS_TOO_LONG, "%zu ids came, and the model's context holds %u",
                      r->n_ids, r->facts.n_ctx);
        if (st == STATUS_OK) st = replay(r, f);
        if (st != STATUS_OK) return st;
    }
    request_wait(r, now_us);
    request_transition(r, EVENT_ENCODED);
    return STATUS_OK;
}

/* ---- what is drawn ---- */

static status token_check(const request *r, const request_token *t, failure *f) {
    status st = model_check_ids(&r->facts, &t->id, 1, f);
    if (st != STATUS_OK) return st;
    if (t->sampler_state.n_bytes > STATE_BYTES_MAX ||
        !text_is_printable(t->semantics, NAME_BYTES_MAX))
        return fail(f, STATUS_BAD_MESSAGE,
                    "a modeld of '%s' sent a sampler's state or name past its bound",
                    r->model_name);
    return STATUS_OK;
}

static status token_record(request *r, const request_token *t, failure *f) {
    int32_t *ids = grow(r->ids, &r->n_ids_room, r->n_ids + 1, sizeof *ids);
    if (!ids) return fail(f, STATUS_NO_MEMORY, "no memory for more tokens");
    r->ids = ids;
    r->ids[r->n_ids++] = t->id;
    if (t->sampler_state.n_bytes > 0)
        memcpy(r->sampler_state, t->sampler_state.bytes, t->sampler_state.n_bytes);
    r->sampler_state_bytes = t->sampler_state.n_bytes;
    strcpy(r->semantics, t->semantics);
    return STATUS_OK;
}

static void token_time(request *r, const request_token *t, uint64_t now_us) {
    if (r->first_token_us == 0) r->first_token_us = now_us;
    r->last_token_us = now_us;
    r->notice_us = now_us + NOTICE_MS * 1000;
    r->n_drawn++;
    r->n_losses = r->n_moves = 0;
    if (!r->reopened) r->forward_ms += t->forward_ms;
    r->reopened = false;
    r->sample_ms += t->sample_ms;
}

status request_drawn(request *r, const request_token *t, uint64_t now_us, stream_text *shown,
                     bool *kept, failure *f) {
    *shown = (stream_text){0};
    *kept = false;
    if (t->step != request_step(r) || !request_transition(r, EVENT_TOKEN)) return STATUS_NOT_FOUND;
    status st = token_check(r, t, f);
    if (st != STATUS_OK || is_end_id(r, t->id))
        return st;                  /* after an end id its modeld says Closed, with the figures */
    if (request_is_full(r)) {
        r->over = FINISH_LENGTH;    /* it should have closed */
        return STATUS_OK;
    }
    st = token_record(r, t, f);
    if (st != STATUS_OK) return st;
    token_time(r, t, now_us);
    if (stream_feed(r->stream, t->id, shown) != STATUS_OK)
        return fail(f, STATUS_NO_MEMORY, "no memory for more text");
    *kept = true;
    if (shown->stopped) r->over = FINISH_STOP;
    return STATUS_OK;
}

status request_rest(request *r, stream_text *shown) {
    *shown = (stream_text){0};
    return r->stream ? stream_end(r->stream, shown) : STATUS_OK;
}
