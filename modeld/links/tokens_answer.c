/* What tokenizerds are told. */
#include "proto/base/log.h"
#include "service_parts.h"

status reply_send(front *to, Trivium__TokensReply *m, const wire_raw *raw, size_t n_raw) {
    if (!to->peer) return STATUS_NOT_FOUND;
    status st = peers_send(to->peers, to->peer, &m->base, raw, n_raw);
    if (st != STATUS_OK && st != STATUS_BUSY) { /* BUSY: it is cut already */
        log_event(LOG_ERROR, "unsent", "tokenizerd=\"%s\" why=%s", peer_name(to->peer),
                  status_name(st));
        peers_cut(to->peers, to->peer, "a message to it was lost");
    }
    return st;
}

static void send_closed(front *to, Trivium__Closed *closed, sequence_end end, const failure *f) {
    Trivium__Error error;
    closed->reason = (Trivium__CloseReason)end;
    if (end == END_ERROR) {
        error = error_to_wire(f);
        closed->error = &error;
    }
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_CLOSED;
    m.closed = closed;
    reply_send(to, &m, NULL, 0);
}

_Static_assert((int)END_ID == (int)TRIVIUM__CLOSE_REASON__CLOSE_END_ID &&
                   (int)END_LENGTH == (int)TRIVIUM__CLOSE_REASON__CLOSE_LENGTH &&
                   (int)END_ASKED == (int)TRIVIUM__CLOSE_REASON__CLOSE_ASKED &&
                   (int)END_SUPERSEDED == (int)TRIVIUM__CLOSE_REASON__CLOSE_SUPERSEDED &&
                   (int)END_ERROR == (int)TRIVIUM__CLOSE_REASON__CLOSE_ERROR,
               "the ends of a sequence have the wire's numbers");

void reply_refused_text(front *to, const uint8_t *request, uint32_t attempt, sequence_end end,
                        const failure *f) {
    Trivium__Closed closed = TRIVIUM__CLOSED__INIT;
    closed.request = (ProtobufCBinaryData){REQUEST_BYTES, (uint8_t *)request};
    closed.attempt = attempt;
    send_closed(to, &closed, end, f);
}

void reply_refused_call(front *to, uint64_t call, const failure *f) {
    Trivium__Error error = error_to_wire(f);
    Trivium__CallFailed failed = TRIVIUM__CALL_FAILED__INIT;
    failed.call = call;
    failed.error = &error;
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_FAILED;
    m.failed = &failed;
    reply_send(to, &m, NULL, 0);
}

/* Its pages and its sampler's room are free for others now. */
static void forget(service *s, sequence *q) {
    sequences_close(s->sequences, q);
    service_wake(s);
}

void reply_end(service *s, sequence *q, sequence_end end, const failure *f) {
    if (q->kind == SEQUENCE_TEXT) {
        Trivium__Closed closed = TRIVIUM__CLOSED__INIT;
        text_sequence *text = sequence_text(q);
        closed.request = (ProtobufCBinaryData){REQUEST_BYTES, text->request};
        closed.attempt = text->attempt;
        closed.queue_ms = text->timing.queue_ms;
        closed.prefill_ms = text->timing.prefill_ms;
        closed.n_cached = text->pages.n_cached;
        send_closed(q->owner, &closed, end, f);
    } else {
        reply_refused_call(q->owner, sequence_call(q), f);
    }
    forget(s, q);
}

void reply_token(service *s, sequence *q, const Trivium__SampleReply *r, const char *semantics) {
    Trivium__Token token = TRIVIUM__TOKEN__INIT;
    text_sequence *text = sequence_text(q);
    token.request = (ProtobufCBinaryData){REQUEST_BYTES, text->request};
    token.attempt = text->attempt;
    token.step = sequence_step(q);
    token.drawn = r->drawn[0];
    token.change = text->chain.change;
    token.semantics = (char *)semantics;
    token.forward_ms = text->timing.forward_ms;
    token.sample_ms = r->sample_ms > 0 ? r->sample_ms : 0;
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_TOKEN;
    m.token = &token;
    reply_send(q->owner, &m, NULL, 0);
    s->report.n_drawn++;
}

void reply_glimpse(front *to, Trivium__Glimpse *g) {
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_GLIMPSE;
    m.glimpse = g;
    if (to->peer) peers_offer(to->peers, to->peer, &m.base);
}

void reply_retuned(sequence *q, uint32_t change, uint32_t step_from) {
    Trivium__Retuned retuned = TRIVIUM__RETUNED__INIT;
    retuned.request = (ProtobufCBinaryData){REQUEST_BYTES, sequence_text(q)->request};
    retuned.attempt = sequence_text(q)->attempt;
    retuned.change = change;
    retuned.step = step_from;
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_TUNED;
    m.tuned = &retuned;
    reply_send(q->owner, &m, NULL, 0);
}

void reply_scored(service *s, sequence *q, const Trivium__SampleReply *last) {
    const Trivium__Drawn *row = last->drawn[last->n_drawn - 1];
    Trivium__ScoredIds scored = TRIVIUM__SCORED_IDS__INIT;
    scored.call = sequence_call(q);
    scored.n_top = row->n_candidates;
    scored.top = row->candidates;
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_SCORED;
    m.scored = &scored;
    reply_send(q->owner, &m, &(wire_raw){sequence_score(q)->logprobs, q->n_ids * sizeof(double)}, 1);
    forget(s, q);
}

void reply_probed(service *s, sequence *q, int32_t id, const double *probabilities) {
    Trivium__ProbedRow probed = TRIVIUM__PROBED_ROW__INIT;
    probed.call = sequence_call(q);
    probed.id = id;
    Trivium__TokensReply m = TRIVIUM__TOKENS_REPLY__INIT;
    m.body_case = TRIVIUM__TOKENS_REPLY__BODY_PROBED;
    m.probed = &probed;
    reply_send(q->owner, &m, &(wire_raw){probabilities, q->rows.width * sizeof *probabilities}, 1);
    forget(s, q);
}
