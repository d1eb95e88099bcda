#include "sample_answer.h"

#include <math.h>

#include "proto/net/errors.h"

/* ---- faults ---- */

static bool is_id(int32_t id, uint32_t n_vocab) {
    return id >= 0 && (uint32_t)id < n_vocab;
}

static const char *fault_of_candidates(const Trivium__Drawn *d, uint32_t n_vocab) {
    if (d->n_candidates > CANDIDATES_MAX) return "it gave too many candidates";
    for (size_t i = 0; i < d->n_candidates; i++)
        if (!is_id(d->candidates[i]->id, n_vocab) || isnan(d->candidates[i]->logprob))
            return "a candidate of it makes no sense";
    return NULL;
}

/* `given`: the id to be scored, -1 for none; NULL: an id is drawn. */
static const char *fault_of_row(const Trivium__Drawn *d, uint32_t row_width, const int32_t *given) {
    if (!given && !is_id(d->id, row_width)) return "it drew an id outside the vocabulary";
    if (given && *given >= 0 && d->id != *given) return "it scored another id";
    if ((!given || *given >= 0) && isnan(d->logprob)) return "its log-probability is not a number";
    if (d->state.len > STATE_BYTES_MAX) return "its state is too long";
    return fault_of_candidates(d, row_width);
}

const char *sample_answer_fault(const sample_answer *a, const sample_expected *expected) {
    if (a->reply->n_drawn != expected->n_rows) return "it answered another number of rows";
    for (uint32_t i = 0; i < expected->n_rows; i++) {
        const int32_t *given = expected->given ? &expected->given[i] : NULL;
        const char *fault = fault_of_row(a->reply->drawn[i], expected->row_width, given);
        if (fault) return fault;
    }
    if (expected->with_probabilities && !sample_answer_probabilities(a, expected->row_width))
        return "it left out the probabilities";
    return NULL;
}

bool sample_answer_failed(const sample_answer *a, failure *f) {
    if (!a->reply->error) return false;
    error_from_wire(a->reply->error, "it", f);
    return true;
}

bool sample_trace_is_sound(const Trivium__Glimpse *g, uint32_t n_vocab) {
    const Trivium__Drawn *d = g->drawn;
    return g->request.len == REQUEST_BYTES && d && is_id(d->id, n_vocab) && !isnan(d->logprob) &&
           !fault_of_candidates(d, n_vocab);
}

/* ---- what it says ---- */

uint64_t sample_answer_ticket(const sample_answer *a) {
    return a->reply->ticket;
}

int32_t sample_answer_id(const sample_answer *a) {
    return a->reply->drawn[0]->id;
}

double sample_answer_logprob(const sample_answer *a, uint32_t row) {
    return a->reply->drawn[row]->logprob;
}

const uint8_t *sample_answer_state(const sample_answer *a, size_t *n_bytes) {
    *n_bytes = a->reply->drawn[0]->state.len;
    return a->reply->drawn[0]->state.data;
}

const double *sample_answer_probabilities(const sample_answer *a, uint32_t row_width) {
    return wire_array(a->message, 0, row_width, sizeof(double));
}

double sample_answer_ms(const sample_answer *a) {
    return a->reply->sample_ms > 0 ? a->reply->sample_ms : 0;
}

Trivium__Drawn *sample_answer_first(const sample_answer *a) {
    return a->reply->drawn[0];
}

const Trivium__Drawn *sample_answer_last(const sample_answer *a) {
    return a->reply->drawn[a->reply->n_drawn - 1];
}
