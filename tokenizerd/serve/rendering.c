#include "rendering.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizerd/chat/conversation.h"

/* A conversation on its way to a prompt. */
struct rendering {
    renderer *by;               /* borrowed */
    rendering_listener listener;
    conversation *conversation; /* owned */
    owner *owner;               /* whose it is; held */
    size_t n_bytes_held;        /* its owner's, HOLDING_CALL_BYTES */
    chat_form asked;
    uint32_t n_ids_max;         /* 0: no bound */
    uint32_t n_reply;           /* ids that context and KV-cache must hold after them, see room_keep */
    bool as_room_allows;        /* the reply is bounded, see room_left */
    const served_model *model;  /* once it is here, as is what follows: */
    uint32_t n_ctx;
    uint64_t kv_tokens;         /* 0: not known */
    chat chat;
    queued_text *queued;        /* the try that is being encoded; owned, NULL: none */
    size_t n_head_bytes, n_tail_bytes;  /* of it, see chat_prompt */
    queued_text *fits;          /* encoded: the best try so far; owned, NULL: none */
};

static void rendering_free(rendering **out) {
    rendering *r = *out;
    queued_text_free(&r->queued);
    queued_text_free(&r->fits);
    conversation_free(&r->conversation);
    owner_give(r->owner, HOLDING_CALL_BYTES, r->n_bytes_held);
    owner_release(&r->owner);
    free(r);
    *out = NULL;
}

static uint64_t lesser(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* ---- its end ---- */

static void refuse(rendering *r, const failure *why) {
    r->listener.ended(r->listener.context, r->listener.of, NULL, why);
}

/* Of a reply to a prompt of so many ids: what these leave, and a quarter of the KV-cache, so that others find room. */
static uint32_t room_left(const rendering *r, size_t n_ids) {
    uint64_t n_left = r->n_ctx > n_ids ? r->n_ctx - n_ids : 0;
    if (r->kv_tokens > 0) n_left = lesser(n_left, r->kv_tokens > n_ids ? r->kv_tokens - n_ids : 0);
    if (r->kv_tokens > 0) n_left = lesser(n_left, r->kv_tokens / 4);
    return n_left > 0 ? (uint32_t)n_left : 1;
}

static void answer(rendering *r, const int32_t *ids, size_t n_ids, size_t n_cut) {
    const rendered_prompt prompt = {
        .ids = ids,
        .n_ids = n_ids,
        .n_dropped = conversation_n_dropped(r->conversation),
        .n_cut = n_cut,
        .form = r->chat.form,
        .origin = r->chat.origin,
        .stop = chat_stop(r->chat.form, served_model_vocab(r->model)),
        .model = served_model_name(r->model),
        .n_vocab = served_model_n_vocab(r->model),
        .n_ctx = r->n_ctx,
        .kv_tokens = r->kv_tokens,
        .n_tokens_max = r->as_room_allows ? room_left(r, n_ids) : 0,
    };
    r->listener.ended(r->listener.context, r->listener.of, &prompt, NULL);
}

static void answer_fitting(rendering *r) {
    size_t n_ids;
    const int32_t *ids = queued_text_ids(r->fits, &n_ids);
    answer(r, ids, n_ids, 0);
}

/* Only the system message and the last one are left, and their ids are too many. */
static void answer_cut(rendering *r) {
    failure f;
    size_t begin, n_cut;
    prompt_ids p = {.has_bos = r->chat.bos >= 0,
                    .n_head_bytes = r->n_head_bytes,
                    .n_tail_bytes = r->n_tail_bytes};
    p.ids = queued_text_ids(r->queued, &p.n_ids);
    status st = conversation_cut(served_model_vocab(r->model), &p, r->n_ids_max, &begin, &n_cut, &f);
    size_t n_left = p.n_ids - n_cut;
    int32_t *ids = st == STATUS_OK ? malloc((n_left + 1) * sizeof *ids) : NULL;
    if (st == STATUS_OK && !ids) fail(&f, STATUS_NO_MEMORY, "no memory for %zu ids", n_left);
    if (!ids) {
        refuse(r, &f);
        return;
    }
    memcpy(ids, p.ids, begin * sizeof *ids);
    memcpy(ids + begin, p.ids + begin + n_cut, (n_left - begin) * sizeof *ids);
    answer(r, ids, n_left, n_cut);
    free(ids);
}

/* ---- one try after the other ---- */

static queued_text_encoded on_encoded;

static status try_start(rendering *r, failure *f) {
    size_t n_messages;
    const chat_message *messages = conversation_messages(r->conversation, &n_messages);
    chat_prompt prompt;
    status st = chat_render(&r->chat, messages, n_messages,
                            conversation_n_dropped(r->conversation), &prompt, f);
    if (st != STATUS_OK) return st;
    r->n_head_bytes = prompt.n_head_bytes;
    r->n_tail_bytes = prompt.n_tail_bytes;
    st = encode_queue_add(r->by->encode_queue, r->owner, prompt.pieces, prompt.n_pieces,
                          (queued_text_listener){on_encoded, NULL, r}, &r->queued, f);
    free(prompt.pieces);
    if (st == STATUS_OK) queued_text_start(r->queued, served_model_tokenizer(r->model), r->chat.bos);
    return st;
}

/* The next try, until one is on its way or there is nothing more to try. A text that is too long to be
 * encoded is one that does not fit. */
static void try_next(rendering *r) {
    for (;;) {
        failure f;
        queued_text_free(&r->queued);
        status st = try_start(r, &f);
        if (st == STATUS_OK) {
            wakeup_set(r->by->turn, 0);
            return;
        }
        conversation_next next = CONVERSATION_TOO_LONG;
        if (st == STATUS_TOO_LONG && r->n_ids_max > 0)
            next = conversation_tried(r->conversation, false);
        if (next == CONVERSATION_AGAIN) continue;
        if (next == CONVERSATION_FITS) answer_fitting(r);
        else refuse(r, &f);
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

static void on_encoded(void *context, void *of, const failure *why) {
    (void)context;
    rendering *r = of;
    bool may_fit_shorter = r->n_ids_max > 0;
    if (why && !(why->code == STATUS_TOO_LONG && may_fit_shorter)) {
        refuse(r, why);
        return;
    }
    bool fits = !why && try_fits(r);
    switch (conversation_tried(r->conversation, fits)) {
    case CONVERSATION_AGAIN: try_next(r); break;
    case CONVERSATION_FITS: answer_fitting(r); break;
    case CONVERSATION_TOO_LONG:
        if (why) refuse(r, why);
        else answer_cut(r);
        break;
    }
}

/* Where the reply is to have room, context and KV-cache bound the prompt, too; but the room is at most half
 * of the one and a quarter of the other. */
static void room_keep(rendering *r) {
    if (r->n_reply == 0) return;
    uint64_t kv_tokens = r->kv_tokens > 0 ? r->kv_tokens : UINT64_MAX;
    uint64_t n_reply = lesser(r->n_reply, lesser(r->n_ctx / 2, kv_tokens / 4));
    uint32_t n_ids_max = (uint32_t)(lesser(r->n_ctx, kv_tokens) - n_reply);
    if (r->n_ids_max == 0 || r->n_ids_max > n_ids_max) r->n_ids_max = n_ids_max;
}

void rendering_begin(rendering *r, const served_model *m) {
    r->model = m;
    r->n_ctx = served_model_n_ctx(m);
    r->kv_tokens = served_model_kv_tokens(m);
    room_keep(r);
    r->chat = chat_choose(served_model_tokenizer(m), served_model_template(m), r->asked);
    try_next(r);
}

/* ---- its beginning ---- */

/* What it holds at most: the conversation, and the ids of the best try so far where there may be several. */
static size_t bytes_of(const conversation_order *order) {
    size_t n_bytes = conversation_bytes(order->messages, order->n_messages);
    bool is_bounded = order->n_ids_max > 0 || order->n_reply > 0;
    return n_bytes + (is_bounded ? sizeof(int32_t) * lesser(n_bytes, TOKENIZE_IDS_MAX) : 0);
}

status rendering_new(renderer *by, owner *whose, const conversation_order *order, rendering_listener listener,
                     kept_rendering *out, failure *f) {
    const size_t n_bytes = bytes_of(order);
    status st = chat_check(order->messages, order->n_messages, f);
    if (st == STATUS_OK) st = owner_take(whose, HOLDING_CALL_BYTES, n_bytes, f);
    if (st != STATUS_OK) return st;
    rendering *r = calloc(1, sizeof *r);
    if (r) r->conversation = conversation_new(order->messages, order->n_messages);
    if (!r || !r->conversation) {
        free(r);
        owner_give(whose, HOLDING_CALL_BYTES, n_bytes);
        return fail(f, STATUS_NO_MEMORY, "no memory for %zu messages", order->n_messages);
    }
    r->by = by;
    r->owner = owner_hold(whose);
    r->listener = listener;
    r->n_bytes_held = n_bytes;
    r->asked = order->form;
    r->n_ids_max = order->n_ids_max;
    r->n_reply = order->n_reply;
    r->as_room_allows = order->as_room_allows;
    *out = (kept_rendering){r, rendering_free};
    return STATUS_OK;
}
