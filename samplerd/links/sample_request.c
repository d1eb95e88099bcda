#include "sample_request.h"

#include "proto/base/limits.h"

/* Whoever watches shares a row's candidates with whoever asked, each gets as many as it wants: to find
 * them takes far less than to do the step again. */
static uint32_t candidates_wanted(const Trivium__SampleRequest *m) {
    return m->n_candidates > m->n_watched ? m->n_candidates : m->n_watched;
}

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
    uint32_t n_wanted = candidates_wanted(m);
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
    if (m->n_shared != 0 && m->n_shared != m->n_rows) {
        return fail(f, STATUS_BAD_MESSAGE, "%zu shared rows are named for %u rows", m->n_shared, m->n_rows);
    }
    if (m->want_probabilities && m->n_rows != 1) {
        return fail(f, STATUS_BAD_REQUEST, "probabilities are given for one row, not for %u",
                    m->n_rows);
    }
    return STATUS_OK;
}

/* They stand for what is drawn: for neither ids that are given nor a whole distribution. */
static status check_drafts(const Trivium__SampleRequest *m, failure *f) {
    uint32_t n_wanted = candidates_wanted(m);
    if (m->n_drafts == 0) return STATUS_OK;
    if (m->n_drafts + 1 != m->n_rows) {
        return fail(f, STATUS_BAD_MESSAGE, "%zu drafts come with %u rows; they need one row more than there are drafts",
                    m->n_drafts, m->n_rows);
    }
    if (m->n_given != 0) {
        return fail(f, STATUS_BAD_REQUEST, "drafts are for rows that are drawn from, not for given ids");
    }
    if (m->want_probabilities) {
        return fail(f, STATUS_BAD_REQUEST, "drafts are for rows that are drawn from, not for probabilities");
    }
    if (n_wanted * m->n_rows > CANDIDATES_MAX) {
        return fail(f, STATUS_BAD_REQUEST, "%u candidates of each of %u rows are wanted, at most %d are given in all",
                    n_wanted, m->n_rows, CANDIDATES_MAX);
    }
    return STATUS_OK;
}

/* Where the first id outside lowest … n_vocab-1 stands; n_ids: none is. A text may have very many, so they are looked at
 * in runs of a fixed length, of which the compiler makes vectors. */
static size_t find_outside(const int32_t *ids, size_t n_ids, int32_t lowest, int32_t n_vocab) {
    enum { RUN = 64 };
    size_t i = 0;
    for (; n_ids - i >= RUN; i += RUN) {
        int n_outside = 0;
        for (size_t k = 0; k < RUN; k++) n_outside += (ids[i + k] < lowest) | (ids[i + k] >= n_vocab);
        if (n_outside > 0) break;
    }
    while (i < n_ids && ids[i] >= lowest && ids[i] < n_vocab) i++;
    return i;
}

/* `what`: what each of them is called. */
static status check_ids(const char *what, const int32_t *ids, size_t n_ids, int32_t lowest,
                        uint32_t n_vocab, failure *f) {
    size_t outside = find_outside(ids, n_ids, lowest, (int32_t)n_vocab);
    if (outside == n_ids) return STATUS_OK;
    return fail(f, STATUS_BAD_ID, "%s %d is outside the vocabulary, which has %u ids", what, ids[outside],
                n_vocab);
}

static status find_sent_rows(sample_rows *rows, const wire_message *m, failure *f) {
    const float *logits = wire_array(m, 0, (size_t)rows->n_rows * rows->n_vocab, sizeof *logits);
    if (!logits) {
        return fail(f, STATUS_BAD_MESSAGE, "the rows frame does not hold %u rows of %u logits",
                    rows->n_rows, rows->n_vocab);
    }
    for (uint32_t at = 0; at < rows->n_rows; at++) rows->logits[at] = logits + (size_t)at * rows->n_vocab;
    return STATUS_OK;
}

static status fail_overwritten(failure *f) {
    return fail(f, STATUS_TIMEOUT, "a shared row was written anew: this step is over");
}

/* As many as rows. */
static status find_shared_rows(sample_rows *rows, const shared_view *view, Trivium__SharedRow *const *shared,
                               failure *f) {
    if (!view || rows->n_vocab != shared_view_n_vocab(view)) {
        return fail(f, STATUS_BAD_MESSAGE, "%u rows of %u logits are not in memory shared with us",
                    rows->n_rows, rows->n_vocab);
    }
    for (uint32_t at = 0; at < rows->n_rows; at++) {
        rows->logits[at] = shared_view_row(view, shared[at]->index, shared[at]->generation);
        if (!rows->logits[at]) return fail_overwritten(f);
    }
    return STATUS_OK;
}

/* What is drawn from it is all that a cut row can tell. */
static status find_cut_row(sample_rows *rows, const wire_message *m, const Trivium__SampleRequest *request, failure *f) {
    const Trivium__CutRow *cut = request->cut;
    if (rows->n_rows != 1 || rows->given || rows->n_candidates > 0 || rows->want_probabilities || request->n_shared > 0) {
        return fail(f, STATUS_BAD_REQUEST, "a cut row is one that an id is drawn from, and nothing else is wanted of");
    }
    if (cut->n_left == 0 || cut->n_left > rows->n_vocab) {
        return fail(f, STATUS_BAD_MESSAGE, "a cut row of %u logits cannot have %u left", rows->n_vocab, cut->n_left);
    }
    const void *left = wire_array(m, 0, cut->n_left, CUT_ROW_BYTES);
    if (!left) {
        return fail(f, STATUS_BAD_MESSAGE, "the rows frame does not hold what is left of a cut row, %u times %d bytes",
                    cut->n_left, CUT_ROW_BYTES);
    }
    rows->cut = (cut_row){.n_stages = cut->n_stages, .n_left = cut->n_left, .raw_max = cut->raw_max,
                          .raw_total = cut->raw_total};
    cut_row_point(&rows->cut, left);
    return cut_row_check(&rows->cut, rows->n_vocab, f);
}

/* Whose log-probabilities are all that is told. */
static status find_scored_rows(sample_rows *rows, const wire_message *m, const Trivium__SampleRequest *request, failure *f) {
    if (!rows->given || rows->n_candidates > 0 || rows->want_probabilities || request->n_shared > 0 || request->cut) {
        return fail(f, STATUS_BAD_REQUEST, "scored rows are those of given ids, and nothing else is wanted of them");
    }
    rows->scored = wire_array(m, 0, rows->n_rows, sizeof *rows->scored);
    if (!rows->scored) {
        return fail(f, STATUS_BAD_MESSAGE, "the rows frame does not hold %u scored rows of %zu bytes", rows->n_rows,
                    sizeof *rows->scored);
    }
    status st = STATUS_OK;
    for (uint32_t at = 0; st == STATUS_OK && at < rows->n_rows; at++) st = scored_row_check(&rows->scored[at], rows->n_vocab, f);
    return st;
}

static status find_rows(sample_rows *rows, const shared_view *view, const wire_message *m,
                        const Trivium__SampleRequest *request, failure *f) {
    if (request->scored) return find_scored_rows(rows, m, request, f);
    if (request->cut) return find_cut_row(rows, m, request, f);
    if (request->n_shared > 0) return find_shared_rows(rows, view, request->shared, f);
    return find_sent_rows(rows, m, f);
}

static status find_ids(sample_rows *rows, const wire_message *m, failure *f) {
    if (rows->n_ids == 0 && m->n_raw < 2) return STATUS_OK;
    rows->ids = wire_array(m, 1, rows->n_ids, sizeof *rows->ids);
    if (rows->ids) return STATUS_OK;
    return fail(f, STATUS_BAD_MESSAGE, "the ids frame does not hold %u ids", rows->n_ids);
}

status sample_request_read(sample_rows *rows, const shared_view *view, const wire_message *m,
                           const Trivium__SampleRequest *request, failure *f) {
    *rows = (sample_rows){.n_rows = 0};
    status st = check_counts(request, f);
    if (st == STATUS_OK) st = check_drafts(request, f);
    if (st == STATUS_OK) st = check_fields(request, f);
    if (st != STATUS_OK) return st;
    *rows = (sample_rows){
        .n_rows = request->n_rows, .n_vocab = request->n_vocab, .n_ids = request->n_ids,
        .given = request->n_given > 0 ? request->given : NULL,
        .drafts = request->n_drafts > 0 ? request->drafts : NULL,
        .seed = request->seed, .step = request->step,
        .state = request->state.data, .n_state_bytes = request->state.len,
        .n_candidates = candidates_wanted(request),
        .want_probabilities = request->want_probabilities,
    };
    st = find_rows(rows, view, m, request, f);
    if (st != STATUS_OK) rows->n_rows = 0;
    if (st == STATUS_OK) st = find_ids(rows, m, f);
    if (st == STATUS_OK) st = check_ids("id", rows->ids, rows->n_ids, 0, rows->n_vocab, f);
    if (st == STATUS_OK) st = check_ids("draft", request->drafts, request->n_drafts, 0, rows->n_vocab, f);
    if (st == STATUS_OK) st = check_ids("id", request->given, request->n_given, GIVEN_NONE, rows->n_vocab, f);
    return st;
}

status sample_request_recheck(const sample_rows *rows, const shared_view *view,
                              const Trivium__SampleRequest *request, failure *f) {
    if (request->n_shared == 0) return STATUS_OK;
    for (uint32_t at = 0; at < rows->n_rows; at++) {
        const Trivium__SharedRow *shared = request->shared[at];
        if (!shared_view_holds(view, shared->index, shared->generation)) return fail_overwritten(f);
    }
    return STATUS_OK;
}
