#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"
#include "proto/chain/strategy_wire.h"

struct pending_call {
    uint64_t number;            /* names it on the wire */
    const call *asked;          /* borrowed */
    answer_handler *handler;
    void *context;
    bool sent;                  /* to the tokenizerd that is joined now */
    pending_call *next;
};

/* ---- a call as a message ---- */

static ProtobufCBinaryData bytes_of(const uint8_t *bytes, size_t n_bytes) {
    return (ProtobufCBinaryData){.len = n_bytes, .data = (uint8_t *)bytes};
}

/* What a call needs while it is sent. */
typedef struct outgoing {
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
    } body;
    Trivium__Strategy *chain;   /* owned; NULL: none */
    Trivium__Message *messages, **message_list;     /* owned; NULL: none */
    wire_raw raw[RAW_FRAMES_MAX];
    size_t n_raw;
} outgoing;

static void put_ids(outgoing *o, const call *asked) {
    o->raw[o->n_raw++] = (wire_raw){asked->ids, asked->n_ids * sizeof *asked->ids};
}

static void put_tokenize(outgoing *o, const client *c, uint64_t number, const call *asked) {
    trivium__tokenize__init(&o->body.tokenize);
    o->body.tokenize.call = number;
    o->body.tokenize.model = name_or_empty(asked->model);
    o->body.tokenize.text = bytes_of(asked->text, asked->n_bytes);
    o->body.tokenize.special = asked->special;
    o->body.tokenize.bos = asked->bos;
    o->body.tokenize.wait_ms = c->wait_ms;
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_TOKENIZE;
    o->message.tokenize = &o->body.tokenize;
}

static void put_detokenize(outgoing *o, const client *c, uint64_t number, const call *asked) {
    trivium__detokenize__init(&o->body.detokenize);
    o->body.detokenize.call = number;
    o->body.detokenize.model = name_or_empty(asked->model);
    o->body.detokenize.wait_ms = c->wait_ms;
    put_ids(o, asked);
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_DETOKENIZE;
    o->message.detokenize = &o->body.detokenize;
}

static bool messages_fill(outgoing *o, const call *asked) {
    o->messages = calloc(asked->n_messages + 1, sizeof *o->messages);
    o->message_list = calloc(asked->n_messages + 1, sizeof *o->message_list);
    if (!o->messages || !o->message_list) return false;
    for (size_t i = 0; i < asked->n_messages; i++) {
        const chat_message *from = &asked->messages[i];
        trivium__message__init(&o->messages[i]);
        o->messages[i].role = name_or_empty(from->role);
        o->messages[i].content = bytes_of(from->content, from->n_bytes);
        o->message_list[i] = &o->messages[i];
    }
    return true;
}

static void put_render(outgoing *o, const client *c, uint64_t number, const call *asked) {
    trivium__render__init(&o->body.render);
    o->body.render.call = number;
    o->body.render.model = name_or_empty(asked->model);
    o->body.render.n_messages = asked->n_messages;
    o->body.render.messages = o->message_list;
    o->body.render.template_ = name_or_empty(asked->form);
    o->body.render.n_ids_max = asked->n_ids_max;
    o->body.render.n_reply = asked->n_reply;
    o->body.render.wait_ms = c->wait_ms;
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_RENDER;
    o->message.render = &o->body.render;
}

static void put_score(outgoing *o, const client *c, uint64_t number, const call *asked) {
    trivium__score__init(&o->body.score);
    o->body.score.call = number;
    o->body.score.model = name_or_empty(asked->model);
    o->body.score.pool = name_or_empty(asked->pool);
    o->body.score.text = bytes_of(asked->text, asked->n_bytes);
    o->body.score.special = asked->special;
    o->body.score.bos = asked->bos;
    o->body.score.has_ids = asked->has_ids;
    o->body.score.n_top = asked->n_top;
    o->body.score.wait_ms = c->wait_ms;
    if (asked->has_ids) put_ids(o, asked);
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_SCORE;
    o->message.score = &o->body.score;
}

static void put_probe(outgoing *o, const client *c, uint64_t number, const call *asked) {
    trivium__probe__init(&o->body.probe);
    o->body.probe.call = number;
    o->body.probe.model = name_or_empty(asked->model);
    o->body.probe.pool = name_or_empty(asked->pool);
    o->body.probe.strategy = o->chain;
    o->body.probe.seed = asked->seed;
    o->body.probe.step = asked->step;
    o->body.probe.wait_ms = c->wait_ms;
    o->raw[o->n_raw++] = (wire_raw){asked->logits, asked->n_logits * sizeof *asked->logits};
    put_ids(o, asked);
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_PROBE;
    o->message.probe = &o->body.probe;
}

static void put_tune(outgoing *o, uint64_t number, const call *asked) {
    trivium__tune__init(&o->body.tune);
    o->body.tune.call = number;
    o->body.tune.request = bytes_of(asked->request, REQUEST_BYTES);
    o->body.tune.replace = asked->replace;
    o->body.tune.strategy = o->chain;
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_TUNE;
    o->message.tune = &o->body.tune;
}

static void put_cancel(outgoing *o, uint64_t number, const call *asked) {
    trivium__cancel__init(&o->body.cancel);
    o->body.cancel.call = number;
    o->body.cancel.request = bytes_of(asked->request, REQUEST_BYTES);
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_CANCEL;
    o->message.cancel = &o->body.cancel;
}

static void put_list(outgoing *o, uint64_t number) {
    trivium__list__init(&o->body.list);
    o->body.list.call = number;
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_LIST;
    o->message.list = &o->body.list;
}

static void put_status(outgoing *o, uint64_t number) {
    trivium__status_query__init(&o->body.status);
    o->body.status.call = number;
    o->message.body_case = TRIVIUM__TEXT_REQUEST__BODY_STATUS;
    o->message.status = &o->body.status;
}

static void put_body(outgoing *o, const client *c, uint64_t number, const call *asked) {
    switch (asked->kind) {
    case CALL_TOKENIZE: put_tokenize(o, c, number, asked); break;
    case CALL_DETOKENIZE: put_detokenize(o, c, number, asked); break;
    case CALL_RENDER: put_render(o, c, number, asked); break;
    case CALL_SCORE: put_score(o, c, number, asked); break;
    case CALL_PROBE: put_probe(o, c, number, asked); break;
    case CALL_LIST: put_list(o, number); break;
    case CALL_STATUS: put_status(o, number); break;
    case CALL_CANCEL: put_cancel(o, number, asked); break;
    case CALL_TUNE: put_tune(o, number, asked); break;
    }
}

static status pending_send(client *c, pending_call *pending, failure *f) {
    const call *asked = pending->asked;
    outgoing o = {.message = TRIVIUM__TEXT_REQUEST__INIT};
    status st = STATUS_OK;
    if ((asked->chain && !(o.chain = strategy_to_wire(asked->chain))) ||
        (asked->messages && !messages_fill(&o, asked)))
        st = fail(f, STATUS_NO_MEMORY, "no memory for a question");
    if (st == STATUS_OK) put_body(&o, c, pending->number, asked);
    if (st == STATUS_OK) st = client_send(c, &o.message, o.raw, o.n_raw, f);
    trivium__strategy__free_unpacked(o.chain, NULL);
    free(o.messages);
    free(o.message_list);
    pending->sent = st == STATUS_OK;
    return st;
}

/* ---- the pending ones ---- */

static void client_calls_append(client *c, pending_call *pending) {
    pending_call **end = &c->calls;
    while (*end) end = &(*end)->next;
    *end = pending;
}

/* Take it out of the list; NULL when there is none of that number. */
static pending_call *client_calls_take(client *c, uint64_t number) {
    for (pending_call **at = &c->calls; *at; at = &(*at)->next) {
        pending_call *found = *at;
        if (found->number != number) continue;
        *at = found->next;
        return found;
    }
    return NULL;
}

static void pending_answer(pending_call *pending, const answer *a) {
    answer_handler *handler = pending->handler;
    void *context = pending->context;
    free(pending);
    handler(context, a);
}

static void pending_fail(pending_call *pending, const failure *f) {
    pending_answer(pending, &(answer){.code = f->code, .message = f->message});
}

status client_call(client *c, const call *asked, answer_handler *handler, void *context,
                   failure *f) {
    if (c->over.code != STATUS_OK) {
        *f = c->over;
        return f->code;
    }
    pending_call *pending = malloc(sizeof *pending);
    if (!pending) return fail(f, STATUS_NO_MEMORY, "no memory for a call");
    *pending = (pending_call){++c->n_calls, asked, handler, context, false, NULL};
    status st = c->tokenizerd ? pending_send(c, pending, f) : STATUS_OK;
    if (st == STATUS_OK) client_calls_append(c, pending);
    else free(pending);
    return st;
}

void client_calls_joined(client *c) {
    for (pending_call *pending = c->calls, *next; pending; pending = next) {
        next = pending->next;
        failure f;
        if (pending->sent || pending_send(c, pending, &f) == STATUS_OK) continue;
        pending_fail(client_calls_take(c, pending->number), &f);
    }
}

/* Asking twice is harmless, except for `tune`: biases would be added twice. */
void client_calls_lost(client *c) {
    for (pending_call *pending = c->calls, *next; pending; pending = next) {
        next = pending->next;
        if (pending->sent && pending->asked->kind == CALL_TUNE) {
            failure f;
            fail(&f, STATUS_IO,
                 "tokenizerd was lost before it answered: `trivium ps` shows the strategy");
            pending_fail(client_calls_take(c, pending->number), &f);
            continue;
        }
        pending->sent = false;
    }
}

void client_calls_fail(client *c, const failure *f) {
    while (c->calls) pending_fail(client_calls_take(c, c->calls->number), f);
}

void client_calls_free(client *c) {
    while (c->calls) free(client_calls_take(c, c->calls->number));
}

/* ---- answers ---- */

void client_calls_message(client *c, const wire_message *m, const Trivium__TextReply *reply) {
    pending_call *pending = client_calls_take(c, answer_number(reply));
    if (!pending) return;       /* an answer that came twice, or to a question that was given up */
    const call *asked = pending->asked;
    answer_handler *handler = pending->handler;
    void *context = pending->context;
    free(pending);
    answer_deliver(asked, m, reply, handler, context);
}

/* ---- one call, waited for ---- */

typedef struct asking {
    client *client;
    answer_handler *handler;
    void *context;
    bool answered;
    failure why;
} asking;

static void on_asked(void *context, const answer *a) {
    asking *ask = context;
    ask->answered = true;
    if (a->code == STATUS_OK) ask->handler(ask->context, a);
    fail(&ask->why, a->code, "%s", a->message ? a->message : "");
    loop_stop(ask->client->loop);
}

status client_ask(client *c, const call *asked, answer_handler *handler, void *context,
                  failure *f) {
    asking ask = {.client = c, .handler = handler, .context = context};
    status st = client_call(c, asked, on_asked, &ask, f);
    if (st != STATUS_OK) return st;
    uint64_t number = c->n_calls;
    loop_run(c->loop);
    if (ask.answered) {
        *f = ask.why;
        return f->code;
    }
    free(client_calls_take(c, number));         /* its answer would find nobody */
    return fail(f, STATUS_CANCELLED, "interrupted");
}
