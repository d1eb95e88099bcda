#include "job.h"

#include <assert.h>
#include <string.h>

#include "proto/base/carried/traceparent.h"
#include "proto/base/text.h"

uint64_t job_call(const job *j) {
    assert(j->kind != SEQUENCE_TEXT);
    return j->kind == SEQUENCE_SCORE ? j->score.call : j->probe.call;
}

static status check_ids(const int32_t *ids, size_t n_ids, uint32_t n_vocab, failure *f) {
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= n_vocab)
            return fail(f, STATUS_BAD_ID, "id %d at place %zu lies outside 0 to %u", ids[i], i,
                        n_vocab - 1);
    return STATUS_OK;
}

static status check_text(const job *j, uint32_t n_ctx, failure *f) {
    const text_job *text = &j->text;
    if (text->attempt == 0) return fail(f, STATUS_BAD_REQUEST, "attempts count from 1");
    if (text->n_prompt == 0) return fail(f, STATUS_EMPTY_PROMPT, "the prompt has no tokens");
    if (text->n_prompt > j->n_ids)
        return fail(f, STATUS_BAD_REQUEST, "n_prompt %u is more than the %zu ids", text->n_prompt,
                    j->n_ids);
    if (text->n_prompt >= n_ctx)
        return fail(f, STATUS_TOO_LONG,
                    "the prompt has %u tokens; the context holds %u, new ones included",
                    text->n_prompt, n_ctx);
    if (j->n_ids > n_ctx)
        return fail(f, STATUS_TOO_LONG, "the text has %zu tokens; the context holds %u", j->n_ids,
                    n_ctx);
    if (text->max_new_tokens == 0 || text->max_new_tokens > MAX_NEW_TOKENS_MAX)
        return fail(f, STATUS_BAD_REQUEST, "max_new_tokens is 1 to %d", MAX_NEW_TOKENS_MAX);
    if (text->priority < PRIORITY_MIN || text->priority > PRIORITY_MAX)
        return fail(f, STATUS_BAD_REQUEST, "a priority is %d to %d, not %d", PRIORITY_MIN, PRIORITY_MAX,
                    text->priority);
    if (strlen(text->session) > NAME_BYTES_MAX || strlen(text->semantics) > NAME_BYTES_MAX)
        return fail(f, STATUS_BAD_REQUEST, "a name has at most %d bytes", NAME_BYTES_MAX);
    if (text->n_sampler_state_bytes > STATE_BYTES_MAX)
        return fail(f, STATUS_TOO_LONG, "a sampler's state has at most %d bytes", STATE_BYTES_MAX);
    if (text->n_end_ids > END_IDS_MAX)
        return fail(f, STATUS_TOO_LONG, "a text has at most %d end ids", END_IDS_MAX);
    return STATUS_OK;
}

static status check_score(const job *j, uint32_t n_ctx, failure *f) {
    if (j->n_ids == 0) return fail(f, STATUS_EMPTY_PROMPT, "there are no tokens to score");
    if (j->n_ids > n_ctx)
        return fail(f, STATUS_TOO_LONG, "there are %zu tokens to score; the context holds %u",
                    j->n_ids, n_ctx);
    return STATUS_OK;
}

static status check_probe(const job *j, failure *f) {
    if (j->probe.row_width == 0) return fail(f, STATUS_NO_CANDIDATE, "the row is empty");
    if (j->probe.row_width > N_VOCAB_MAX)
        return fail(f, STATUS_TOO_LONG, "a row has at most %d logits, not %zu", N_VOCAB_MAX,
                    j->probe.row_width);
    if (j->n_ids > N_CTX_MAX)
        return fail(f, STATUS_TOO_LONG, "a history has at most %d ids", N_CTX_MAX);
    return STATUS_OK;
}

static status check_kind(const job *j, uint32_t n_ctx, failure *f) {
    switch (j->kind) {
    case SEQUENCE_TEXT: return check_text(j, n_ctx, f);
    case SEQUENCE_SCORE: return check_score(j, n_ctx, f);
    case SEQUENCE_PROBE: break;
    }
    return check_probe(j, f);
}

static status check_chain(const strategy *chain, uint32_t row_width, failure *f) {
    return chain ? strategy_check_ids(chain, row_width, f) : STATUS_OK;
}

static status check_seed(uint64_t seed, failure *f) {
    if (seed < SEED_MAX) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "a seed lies below 2^53");
}

static status check_candidates(uint32_t n_candidates, failure *f) {
    if (n_candidates <= CANDIDATES_MAX) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "at most %d candidates can be asked for", CANDIDATES_MAX);
}

/* What samplerds are to do with its rows. */
static status check_sampling(const job *j, uint32_t row_width, failure *f) {
    switch (j->kind) {
    case SEQUENCE_TEXT:
        if (check_seed(j->text.seed, f) != STATUS_OK ||
            check_candidates(j->text.n_candidates, f) != STATUS_OK ||
            check_candidates(j->text.n_watched, f) != STATUS_OK)
            return f->code;
        return check_chain(j->text.strategy, row_width, f);
    case SEQUENCE_SCORE: return check_candidates(j->score.n_candidates, f);
    case SEQUENCE_PROBE: break;
    }
    if (check_seed(j->probe.seed, f) != STATUS_OK) return f->code;
    return check_chain(j->probe.strategy, row_width, f);
}

status job_check(const job *j, uint32_t n_vocab, uint32_t n_ctx, failure *f) {
    if (j->owner && !text_is_printable(j->owner, OWNER_BYTES_MAX))
        return fail(f, STATUS_BAD_REQUEST, "an owner has %d bytes of UTF-8 without control characters", OWNER_BYTES_MAX);
    if (check_kind(j, n_ctx, f) != STATUS_OK) return f->code;
    if (strlen(j->pool) > NAME_BYTES_MAX)
        return fail(f, STATUS_BAD_REQUEST, "a pool's name has at most %d bytes", NAME_BYTES_MAX);
    if (j->wait_ms > WAIT_MS_MAX)
        return fail(f, STATUS_BAD_REQUEST, "wait_ms is at most %d", WAIT_MS_MAX);
    if (traceparent_check(j->traceparent, f) != STATUS_OK) return f->code;
    uint32_t row_width = j->kind == SEQUENCE_PROBE ? (uint32_t)j->probe.row_width : n_vocab;
    if (check_sampling(j, row_width, f) != STATUS_OK) return f->code;
    return check_ids(j->ids, j->n_ids, row_width, f);
}
