#include "question_wire.h"

#include "proto/chain/strategy_wire.h"
#include "text_wire.h"

/* What a question needs while it is sent. */
typedef struct outgoing {
    uint64_t number;
    uint32_t wait_ms;
    Trivium__TextRequest message;
    union {
        Trivium__Tokenize tokenize;
        Trivium__Detokenize detokenize;
        Trivium__Render render;
        Trivium__Score score;
        Trivium__Probe probe;
        Trivium__List list;
        Trivium__StatusQuery status;
        Trivium__Cancel cancel;
        Trivium__Tune tune;
        Trivium__Drain drain;
    } body;
    Trivium__Strategy *chain;   /* owned; NULL: none */
    wire_messages messages;
    wire_raw raw[RAW_FRAMES_MAX];
    size_t n_raw;
} outgoing;

static status no_memory(failure *f) {
    return fail(f, STATUS_NO_MEMORY, "no memory for a question");
}

static void put_ids(outgoing *o, const int32_t *ids, size_t n_ids) {
    o->raw[o->n_raw++] = (wire_raw){ids, n_ids * sizeof *ids};
}

static void put_text(outgoing *o, const void *text, size_t n_bytes) {
    o->raw[o->n_raw++] = (wire_raw){text, n_bytes};
}

static status put_tokenize(outgoing *o, const tokenize_question *asked) {
    Trivium__Tokenize *m = o->message.tokenize = &o->body.tokenize;
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE;
    trivium__tokenize__init(m);
    m->call = o->number;
    m->model = name_or_empty(asked->model);
    m->special = asked->text.special;
    m->bos = asked->text.bos;
    m->wait_ms = o->wait_ms;
    put_text(o, asked->text.bytes, asked->text.n_bytes);
    return STATUS_OK;
}

static status put_detokenize(outgoing *o, const detokenize_question *asked) {
    Trivium__Detokenize *m = o->message.detokenize = &o->body.detokenize;
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_DETOKENIZE;
    trivium__detokenize__init(m);
    m->call = o->number;
    m->model = name_or_empty(asked->model);
    m->fingerprint = name_or_empty(asked->fingerprint);
    m->wait_ms = o->wait_ms;
    put_ids(o, asked->ids, asked->n_ids);
    return STATUS_OK;
}

static status put_render(outgoing *o, const render_question *asked, failure *f) {
    Trivium__Render *m = o->message.render = &o->body.render;
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_RENDER;
    const conversation_prompt *said = &asked->conversation;
    if (wire_messages_fill(&o->messages, said) != STATUS_OK) return no_memory(f);
    trivium__render__init(m);
    m->call = o->number;
    m->model = name_or_empty(asked->model);
    m->n_messages = said->n_messages;
    m->messages = o->messages.list;
    m->template_ = name_or_empty(said->form);
    m->n_ids_max = said->n_ids_max;
    m->n_reply = said->n_reply;
    m->wait_ms = o->wait_ms;
    put_text(o, o->messages.text.bytes, o->messages.text.n_bytes);
    return STATUS_OK;
}

static status put_score(outgoing *o, const score_question *asked) {
    Trivium__Score *m = o->message.score = &o->body.score;
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_SCORE;
    trivium__score__init(m);
    m->call = o->number;
    m->model = name_or_empty(asked->model);
    m->pool = name_or_empty(asked->pool);
    m->special = asked->text.special;
    m->bos = asked->text.bos;
    m->has_ids = asked->has_ids;
    m->n_top = asked->n_top;
    m->traceparent = name_or_empty(asked->traceparent);
    m->wait_ms = o->wait_ms;
    if (asked->has_ids) put_ids(o, asked->ids, asked->n_ids);
    else put_text(o, asked->text.bytes, asked->text.n_bytes);
    return STATUS_OK;
}

static status put_probe(outgoing *o, const probe_question *asked, failure *f) {
    Trivium__Probe *m = o->message.probe = &o->body.probe;
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_PROBE;
    if (!(o->chain = strategy_to_wire(asked->chain))) return no_memory(f);
    trivium__probe__init(m);
    m->call = o->number;
    m->model = name_or_empty(asked->model);
    m->pool = name_or_empty(asked->pool);
    m->strategy = o->chain;
    m->seed = asked->seed;
    m->step = asked->step;
    m->traceparent = name_or_empty(asked->traceparent);
    m->wait_ms = o->wait_ms;
    o->raw[o->n_raw++] = (wire_raw){asked->logits, asked->n_logits * sizeof *asked->logits};
    put_ids(o, asked->history, asked->n_history);
    return STATUS_OK;
}

static status put_tune(outgoing *o, const tune_question *asked, failure *f) {
    Trivium__Tune *m = o->message.tune = &o->body.tune;
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_TUNE;
    if (!(o->chain = strategy_to_wire(asked->chain))) return no_memory(f);
    trivium__tune__init(m);
    m->call = o->number;
    m->request = bytes_of(asked->request, REQUEST_BYTES);
    m->replace = asked->replace;
    m->strategy = o->chain;
    return STATUS_OK;
}

static status put_cancel(outgoing *o, const cancel_question *asked) {
    Trivium__Cancel *m = o->message.cancel = &o->body.cancel;
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_CANCEL;
    trivium__cancel__init(m);
    m->call = o->number;
    m->request = bytes_of(asked->request, REQUEST_BYTES);
    return STATUS_OK;
}

static status put_list(outgoing *o) {
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_LIST;
    o->message.list = &o->body.list;
    trivium__list__init(&o->body.list);
    o->body.list.call = o->number;
    return STATUS_OK;
}

static status put_status(outgoing *o) {
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_STATUS;
    o->message.status = &o->body.status;
    trivium__status_query__init(&o->body.status);
    o->body.status.call = o->number;
    return STATUS_OK;
}

static status put_drain(outgoing *o, const drain_question *asked) {
    Trivium__Drain *m = o->message.drain = &o->body.drain;
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_DRAIN;
    trivium__drain__init(m);
    m->call = o->number;
    m->name = name_or_empty(asked->name);
    m->pid = asked->pid;
    m->host = name_or_empty(asked->host);
    return STATUS_OK;
}

static status put_body(outgoing *o, const question *asked, failure *f) {
    switch (asked->kind) {
    case ASK_TOKENIZE: return put_tokenize(o, &asked->tokenize);
    case ASK_DETOKENIZE: return put_detokenize(o, &asked->detokenize);
    case ASK_RENDER: return put_render(o, &asked->render, f);
    case ASK_SCORE: return put_score(o, &asked->score);
    case ASK_PROBE: return put_probe(o, &asked->probe, f);
    case ASK_LIST: return put_list(o);
    case ASK_STATUS: return put_status(o);
    case ASK_CANCEL: return put_cancel(o, &asked->cancel);
    case ASK_DRAIN: return put_drain(o, &asked->drain);
    case ASK_TUNE: break;
    }
    return put_tune(o, &asked->tune, f);
}

status question_send(text_link *link, const question *asked, uint64_t number, failure *f) {
    outgoing o = {.number = number, .wait_ms = text_link_wire_wait_ms(link),
                  .message = TRIVIUM__TEXT_REQUEST__INIT};
    status st = put_body(&o, asked, f);
    if (st == STATUS_OK) st = text_link_send(link, &o.message, o.raw, o.n_raw, f);
    trivium__strategy__free_unpacked(o.chain, NULL);
    wire_messages_clear(&o.messages);
    return st;
}

void question_cancel(text_link *link, uint64_t number) {
    failure f;
    Trivium__CancelCall cancel = TRIVIUM__CANCEL_CALL__INIT;
    cancel.call = number;
    Trivium__TextRequest m = TRIVIUM__TEXT_REQUEST__INIT;
    m.body_case = TRIVIUM__TEXT_REQUEST__BODY_CANCEL_CALL;
    m.cancel_call = &cancel;
    text_link_send(link, &m, NULL, 0, &f);
}
