#include "service_request.h"

#include "proto/base/limits.h"

static status check_counts(const Trivium__SampleRequest *m, failure *f) {
    if (m->request.len > REQUEST_BYTES) {
        return fail(f, STATUS_BAD_MESSAGE, "a request id has %zu bytes, at most %d are allowed",
                    m->request.len, REQUEST_BYTES);
    }
    if (m->n_rows == 0 || m->n_rows > SAMPLE_ROWS_MAX) {
        return fail(f, STATUS_BAD_MESSAGE, "%u rows in a message, 1 to %d are allowed", m->n_rows,
                    SAMPLE_ROWS_MAX);
    }
    if (m->n_vocab == 0) return fail(f, STATUS_NO_CANDIDATE, "the row is empty");
    if (m->n_vocab > N_VOCAB_MAX) {
        return fail(f, STATUS_TOO_LONG, "a row of %u logits, at most %d are allowed", m->n_vocab,
                    N_VOCAB_MAX);
    }
    if (m->n_ids > N_CTX_MAX || m->n_prompt > m->n_ids) {
        return fail(f, STATUS_BAD_MESSAGE, "%u ids of which %u are prompt, at most %d are allowed",
                    m->n_ids, m->n_prompt, N_CTX_MAX);
    }
    uint32_t n_wanted = m->n_candidates > m->n_watched ? m->n_candidates : m->n_watched;
    if (n_wanted > CANDIDATES_MAX) {
        return fail(f, STATUS_BAD_REQUEST, "%u candidates are wanted, at most %d are given",
                    n_wanted, CANDIDATES_MAX);
    }
    return STATUS_OK;
}

static status check_fields(const Trivium__SampleRequest *m, failure *f) {
    if (m->seed >= SEED_MAX) {
        return fail(f, STATUS_BAD_REQUEST, "a seed must be below 2^53, not %llu",
                    (unsigned long long)m->seed);
    }
    if (m->step > UINT32_MAX - m->n_rows) {
        return fail(f, STATUS_BAD_REQUEST, "step %u is out of range", m->step);
    }
    if (m->n_given != 0 && m->n_given != m->n_rows) {
        return fail(f, STATUS_BAD_MESSAGE, "%zu ids are given for %u rows", m->n_given, m->n_rows);
    }
    if (m->want_probabilities && m->n_rows != 1) {
        return fail(f, STATUS_BAD_REQUEST, "probabilities are given for one row, not for %u",
                    m->n_rows);
    }
    return STATUS_OK;
}

static status check_ids(const int32_t *ids, size_t n_ids, int32_t lowest, uint32_t n_vocab,
                        failure *f) {
    for (size_t i = 0; i < n_ids; i++) {
        if (ids[i] >= lowest && (ids[i] < 0 || (uint32_t)ids[i] < n_vocab)) continue;
        return fail(f, STATUS_BAD_ID, "id %d is outside the vocabulary, which has %u ids", ids[i],
                    n_vocab);
    }
    return STATUS_OK;
}

static status find_sent_rows(request *q, const wire_message *m, failure *f) {
    q->rows = wire_array(m, 0, (size_t)q->n_rows * q->n_vocab, sizeof *q->rows);
    if (q->rows) return STATUS_OK;
    return fail(f, STATUS_BAD_MESSAGE, "the rows frame does not hold %u rows of %u logits",
                q->n_rows, q->n_vocab);
}

static status fail_overwritten(failure *f) {
    return fail(f, STATUS_TIMEOUT, "the shared row was written anew: this step is over");
}

static status find_shared_row(request *q, const shared_view *view, failure *f) {
    if (!view || q->n_rows != 1 || q->n_vocab != shared_view_n_vocab(view)) {
        return fail(f, STATUS_BAD_MESSAGE, "%u rows of %u logits are not in memory shared with us",
                    q->n_rows, q->n_vocab);
    }
    const Trivium__SharedRow *shared = q->message->shared;
    q->rows = shared_view_row(view, shared->index, shared->generation);
    return q->rows ? STATUS_OK : fail_overwritten(f);
}

status request_from_wire(request *q, const shared_view *view, const wire_message *m,
                         const Trivium__SampleRequest *sample, failure *f) {
    *q = (request){.message = sample};
    status st = check_counts(sample, f);
    if (st == STATUS_OK) st = check_fields(sample, f);
    if (st != STATUS_OK) return st;
    q->n_rows = sample->n_rows;
    q->n_vocab = sample->n_vocab;
    q->n_ids = sample->n_ids;
    st = sample->shared ? find_shared_row(q, view, f) : find_sent_rows(q, m, f);
    if (st != STATUS_OK) return st;
    bool no_ids = q->n_ids == 0 && m->n_raw < 2;
    q->ids = no_ids ? NULL : wire_array(m, 1, q->n_ids, sizeof *q->ids);
    if (!q->ids && !no_ids) {
        return fail(f, STATUS_BAD_MESSAGE, "the ids frame does not hold %u ids", q->n_ids);
    }
    st = check_ids(q->ids, q->n_ids, 0, q->n_vocab, f);
    if (st == STATUS_OK) st = check_ids(sample->given, sample->n_given, GIVEN_NONE, q->n_vocab, f);
    return st;
}

status request_recheck(const request *q, const shared_view *view, failure *f) {
    const Trivium__SharedRow *shared = q->message->shared;
    if (!q->rows || !shared) return STATUS_OK;
    bool holds = shared_view_holds(view, shared->index, shared->generation);
    return holds ? STATUS_OK : fail_overwritten(f);
}
