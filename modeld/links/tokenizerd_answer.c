#include "tokenizerd_answer.h"

#include "proto/net/errors.h"

static ProtobufCBinaryData wire_request(text_name text) {
    return (ProtobufCBinaryData){REQUEST_BYTES, (uint8_t *)text.request};
}

/* ---- texts ---- */

void tokenizerd_answer_token(tokenizerd_link *to, text_name text, const told_token *token) {
    Trivium__Token wire = TRIVIUM__TOKEN__INIT;
    wire.request = wire_request(text);
    wire.attempt = text.attempt;
    wire.number = text.number;
    wire.step = token->step;
    wire.drawn = token->drawn;
    wire.change = token->change;
    wire.semantics = (char *)token->semantics;
    wire.forward_ms = token->forward_ms;
    wire.sample_ms = token->sample_ms;
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_TOKEN;
    m.token = &wire;
    tokenizerd_link_send(to, &m, NULL, 0);
}

void tokenizerd_answer_queued(tokenizerd_link *to, text_name text, bool over) {
    Trivium__Queued queued = TRIVIUM__QUEUED__INIT;
    queued.request = wire_request(text);
    queued.attempt = text.attempt;
    queued.number = text.number;
    queued.over = over;
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_QUEUED;
    m.queued = &queued;
    tokenizerd_link_send(to, &m, NULL, 0);
}

void tokenizerd_answer_retuned(tokenizerd_link *to, text_name text, uint32_t change, uint32_t first_step) {
    Trivium__Retuned retuned = TRIVIUM__RETUNED__INIT;
    retuned.request = wire_request(text);
    retuned.attempt = text.attempt;
    retuned.number = text.number;
    retuned.change = change;
    retuned.step = first_step;
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_TUNED;
    m.tuned = &retuned;
    tokenizerd_link_send(to, &m, NULL, 0);
}

_Static_assert((int)END_ID == (int)TRIVIUM__CLOSE_REASON__CLOSE_END_ID &&
                   (int)END_LENGTH == (int)TRIVIUM__CLOSE_REASON__CLOSE_LENGTH &&
                   (int)END_ASKED == (int)TRIVIUM__CLOSE_REASON__CLOSE_ASKED &&
                   (int)END_SUPERSEDED == (int)TRIVIUM__CLOSE_REASON__CLOSE_SUPERSEDED &&
                   (int)END_ERROR == (int)TRIVIUM__CLOSE_REASON__CLOSE_ERROR,
               "the ends of a sequence have the wire's numbers");

void tokenizerd_answer_closed(tokenizerd_link *to, text_name text, const told_end *end) {
    Trivium__Error error;
    Trivium__Closed closed = TRIVIUM__CLOSED__INIT;
    closed.request = wire_request(text);
    closed.attempt = text.attempt;
    closed.number = text.number;
    closed.reason = (Trivium__CloseReason)end->why;
    if (end->why == END_ERROR) {
        error = error_to_wire(end->failure);
        closed.error = &error;
    }
    closed.queue_ms = end->queue_ms;
    closed.prefill_ms = end->prefill_ms;
    closed.n_cached = end->n_cached;
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_CLOSED;
    m.closed = &closed;
    tokenizerd_link_send(to, &m, NULL, 0);
}

/* ---- calls ---- */

void tokenizerd_answer_scored(tokenizerd_link *to, uint64_t call, const double *logprobs, size_t n_ids,
                              const Trivium__Drawn *last) {
    Trivium__ScoredIds scored = TRIVIUM__SCORED_IDS__INIT;
    scored.call = call;
    scored.n_top = last->n_candidates;
    scored.top = last->candidates;
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_SCORED;
    m.scored = &scored;
    tokenizerd_link_send(to, &m, &(wire_raw){logprobs, n_ids * sizeof *logprobs}, 1);
}

void tokenizerd_answer_probed(tokenizerd_link *to, uint64_t call, int32_t id, const double *probabilities,
                              size_t row_width) {
    Trivium__ProbedRow probed = TRIVIUM__PROBED_ROW__INIT;
    probed.call = call;
    probed.id = id;
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_PROBED;
    m.probed = &probed;
    tokenizerd_link_send(to, &m, &(wire_raw){probabilities, row_width * sizeof *probabilities}, 1);
}

void tokenizerd_answer_failed(tokenizerd_link *to, uint64_t call, const failure *f) {
    Trivium__Error error = error_to_wire(f);
    Trivium__CallFailed failed = TRIVIUM__CALL_FAILED__INIT;
    failed.call = call;
    failed.error = &error;
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_FAILED;
    m.failed = &failed;
    tokenizerd_link_send(to, &m, NULL, 0);
}

void tokenizerd_answer_drained(tokenizerd_link *to, uint64_t call, uint32_t n_texts, uint32_t n_left) {
    Trivium__WorkerDrained drained = TRIVIUM__WORKER_DRAINED__INIT;
    drained.call = call;
    drained.n_texts = n_texts;
    drained.n_left = n_left;
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_DRAINED;
    m.drained = &drained;
    tokenizerd_link_send(to, &m, NULL, 0);
}

/* ---- watching ---- */

void tokenizerd_answer_trace(tokenizerd_link *to, Trivium__Glimpse *g) {
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_GLIMPSE;
    m.glimpse = g;
    tokenizerd_link_offer(to, &m);
}
