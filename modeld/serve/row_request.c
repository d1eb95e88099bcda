#include "row_request.h"

static void ask_for_text(sample_request *r, const text_sequence *text) {
    r->request = text->request;
    r->attempt = text->attempt;
    r->n_prompt = text->n_prompt;
    r->in_shared = text->shared.taken;
    r->shared_index = text->shared.index;
    r->shared_generation = text->shared.generation;
    r->seed = text->seed;
    r->sampler_state = text->sampler_state;
    r->n_sampler_state_bytes = text->n_sampler_state_bytes;
    r->n_candidates = text->n_candidates;
    r->n_watched = text->n_watched;
    r->priority = text->priority;
}

/* The ids that stand before the first row are those up to it; candidates are wanted with the last
 * piece. */
static void ask_for_score(row_request *r, const sequence *q) {
    const score_sequence *score = sequence_score(q);
    r->wire.n_ids = r->wire.n_prompt = score->pages.n_computed - q->rows.n + 1;
    if (score->pages.n_computed == q->n_ids) r->wire.n_candidates = score->n_candidates;
    sequence_given(q, r->given);
    r->wire.given = r->given;
}

static void ask_for_probe(sample_request *r, const probe_sequence *probe) {
    r->seed = probe->seed;
    r->want_probabilities = true;
}

void row_request_make(row_request *r, const sequence *q, uint32_t deadline_ms) {
    r->wire = (sample_request){
        .ticket = q->sending.ticket,
        .step = sequence_step(q),
        .rows = q->rows.logits,
        .n_rows = q->rows.n,
        .row_width = q->rows.width,
        .ids = q->ids,
        .n_ids = q->n_ids,
        .n_prompt = q->n_ids,
        .strategy = sequence_strategy(q),
        .deadline_ms = deadline_ms,
        .traceparent = q->traceparent,
    };
    switch (q->kind) {
    case SEQUENCE_TEXT: ask_for_text(&r->wire, sequence_text(q)); break;
    case SEQUENCE_SCORE: ask_for_score(r, q); break;
    case SEQUENCE_PROBE: ask_for_probe(&r->wire, sequence_probe(q)); break;
    }
}
