/* Answers to calls: from the wire to plain structs. */
#include <stdlib.h>
#include <string.h>

#include "private.h"
#include "proto/chain/strategy_wire.h"

/* What an answer needs while its handler runs; all owned. */
typedef struct incoming {
    answer a;
    candidate *candidates;
    strategy chain;
    strategy *chains;           /* [n_requests] */
    request_report *requests;
    daemon_report *daemons;
    model_summary *models;
    status_report report;
    const char **stops;         /* [n_stops], each owned */
} incoming;

static void incoming_clear(incoming *in) {
    for (size_t i = 0; in->chains && i < in->a.n_requests; i++) strategy_clear(&in->chains[i]);
    free(in->chains);
    free(in->candidates);
    free(in->requests);
    free(in->daemons);
    free(in->models);
    for (size_t i = 0; i < in->a.n_stops; i++) free((char *)in->stops[i]);
    free(in->stops);
    strategy_clear(&in->chain);
}

static status unreadable(failure *f) {
    return fail(f, STATUS_BAD_MESSAGE, "the answer of tokenizerd does not fit the question");
}

static status no_memory(failure *f) {
    return fail(f, STATUS_NO_MEMORY, "no memory for the answer");
}

static status take_tokenized(incoming *in, const wire_message *m, failure *f) {
    in->a.ids = wire_items(m, 0, sizeof *in->a.ids, &in->a.n_ids);
    return in->a.ids ? STATUS_OK : unreadable(f);
}

static form_origin origin_from_wire(Trivium__TemplateOrigin origin) {
    switch (origin) {
    case TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_ASKED: return FORM_ASKED;
    case TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_OWN: return FORM_OWN;
    case TRIVIUM__TEMPLATE_ORIGIN__TEMPLATE_UNKNOWN: return FORM_IN_PLACE;
    default: return FORM_BY_DEFAULT;
    }
}

static status take_rendered(incoming *in, const wire_message *m, const Trivium__Rendered *rendered,
                            failure *f) {
    in->a.ids = wire_items(m, 0, sizeof *in->a.ids, &in->a.n_ids);
    if (!in->a.ids || rendered->n_stops > STOPS_MAX) return unreadable(f);
    in->a.form = rendered->template_;
    in->a.origin = origin_from_wire(rendered->origin);
    in->a.n_dropped = rendered->n_dropped;
    in->a.n_cut = rendered->n_cut;
    in->a.n_vocab = rendered->n_vocab;
    in->a.model = rendered->model;
    in->a.stops = in->stops = calloc(rendered->n_stops + 1, sizeof *in->stops);
    if (!in->stops) return no_memory(f);
    for (size_t i = 0; i < rendered->n_stops; i++) {
        const ProtobufCBinaryData *stop = &rendered->stops[i];
        in->stops[i] = strndup((const char *)stop->data, stop->len);
        if (!in->stops[i]) return no_memory(f);
        in->a.n_stops++;
    }
    return STATUS_OK;
}

static status take_scored(incoming *in, const wire_message *m, const Trivium__Scored *scored,
                          failure *f) {
    in->a.ids = wire_items(m, 0, sizeof *in->a.ids, &in->a.n_ids);
    in->a.numbers = in->a.ids ? wire_array(m, 1, in->a.n_ids, sizeof *in->a.numbers) : NULL;
    if (!in->a.numbers) return unreadable(f);
    in->a.n_numbers = in->a.n_ids;
    in->candidates = candidates_from_wire(scored->top, scored->n_top);
    if (scored->n_top > 0 && !in->candidates) return no_memory(f);
    in->a.candidates = in->candidates;
    in->a.n_candidates = scored->n_top;
    return STATUS_OK;
}

static status take_probed(incoming *in, const wire_message *m, const call *asked,
                          const Trivium__Probed *probed, failure *f) {
    in->a.numbers = wire_array(m, 0, asked->n_logits, sizeof *in->a.numbers);
    if (!in->a.numbers || probed->id < 0 || (size_t)probed->id >= asked->n_logits)
        return unreadable(f);
    in->a.n_numbers = asked->n_logits;
    in->a.id = probed->id;
    return STATUS_OK;
}

static status take_tuned(incoming *in, const Trivium__Tuned *tuned, failure *f) {
    if (!tuned->change) return unreadable(f);
    in->a.step = tuned->change->step;
    in->a.chain = &in->chain;
    return strategy_from_wire(&in->chain, tuned->change->strategy, f);
}

static status take_listed(incoming *in, const Trivium__Listed *listed, failure *f) {
    size_t n = listed->n_requests;
    in->requests = calloc(n + 1, sizeof *in->requests);
    in->chains = calloc(n + 1, sizeof *in->chains);
    if (!in->requests || !in->chains) return no_memory(f);
    in->a.requests = in->requests;
    for (size_t i = 0; i < n; i++) {
        const Trivium__RequestReport *wire = listed->requests[i];
        in->a.n_requests = i + 1;
        if (wire->request.len != REQUEST_BYTES) return unreadable(f);
        status st = strategy_from_wire(&in->chains[i], wire->strategy, f);
        if (st != STATUS_OK) return st;
        in->requests[i] = (request_report){
            .attempt = wire->attempt,
            .session = wire->session,
            .model = wire->model,
            .state = wire->state,
            .n_prompt = wire->n_prompt,
            .step = wire->step,
            .tokens_per_s = wire->tokens_per_s,
            .age_s = (double)wire->age_ms / 1000,
            .chain = &in->chains[i],
        };
        memcpy(in->requests[i].request, wire->request.data, REQUEST_BYTES);
    }
    return STATUS_OK;
}

static const char *role_name(Trivium__Role role) {
    switch (role) {
    case TRIVIUM__ROLE__TOKENIZERD: return "tokenizerd";
    case TRIVIUM__ROLE__MODELD: return "modeld";
    case TRIVIUM__ROLE__SAMPLERD: return "samplerd";
    default: return "client";
    }
}

static model_summary model_from_wire(const Trivium__ModelSummary *wire) {
    static const Trivium__ModelReport nothing = TRIVIUM__MODEL_REPORT__INIT;
    const Trivium__ModelReport *report = wire->report ? wire->report : &nothing;
    return (model_summary){
        .name = wire->name,
        .fingerprint = wire->fingerprint,
        .loads = wire->loads,
        .n_vocab = wire->n_vocab,
        .n_ctx = wire->n_ctx,
        .sequences = report->sequences,
        .waiting = report->waiting,
        .kv_pages_used = report->kv_pages_used,
        .kv_pages = report->kv_pages,
        .kv_page_tokens = report->kv_page_tokens,
        .tokens_per_s = report->tokens_per_s,
    };
}

static status take_status(incoming *in, const Trivium__StatusReport *wire, failure *f) {
    in->daemons = calloc(wire->n_daemons + 1, sizeof *in->daemons);
    in->models = calloc(wire->n_models + 1, sizeof *in->models);
    if (!in->daemons || !in->models) return no_memory(f);
    for (size_t i = 0; i < wire->n_daemons; i++) {
        const Trivium__DaemonReport *d = wire->daemons[i];
        in->daemons[i] = (daemon_report){
            .role = role_name(d->role),
            .name = d->name,
            .host = d->host,
            .state = d->state,
            .pid = d->pid,
            .uptime_s = (double)d->uptime_ms / 1000,
            .model = d->model,
            .pool = d->pool,
            .semantics = d->semantics,
            .outstanding = d->outstanding,
            .steps = d->steps,
        };
    }
    for (size_t i = 0; i < wire->n_models; i++) in->models[i] = model_from_wire(wire->models[i]);
    in->report = (status_report){
        .daemons = in->daemons, .n_daemons = wire->n_daemons, .models = in->models,
        .n_models = wire->n_models, .default_model = wire->default_model,
        .requests = wire->requests, .clients = wire->clients, .garbage = wire->garbage,
    };
    in->a.report = &in->report;
    return STATUS_OK;
}

uint64_t answer_number(const Trivium__TextReply *reply) {
    switch (reply->body_case) {
    case TRIVIUM__TEXT_REPLY__BODY_TUNED: return reply->tuned->call;
    case TRIVIUM__TEXT_REPLY__BODY_TOKENIZED: return reply->tokenized->call;
    case TRIVIUM__TEXT_REPLY__BODY_DETOKENIZED: return reply->detokenized->call;
    case TRIVIUM__TEXT_REPLY__BODY_RENDERED: return reply->rendered->call;
    case TRIVIUM__TEXT_REPLY__BODY_SCORED: return reply->scored->call;
    case TRIVIUM__TEXT_REPLY__BODY_PROBED: return reply->probed->call;
    case TRIVIUM__TEXT_REPLY__BODY_LISTED: return reply->listed->call;
    case TRIVIUM__TEXT_REPLY__BODY_STATUS: return reply->status->call;
    case TRIVIUM__TEXT_REPLY__BODY_FAILED: return reply->failed->call;
    case TRIVIUM__TEXT_REPLY__BODY_CANCELLED: return reply->cancelled->call;
    case TRIVIUM__TEXT_REPLY__BODY_WATCHED: return reply->watched->call;
    default: return 0;
    }
}

static const Trivium__TextReply__BodyCase answer_bodies[] = {
    [CALL_TOKENIZE] = TRIVIUM__TEXT_REPLY__BODY_TOKENIZED,
    [CALL_DETOKENIZE] = TRIVIUM__TEXT_REPLY__BODY_DETOKENIZED,
    [CALL_RENDER] = TRIVIUM__TEXT_REPLY__BODY_RENDERED,
    [CALL_SCORE] = TRIVIUM__TEXT_REPLY__BODY_SCORED,
    [CALL_PROBE] = TRIVIUM__TEXT_REPLY__BODY_PROBED,
    [CALL_LIST] = TRIVIUM__TEXT_REPLY__BODY_LISTED,
    [CALL_STATUS] = TRIVIUM__TEXT_REPLY__BODY_STATUS,
    [CALL_CANCEL] = TRIVIUM__TEXT_REPLY__BODY_CANCELLED,
    [CALL_TUNE] = TRIVIUM__TEXT_REPLY__BODY_TUNED,
};

static status take_body(incoming *in, const wire_message *m, const call *asked,
                        const Trivium__TextReply *reply, failure *f) {
    if (reply->body_case == TRIVIUM__TEXT_REPLY__BODY_FAILED)
        return error_from_wire(reply->failed->error, "tokenizerd", f);
    if (reply->body_case != answer_bodies[asked->kind]) return unreadable(f);
    switch (asked->kind) {
    case CALL_TOKENIZE: return take_tokenized(in, m, f);
    case CALL_RENDER: return take_rendered(in, m, reply->rendered, f);
    case CALL_SCORE: return take_scored(in, m, reply->scored, f);
    case CALL_PROBE: return take_probed(in, m, asked, reply->probed, f);
    case CALL_LIST: return take_listed(in, reply->listed, f);
    case CALL_STATUS: return take_status(in, reply->status, f);
    case CALL_TUNE: return take_tuned(in, reply->tuned, f);
    case CALL_DETOKENIZE:
        in->a.text = reply->detokenized->text.data;
        in->a.n_bytes = reply->detokenized->text.len;
        return STATUS_OK;
    case CALL_CANCEL:
        in->a.n_tokens = reply->cancelled->n_tokens;
        return STATUS_OK;
    }
    return unreadable(f);
}

void answer_deliver(const call *asked, const wire_message *m, const Trivium__TextReply *reply,
                    answer_handler *handler, void *context) {
    incoming in = {.a.code = STATUS_OK};
    failure f;
    status st = take_body(&in, m, asked, reply, &f);
    handler(context, st == STATUS_OK ? &in.a : &(answer){.code = f.code, .message = f.message});
    incoming_clear(&in);
}
