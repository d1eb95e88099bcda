#include "answer_wire.h"

#include <stdlib.h>
#include <string.h>

#include "proto/chain/strategy_wire.h"
#include "proto/net/errors.h"
#include "text_wire.h"

/* An answer, and what it needs while its handler runs; all owned. */
typedef struct incoming {
    answer a;
    candidate *candidates;
    strategy chain;
    strategy *chains;           /* [n_chains] */
    size_t n_chains;
    request_report *requests;
    daemon_report *daemons;
    ProtobufCMessage *list;     /* of a frame */
    model_summary *models;
} incoming;

static void incoming_clear(incoming *in) {
    for (size_t i = 0; i < in->n_chains; i++) strategy_clear(&in->chains[i]);
    free(in->chains);
    free(in->candidates);
    free(in->requests);
    free(in->daemons);
    free(in->models);
    strategy_clear(&in->chain);
    if (in->list) protobuf_c_message_free_unpacked(in->list, NULL);
}

static status unreadable(failure *f) {
    return fail(f, STATUS_BAD_MESSAGE, "the answer of tokenizerd does not fit the question");
}

static status no_memory(failure *f) {
    return fail(f, STATUS_NO_MEMORY, "no memory for the answer");
}

static status take_tokenized(incoming *in, const wire_message *m, failure *f) {
    tokenize_answer *a = &in->a.tokenize;
    a->ids = wire_items(m, 0, sizeof *a->ids, &a->n_ids);
    return a->ids ? STATUS_OK : unreadable(f);
}

static status take_detokenized(incoming *in, const wire_message *m, failure *f) {
    if (m->n_raw != 1) return unreadable(f);
    in->a.detokenize = (detokenize_answer){m->raw[0].bytes, m->raw[0].n_bytes};
    return STATUS_OK;
}

static status take_rendered(incoming *in, const wire_message *m, const Trivium__Rendered *rendered,
                            failure *f) {
    render_answer *a = &in->a.render;
    a->ids = wire_items(m, 0, sizeof *a->ids, &a->n_ids);
    if (!a->ids) return unreadable(f);
    a->made = form_from_wire(rendered->template_, rendered->origin, rendered->n_dropped, rendered->n_cut);
    return STATUS_OK;
}

static status take_scored(incoming *in, const wire_message *m, const Trivium__Scored *scored,
                          failure *f) {
    score_answer *a = &in->a.score;
    a->ids = wire_items(m, 0, sizeof *a->ids, &a->n_ids);
    a->logprobs = a->ids ? wire_array(m, 1, a->n_ids, sizeof *a->logprobs) : NULL;
    if (!a->logprobs) return unreadable(f);
    a->top = in->candidates = candidates_from_wire(scored->top, scored->n_top);
    if (scored->n_top > 0 && !in->candidates) return no_memory(f);
    a->n_top = scored->n_top;
    a->model = scored->model;
    a->fingerprint = scored->fingerprint;
    return STATUS_OK;
}

static status take_probed(incoming *in, const wire_message *m, const probe_question *asked,
                          const Trivium__Probed *probed, failure *f) {
    probe_answer *a = &in->a.probe;
    a->probabilities = wire_array(m, 0, asked->n_logits, sizeof *a->probabilities);
    if (!a->probabilities || probed->id < 0 || (size_t)probed->id >= asked->n_logits)
        return unreadable(f);
    a->n_logits = asked->n_logits;
    a->id = probed->id;
    return STATUS_OK;
}

static status take_cancelled(incoming *in, const Trivium__Cancelled *cancelled) {
    in->a.cancel = (cancel_answer){cancelled->n_tokens};
    return STATUS_OK;
}

static status take_tuned(incoming *in, const Trivium__Tuned *tuned, failure *f) {
    if (!tuned->change) return unreadable(f);
    in->a.tune = (tune_answer){&in->chain, tuned->change->step};
    return strategy_from_wire(&in->chain, tuned->change->strategy, f);
}

static status take_requests(incoming *in, const Trivium__RequestList *list, failure *f) {
    size_t n = list->n_requests;
    in->requests = calloc(n + 1, sizeof *in->requests);
    in->chains = calloc(n + 1, sizeof *in->chains);
    if (!in->requests || !in->chains) return no_memory(f);
    in->a.list = (list_answer){in->requests, n};
    for (size_t i = 0; i < n; i++) {
        const Trivium__RequestReport *wire = list->requests[i];
        in->n_chains = i + 1;
        if (wire->request.len != REQUEST_BYTES) return unreadable(f);
        status st = strategy_from_wire(&in->chains[i], wire->strategy, f);
        if (st != STATUS_OK) return st;
        in->requests[i] = (request_report){
            .attempt = wire->attempt,
            .session = wire->session,
            .model = wire->model,
            .state = wire->state,
            .owner = wire->owner,
            .owner_name = wire->owner_name,
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

static status take_listed(incoming *in, const wire_message *m, failure *f) {
    in->list = wire_unpack(m, 0, &trivium__request_list__descriptor);
    return in->list ? take_requests(in, (const Trivium__RequestList *)in->list, f) : unreadable(f);
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
        .is_draining = wire->draining,
    };
}

static status take_status(incoming *in, const wire_message *m, const Trivium__StatusReport *wire, failure *f) {
    in->list = wire_unpack(m, 0, &trivium__daemon_list__descriptor);
    const Trivium__DaemonList *list = (const Trivium__DaemonList *)in->list;
    if (!list) return unreadable(f);
    in->daemons = calloc(list->n_daemons + 1, sizeof *in->daemons);
    in->models = calloc(wire->n_models + 1, sizeof *in->models);
    if (!in->daemons || !in->models) return no_memory(f);
    for (size_t i = 0; i < list->n_daemons; i++) {
        const Trivium__DaemonReport *d = list->daemons[i];
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
            .lacks_sampler = d->lacks_sampler,
        };
    }
    for (size_t i = 0; i < wire->n_models; i++) in->models[i] = model_from_wire(wire->models[i]);
    in->a.status = (status_report){
        .daemons = in->daemons, .n_daemons = list->n_daemons, .models = in->models,
        .n_models = wire->n_models, .default_model = wire->default_model,
        .requests = wire->requests, .clients = wire->clients, .garbage = wire->garbage,
    };
    return STATUS_OK;
}

static status take_drained(incoming *in, const Trivium__Drained *m) {
    in->a.drain = (drain_answer){
        .role = role_name(m->role), .name = m->name, .host = m->host, .pid = m->pid, .n_texts = m->n_texts, .n_left = m->n_left};
    return STATUS_OK;
}

static const Trivium__TextReply__BodyCase answer_bodies[] = {
    [ASK_TOKENIZE] = TRIVIUM__TEXT_REPLY__BODY_TOKENIZED,
    [ASK_DETOKENIZE] = TRIVIUM__TEXT_REPLY__BODY_DETOKENIZED,
    [ASK_RENDER] = TRIVIUM__TEXT_REPLY__BODY_RENDERED,
    [ASK_SCORE] = TRIVIUM__TEXT_REPLY__BODY_SCORED,
    [ASK_PROBE] = TRIVIUM__TEXT_REPLY__BODY_PROBED,
    [ASK_LIST] = TRIVIUM__TEXT_REPLY__BODY_LISTED,
    [ASK_STATUS] = TRIVIUM__TEXT_REPLY__BODY_STATUS,
    [ASK_CANCEL] = TRIVIUM__TEXT_REPLY__BODY_CANCELLED,
    [ASK_TUNE] = TRIVIUM__TEXT_REPLY__BODY_TUNED,
    [ASK_DRAIN] = TRIVIUM__TEXT_REPLY__BODY_DRAINED,
};

static status take_body(incoming *in, const wire_message *m, const question *asked,
                        const Trivium__TextReply *reply, failure *f) {
    if (reply->body_case == TRIVIUM__TEXT_REPLY__BODY_FAILED)
        return error_from_wire(reply->failed->error, "tokenizerd", f);
    if (reply->body_case != answer_bodies[asked->kind]) return unreadable(f);
    switch (asked->kind) {
    case ASK_TOKENIZE: return take_tokenized(in, m, f);
    case ASK_DETOKENIZE: return take_detokenized(in, m, f);
    case ASK_RENDER: return take_rendered(in, m, reply->rendered, f);
    case ASK_SCORE: return take_scored(in, m, reply->scored, f);
    case ASK_PROBE: return take_probed(in, m, &asked->probe, reply->probed, f);
    case ASK_LIST: return take_listed(in, m, f);
    case ASK_STATUS: return take_status(in, m, reply->status, f);
    case ASK_CANCEL: return take_cancelled(in, reply->cancelled);
    case ASK_DRAIN: return take_drained(in, reply->drained);
    case ASK_TUNE: break;
    }
    return take_tuned(in, reply->tuned, f);
}

void answer_deliver(const question *asked, const wire_message *m, const Trivium__TextReply *reply,
                    answer_handler *handler, void *context) {
    incoming in = {.a.kind = asked->kind};
    failure f;
    if (take_body(&in, m, asked, reply, &f) == STATUS_OK) handler(context, &in.a);
    else handler(context, &(answer){.kind = asked->kind, .code = f.code, .message = f.message});
    incoming_clear(&in);
}
