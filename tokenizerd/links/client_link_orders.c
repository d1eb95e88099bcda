/* What clients ask, in the form that other rooms read, checked for what only the message can tell. */
#include <stdlib.h>

#include "proto/chain/strategy_wire.h"
#include "client_link_parts.h"

/* Ids in raw frame `index`, none when it is empty; false: it is missing, or no whole number of ids. */
static bool ids_of(const wire_message *m, size_t index, const int32_t **ids, size_t *n_ids) {
    static const int32_t none[1];
    *n_ids = 0;
    *ids = none;
    if (index >= m->n_raw) return false;
    if (m->raw[index].n_bytes > 0) *ids = wire_items(m, index, sizeof **ids, n_ids);
    return *ids != NULL;
}

/* The text of a message: its frame; false: it is missing. */
static bool text_of(const wire_message *m, const uint8_t **text, size_t *n_bytes) {
    if (m->n_raw == 0) return false;
    *text = m->raw[0].bytes;
    *n_bytes = m->raw[0].n_bytes;
    return true;
}

/* What is left of a text that is taken piece by piece. */
typedef struct text_rest {
    const uint8_t *bytes;
    size_t n_bytes;
} text_rest;

/* NULL: there is not so much left. */
static const uint8_t *take_text(text_rest *rest, size_t n_bytes) {
    if (n_bytes > rest->n_bytes) return NULL;
    const uint8_t *text = rest->bytes;
    rest->bytes += n_bytes;
    rest->n_bytes -= n_bytes;
    return text;
}

/* ---- conversations ---- */

/* [n_messages] */
static status messages_fill(chat_message *messages, Trivium__Message *const *wire, size_t n_messages,
                            const wire_message *message, failure *f) {
    text_rest rest;
    bool fits = text_of(message, &rest.bytes, &rest.n_bytes);
    for (size_t i = 0; fits && i < n_messages; i++) {
        const Trivium__Message *from = wire[i];
        messages[i] = (chat_message){.role = chat_role_named(from->role),
                                     .content = take_text(&rest, from->n_bytes), .n_bytes = from->n_bytes};
        fits = messages[i].content != NULL;
    }
    if (fits && rest.n_bytes == 0) return STATUS_OK;
    return fail(f, STATUS_BAD_MESSAGE, "the messages do not fill the frame of text");
}

/* *messages is the caller's to free, whatever comes back. */
static status conversation_fill(conversation_order *o, const char *form, Trivium__Message *const *wire, size_t n_messages,
                                const wire_message *message, chat_message **messages, failure *f) {
    o->n_messages = n_messages;
    o->messages = *messages = calloc(n_messages + 1, sizeof **messages);
    if (!*messages) return fail(f, STATUS_NO_MEMORY, "no memory for %zu messages", n_messages);
    status st = chat_form_named(form, &o->form, f);
    return st == STATUS_OK ? messages_fill(*messages, wire, n_messages, message, f) : st;
}

/* ---- generations ---- */

static status counts_check(const Trivium__Generate *m, failure *f) {
    if (m->n_segments > SEGMENTS_MAX)
        return fail(f, STATUS_TOO_LONG, "a prompt may have %d segments, not %zu", SEGMENTS_MAX,
                    m->n_segments);
    if (m->n_stops > STOPS_MAX)
        return fail(f, STATUS_BAD_REQUEST, "there may be %d stop strings, not %zu", STOPS_MAX,
                    m->n_stops);
    return STATUS_OK;
}

/* n_stops is within its bound; the other fields are checked by whoever takes the order. */
static void request_fill(request_order *o, const Trivium__Generate *m, vocab_bytes stops[STOPS_MAX]) {
    for (size_t i = 0; i < m->n_stops; i++)
        stops[i] = (vocab_bytes){m->stops[i].data, m->stops[i].len};
    *o = (request_order){
        .id = m->request.data,
        .attempt = m->attempt,
        .model = m->model,
        .fingerprint = m->fingerprint,
        .pool = m->pool,
        .session = m->session,
        .semantics = m->semantics,
        .change = m->change,
        .seed = m->seed,
        .sampler_state = {m->state.data, m->state.len},
        .max_new_tokens = m->max_new_tokens,
        .stops = stops,
        .n_stops = m->n_stops,
        .stop_ids = m->stop_ids,
        .n_stop_ids = m->n_stop_ids,
        .ignore_eos = m->ignore_eos,
        .no_cache = m->no_cache,
        .n_candidates = m->n_candidates,
        .wait_ms = m->wait_ms,
        .priority = m->priority,
        .traceparent = m->traceparent,
        .n_prompt = m->n_prompt,
    };
}

/* n_segments is within its bound. */
static status pieces_fill(generate_order *o, const Trivium__Generate *m, const wire_message *message,
                          prompt_piece pieces[SEGMENTS_MAX], failure *f) {
    text_rest rest;
    bool fits = text_of(message, &rest.bytes, &rest.n_bytes);
    for (size_t i = 0; fits && i < m->n_segments; i++) {
        const Trivium__Segment *from = m->segments[i];
        pieces[i] = (prompt_piece){take_text(&rest, from->n_bytes), from->n_bytes, from->special};
        fits = pieces[i].bytes != NULL;
    }
    if (!fits || rest.n_bytes > 0) return fail(f, STATUS_BAD_MESSAGE, "the segments do not fill the frame of text");
    o->pieces = pieces;
    o->n_pieces = m->n_segments;
    return STATUS_OK;
}

/* What is asked of a conversation, so that there is one, were it without a message. */
static bool has_conversation(const Trivium__Generate *m) {
    return m->n_messages > 0 || m->template_[0] || m->n_ids_max > 0 || m->n_reply > 0 || m->as_room_allows;
}

/* What an order needs beside the message that it is of. */
typedef struct generate_parts {
    vocab_bytes stops[STOPS_MAX];
    prompt_piece pieces[SEGMENTS_MAX];
    conversation_order conversation;
    chat_message *messages;         /* owned */
    strategy chain;
} generate_parts;

static status prompt_fill(generate_order *o, const Trivium__Generate *m, const wire_message *message, generate_parts *parts,
                          failure *f) {
    if (has_conversation(m) && m->n_segments > 0)
        return fail(f, STATUS_BAD_REQUEST, "a prompt is made of segments or of messages, and here are both");
    if (has_conversation(m) && m->n_prompt > 0)
        return fail(f, STATUS_BAD_REQUEST, "a prompt is made of ids or of messages, and here are both");
    if (has_conversation(m)) {
        o->conversation = &parts->conversation;
        parts->conversation = (conversation_order){
            .n_ids_max = m->n_ids_max, .n_reply = m->n_reply, .as_room_allows = m->as_room_allows};
        return conversation_fill(&parts->conversation, m->template_, m->messages, m->n_messages, message, &parts->messages, f);
    }
    if (m->n_segments > 0) return pieces_fill(o, m, message, parts->pieces, f);
    if (message->n_raw == 0 || ids_of(message, 0, &o->request.ids, &o->request.n_ids)) return STATUS_OK;
    return fail(f, STATUS_BAD_MESSAGE, "the frame of ids holds no whole number of ids");
}

static status generate_fill(generate_order *o, const Trivium__Generate *m, const wire_message *message,
                            generate_parts *parts, failure *f) {
    status st = counts_check(m, f);
    if (st != STATUS_OK) return st;
    request_fill(&o->request, m, parts->stops);
    st = prompt_fill(o, m, message, parts, f);
    if (st != STATUS_OK) return st;
    o->request.strategy = &parts->chain;
    return strategy_from_wire(&parts->chain, m->strategy, f);
}

void client_link_generate(client_link *l, const sender *who, const Trivium__Generate *m,
                          const wire_message *message) {
    failure f;
    if (m->request.len != REQUEST_BYTES) {
        fail(&f, STATUS_BAD_REQUEST, "a request's id has %d bytes, not %zu", REQUEST_BYTES,
             m->request.len);
        client_link_refuse_generate(l, who, m, &f);
        return;
    }
    generate_parts parts;
    parts.messages = NULL;
    strategy_init(&parts.chain);
    generate_order order = {.request = {.id = m->request.data, .attempt = m->attempt}};
    if (generate_fill(&order, m, message, &parts, &f) != STATUS_OK) order.fault = &f;
    order.request.owner = who->owner;
    l->events.generate(l->context, who, &order);
    strategy_clear(&parts.chain);
    free(parts.messages);
}

void client_link_tune(client_link *l, const sender *who, const Trivium__Tune *m) {
    failure f;
    strategy chain;
    strategy_init(&chain);
    tune_order order = {
        .number = m->call,
        .id = m->request.data,
        .n_id_bytes = m->request.len,
        .replace = m->replace,
        .strategy = &chain,
    };
    if (strategy_from_wire(&chain, m->strategy, &f) != STATUS_OK) order.fault = &f;
    l->events.tune(l->context, who, &order);
    strategy_clear(&chain);
}

/* ---- calls ---- */

static void frame_missing(client_link *l, peer *client, uint64_t number, const char *what) {
    failure f;
    fail(&f, STATUS_BAD_MESSAGE, "the frame of %s is missing or has a wrong length", what);
    client_link_failed(l, client, number, &f);
}

void client_link_tokenize(client_link *l, const sender *who, const Trivium__Tokenize *m, const wire_message *message) {
    const call_order order = {
        .kind = CALL_TOKENIZE,
        .owner = who->owner,
        .client = who->client,
        .client_number = m->call,
        .n_unread_bytes = peer_unread_bytes(who->client),
        .model = m->model,
        .wait_ms = m->wait_ms,
        .tokenize = {.bos = m->bos},
    };
    prompt_piece text = {.special = m->special};
    if (text_of(message, &text.bytes, &text.n_bytes)) l->events.call(l->context, &order, &text);
    else frame_missing(l, who->client, m->call, "text");
}

void client_link_detokenize(client_link *l, const sender *who, const Trivium__Detokenize *m,
                            const wire_message *message) {
    call_order order = {
        .kind = CALL_DETOKENIZE,
        .owner = who->owner,
        .client = who->client,
        .client_number = m->call,
        .n_unread_bytes = peer_unread_bytes(who->client),
        .model = m->model,
        .wait_ms = m->wait_ms,
        .detokenize = {.fingerprint = m->fingerprint},
    };
    if (ids_of(message, 0, &order.detokenize.ids, &order.detokenize.n_ids))
        l->events.call(l->context, &order, NULL);
    else frame_missing(l, who->client, m->call, "ids");
}

void client_link_score(client_link *l, const sender *who, const Trivium__Score *m,
                       const wire_message *message) {
    call_order order = {
        .kind = CALL_SCORE,
        .owner = who->owner,
        .client = who->client,
        .client_number = m->call,
        .n_unread_bytes = peer_unread_bytes(who->client),
        .model = m->model,
        .wait_ms = m->wait_ms,
        .score = {.pool = m->pool, .traceparent = m->traceparent, .bos = m->bos, .n_top = m->n_top},
    };
    prompt_piece text = {.special = m->special};
    bool there = m->has_ids ? ids_of(message, 0, &order.score.ids, &order.score.n_ids)
                            : text_of(message, &text.bytes, &text.n_bytes);
    if (there) l->events.call(l->context, &order, m->has_ids ? NULL : &text);
    else frame_missing(l, who->client, m->call, m->has_ids ? "ids" : "text");
}

void client_link_probe(client_link *l, const sender *who, const Trivium__Probe *m,
                       const wire_message *message) {
    failure f;
    strategy chain;
    strategy_init(&chain);
    call_order order = {
        .kind = CALL_PROBE,
        .owner = who->owner,
        .client = who->client,
        .client_number = m->call,
        .n_unread_bytes = peer_unread_bytes(who->client),
        .model = m->model,
        .wait_ms = m->wait_ms,
        .probe = {.pool = m->pool, .traceparent = m->traceparent, .strategy = &chain, .seed = m->seed,
                  .step = m->step},
    };
    probe_order *o = &order.probe;
    o->row = wire_items(message, 0, sizeof *o->row, &o->n_row);
    if (!o->row) frame_missing(l, who->client, m->call, "logits");
    else if (!ids_of(message, 1, &o->history, &o->n_history))
        frame_missing(l, who->client, m->call, "ids");
    else if (strategy_from_wire(&chain, m->strategy, &f) != STATUS_OK)
        client_link_failed(l, who->client, m->call, &f);
    else l->events.call(l->context, &order, NULL);
    strategy_clear(&chain);
}

void client_link_render(client_link *l, const sender *who, const Trivium__Render *m, const wire_message *message) {
    failure f;
    chat_message *messages;
    prompt_order order = {
        .number = m->call,
        .n_unread_bytes = peer_unread_bytes(who->client),
        .model = m->model,
        .wait_ms = m->wait_ms,
        .conversation = {.n_ids_max = m->n_ids_max, .n_reply = m->n_reply},
    };
    if (conversation_fill(&order.conversation, m->template_, m->messages, m->n_messages, message, &messages, &f) == STATUS_OK)
        l->events.render(l->context, who, &order);
    else client_link_failed(l, who->client, m->call, &f);
    free(messages);
}
