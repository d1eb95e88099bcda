#include "rendering.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/clock.h"
#include "tokenizerd/chat/conversation.h"

/* A conversation on its way to a prompt. */
struct rendering {
    conversation *conversation; /* owned */
    chat_form asked;
    uint32_t n_ids_max;         /* 0: no bound */
    uint32_t n_reply;           /* ids that context and KV-cache must hold after them, see room_keep */
    chat chat;                  /* once its model is here */
    queued_text *queued;        /* the try that is being encoded; owned, NULL: none */
    size_t n_head_bytes, n_tail_bytes;  /* of it, see chat_prompt */
    queued_text *fits;          /* encoded: the best try so far; owned, NULL: none */
};

static rendering *rendering_new(const prompt_order *order) {
    rendering *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->asked = order->form;
    r->n_ids_max = order->n_ids_max;
    r->n_reply = order->n_reply;
    r->conversation = conversation_new(order->messages, order->n_messages);
    if (r->conversation) return r;
    free(r);
    return NULL;
}

static void rendering_free(rendering **out) {
    rendering *r = *out;
    queued_text_free(&r->queued);
    queued_text_free(&r->fits);
    conversation_free(&r->conversation);
    free(r);
    *out = NULL;
}

static rendering *rendering_of(call *c) {
    return call_as_render(c)->rendering;
}

/* ---- its answer ---- */

static void refuse(renderer *by, call *c, const failure *why) {
    client_link_failed(by->clients, c->client, c->client_number, why);
    calls_remove(by->calls, &c);
}

static void answer_rendered(renderer *by, call *c, const int32_t *ids, size_t n_ids, size_t n_cut) {
    const rendering *r = rendering_of(c);
    const rendered_prompt prompt = {
        .ids = ids,
        .n_ids = n_ids,
        .n_dropped = conversation_n_dropped(r->conversation),
        .n_cut = n_cut,
        .form = r->chat.form,
        .origin = r->chat.origin,
        .stop = chat_stop(r->chat.form, served_model_vocab(c->model)),
        .model = served_model_name(c->model),
        .n_vocab = served_model_n_vocab(c->model),
        .n_ctx = served_model_n_ctx(c->model),
        .kv_tokens = served_model_kv_tokens(c->model),
    };
    client_link_rendered(by->clients, c->client, c->client_number, &prompt);
    calls_remove(by->calls, &c);
}

static void answer_fitting(renderer *by, call *c) {
    size_t n_ids;
    const int32_t *ids = queued_text_ids(rendering_of(c)->fits, &n_ids);
    answer_rendered(by, c, ids, n_ids, 0);
}

/* Only the system message and the last one are left, and their ids are too many. */
static void answer_cut(renderer *by, call *c) {
    failure f;
    size_t begin, n_cut;
    const rendering *r = rendering_of(c);
    prompt_ids p = {.has_bos = r->chat.bos >= 0,
                    .n_head_bytes = r->n_head_bytes,
                    .n_tail_bytes = r->n_tail_bytes};
    p.ids = queued_text_ids(r->queued, &p.n_ids);
    status st = conversation_cut(served_model_vocab(c->model), &p, r->n_ids_max, &begin, &n_cut, &f);
    size_t n_left = p.n_ids - n_cut;
    int32_t *ids = st == STATUS_OK ? malloc((n_left + 1) * sizeof *ids) : NULL;
    if (st == STATUS_OK && !ids) fail(&f, STATUS_NO_MEMORY, "no memory for %zu ids", n_left);
    if (!ids) {
        refuse(by, c, &f);
        return;
    }
    memcpy(ids, p.ids, begin * sizeof *ids);
    memcpy(ids + begin, p.ids + begin + n_cut, (n_left - begin) * sizeof *ids);
    answer_rendered(by, c, ids, n_left, n_cut);
    free(ids);
}

/* ---- one try after the other ---- */

static queued_text_encoded on_encoded;

static status try_start(renderer *by, call *c, failure *f) {
    rendering *r = rendering_of(c);
    size_t n_messages;
    const chat_message *messages = conversation_messages(r->conversation, &n_messages);
    chat_prompt prompt;
    status st = chat_render(&r->chat, messages, n_messages,
                            conversation_n_dropped(r->conversation), &prompt, f);
    if (st != STATUS_OK) return st;
    r->n_head_bytes = prompt.n_head_bytes;
    r->n_tail_bytes = prompt.n_tail_bytes;
    st = encode_queue_add(by->encode_queue, prompt.pieces, prompt.n_pieces,
                          (queued_text_listener){on_encoded, by, c}, &r->queued, f);
    free(prompt.pieces);
    if (st == STATUS_OK) queued_text_start(r->queued, served_model_tokenizer(c->model), r->chat.bos);
    return st;
}

/* The next try, until one is on its way or the call is answered. A text that is too long to be
 * encoded is one that does not fit. */
static void try_next(renderer *by, call *c) {
    rendering *r = rendering_of(c);
    for (;;) {
        failure f;
        queued_text_free(&r->queued);
        status st = try_start(by, c, &f);
        if (st == STATUS_OK) {
            c->state = CALL_ENCODING;
            turn_ask(by->turn);
            return;
        }
        conversation_next next = CONVERSATION_TOO_LONG;
        if (st == STATUS_TOO_LONG && r->n_ids_max > 0)
            next = conversation_tried(r->conversation, false);
        if (next == CONVERSATION_AGAIN) continue;
        if (next == CONVERSATION_FITS) answer_fitting(by, c);
        else refuse(by, c, &f);
        return;
    }
}

/* What was encoded and fits is kept: it may turn out to be the longest that does. */
static bool try_fits(rendering *r) {
    size_t n_ids;
    queued_text_ids(r->queued, &n_ids);
    if (r->n_ids_max > 0 && n_ids > r->n_ids_max) return false;
    queued_text_free(&r->fits);
    r->fits = r->queued;
    r->queued = NULL;
    return true;
}

static void on_encoded(void *context, void *owner, const failure *why) {
    renderer *by = context;
    call *c = owner;
    rendering *r = rendering_of(c);
    bool may_fit_shorter = r->n_ids_max > 0;
    if (why && !(why->code == STATUS_TOO_LONG && may_fit_shorter)) {
        refuse(by, c, why);
        return;
    }
    bool fits = !why && try_fits(r);
    switch (conversation_tried(r->conversation, fits)) {
    case CONVERSATION_AGAIN: try_next(by, c); break;
    case CONVERSATION_FITS: answer_fitting(by, c); break;
    case CONVERSATION_TOO_LONG:
        if (why) refuse(by, c, why);
        else answer_cut(by, c);
        break;
    }
}

static uint64_t lesser(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* Where the reply is to have room, context and KV-cache bound the prompt, too; but the room is at most half
 * of the one and a quarter of the other. */
static void room_keep(rendering *r, uint32_t n_ctx, uint64_t kv_tokens) {
    if (r->n_reply == 0) return;
    if (kv_tokens == 0) kv_tokens = UINT64_MAX;     /* not known */
    uint64_t n_reply = lesser(r->n_reply, lesser(n_ctx / 2, kv_tokens / 4));
    uint32_t n_ids_max = (uint32_t)(lesser(n_ctx, kv_tokens) - n_reply);
    if (r->n_ids_max == 0 || r->n_ids_max > n_ids_max) r->n_ids_max = n_ids_max;
}

void renderer_begin(renderer *by, call *c) {
    rendering *r = rendering_of(c);
    room_keep(r, served_model_n_ctx(c->model), served_model_kv_tokens(c->model));
    r->chat = chat_choose(served_model_tokenizer(c->model), served_model_template(c->model), r->asked);
    try_next(by, c);
}

/* What it holds at most: the conversation, and the ids of the best try so far where there may be several. */
static size_t bytes_of(const prompt_order *order) {
    size_t n_bytes = conversation_bytes(order->messages, order->n_messages);
    bool is_bounded = order->n_ids_max > 0 || order->n_reply > 0;
    return n_bytes + (is_bounded ? sizeof(int32_t) * lesser(n_bytes, TOKENIZE_IDS_MAX) : 0);
}

call *renderer_take(renderer *by, peer *client, const prompt_order *order) {
    failure f;
    call *c;
    const call_order of_table = {
        .kind = CALL_RENDER,
        .client = client,
        .client_number = order->number,
        .model = order->model,
        .wait_ms = order->wait_ms,
        .render = {.n_bytes = bytes_of(order)},
    };
    if (calls_add(by->calls, &of_table, clock_us(), &c, &f) != STATUS_OK) {
        client_link_failed(by->clients, client, order->number, &f);
        return NULL;
    }
    status st = chat_check(order->messages, order->n_messages, &f);
    rendering *r = st == STATUS_OK ? rendering_new(order) : NULL;
    if (st == STATUS_OK && !r)
        fail(&f, STATUS_NO_MEMORY, "no memory for %zu messages", order->n_messages);
    if (!r) {
        refuse(by, c, &f);
        return NULL;
    }
    call_set_rendering(c, r, rendering_free);
    return c;
}
