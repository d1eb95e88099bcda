#include "job_wire.h"

bool job_from_open(job *out, const Trivium__Open *m, const wire_message *message) {
    *out = (job){
        .kind = SEQUENCE_TEXT,
        .owner = m->owner,
        .pool = m->pool,
        .wait_ms = m->wait_ms,
        .traceparent = m->traceparent,
        .text.request = m->request.data,
        .text.attempt = m->attempt,
        .text.number = m->number,
        .text.n_prompt = m->n_prompt,
        .text.session = m->session,
        .text.semantics = m->semantics,
        .text.change = m->change,
        .text.seed = m->seed,
        .text.sampler_state = m->state.data,
        .text.n_sampler_state_bytes = m->state.len,
        .text.end_ids = m->end_ids,
        .text.n_end_ids = m->n_end_ids,
        .text.no_cache = m->no_cache,
        .text.priority = m->priority,
        .text.max_new_tokens = m->max_new_tokens,
        .text.n_candidates = m->n_candidates,
        .text.n_watched = m->n_watched,
    };
    out->ids = wire_items(message, 0, sizeof *out->ids, &out->n_ids);
    return m->request.len == REQUEST_BYTES && out->ids && message->n_raw == 1;
}

bool job_from_score(job *out, const Trivium__ScoreIds *m, const wire_message *message) {
    *out = (job){
        .kind = SEQUENCE_SCORE,
        .owner = m->owner,
        .pool = m->pool,
        .wait_ms = m->wait_ms,
        .traceparent = m->traceparent,
        .score.call = m->call,
        .score.n_candidates = m->n_top,
    };
    out->ids = wire_items(message, 0, sizeof *out->ids, &out->n_ids);
    return out->ids && message->n_raw == 1;
}

bool job_from_probe(job *out, const Trivium__ProbeRow *m, const wire_message *message) {
    *out = (job){
        .kind = SEQUENCE_PROBE,
        .owner = m->owner,
        .pool = m->pool,
        .wait_ms = m->wait_ms,
        .traceparent = m->traceparent,
        .probe.call = m->call,
        .probe.step = m->step,
        .probe.seed = m->seed,
    };
    out->probe.row = wire_items(message, 0, sizeof *out->probe.row, &out->probe.row_width);
    out->ids = wire_items(message, 1, sizeof *out->ids, &out->n_ids);
    return out->probe.row && out->ids;
}
