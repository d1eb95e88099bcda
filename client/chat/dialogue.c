#include "dialogue.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/json.h"
#include "client/lib/random.h"
#include "client/terminal/trimmed.h"
#include "proto/base/text.h"

typedef enum dialogue_state {
    DIALOGUE_IDLE,
    DIALOGUE_ASKED,                 /* a reply is wanted; tokenizerd makes a prompt of what was said */
    DIALOGUE_WRITING,               /* it comes */
} dialogue_state;

enum {
    SESSION_DIGITS = 2 * REQUEST_BYTES,
    REPLY_ROOM_TOKENS = 1024,       /* that the longest history leaves to a reply of no given length */
};

struct dialogue {
    client *client;             /* borrowed */
    const dialogue_options *options;
    dialogue_events events;
    void *context;
    transcript *said;
    dialogue_state state;
    strategy chain;             /* of the next reply */
    uint32_t n_vocab, n_ctx;    /* of the model that wrote last; 0: none did */
    uint64_t kv_tokens;         /* the same */
    uint64_t seed;
    bool stopped;               /* by dialogue_stop: the reply, or before it began */
    bool paused;                /* by dialogue_pause: the same */
    bool told_form;             /* a note said which form stands in for the model's own */
    bool told_model;            /* a note said which one answers, or none is needed */
    char model[NAME_BYTES_MAX + 1];     /* that the conversation is with, as soon as it is known */
    char session[SESSION_DIGITS + 1];   /* what names its keys and values */

    conversation_prompt prompt;
    generation_request request;
    strategy request_chain;     /* that it began with */
    trimmed reply;
    uint32_t n_prompt, n_tokens;    /* ids: before it, and of it */
    uint32_t n_dropped;
    reply_limit limit;
};

static void note(dialogue *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(dialogue *d, const char *format, ...) {
    char sentence[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    d->events.note(d->context, sentence);
}

/* ---- the end of an exchange ---- */

/* What was said and not answered is taken back, so that it can be said again. */
static void exchange_end(dialogue *d, dialogue_reply *reply) {
    reply->text = d->reply.text.bytes;
    reply->n_bytes = d->reply.text.n_bytes;
    reply->n_prompt = d->n_prompt;
    reply->n_dropped = d->n_dropped;
    bool has_reply = reply->n_bytes > 0 || reply->code == STATUS_OK;
    if (d->stopped && reply->n_bytes == 0) has_reply = false;
    if (has_reply &&
        transcript_add(d->said, "assistant", reply->text, reply->n_bytes) != STATUS_OK) {
        has_reply = false;
        reply->code = STATUS_NO_MEMORY;
        reply->message = "no memory to keep the reply";
    }
    if (!has_reply) transcript_withdraw(d->said);
    d->state = DIALOGUE_IDLE;
    d->paused = false;
    d->events.over(d->context, reply);
}

/* ---- the reply ---- */

static void tell_form(dialogue *d, const conversation_form *made) {
    if (d->told_form) return;
    d->told_form = true;
    if (made->origin == FORM_BY_DEFAULT)
        note(d, "the model has no chat template: the form '%s' is used", made->form);
    if (made->origin == FORM_IN_PLACE)
        note(d, "the model's chat template is not known here: the form '%s' is used instead "
             "(--chat-template overrides)", made->form);
}

static void tell_history(dialogue *d, uint32_t n_cut) {
    if (d->n_dropped > 0)
        note(d, "%u older message%s no longer fit%s and %s left out", d->n_dropped,
             d->n_dropped == 1 ? "" : "s", d->n_dropped == 1 ? "s" : "",
             d->n_dropped == 1 ? "is" : "are");
    if (n_cut > 0) note(d, "your message does not fit: its first %u tokens are left out", n_cut);
}

/* The seeds of replies count up, so that the same words said again may be answered in another way. */
static void on_started(void *context, const generation_start *start) {
    dialogue *d = context;
    d->state = DIALOGUE_WRITING;
    d->n_prompt = start->n_prompt;
    d->n_dropped += start->made.n_dropped;
    tell_form(d, &start->made);
    tell_history(d, start->made.n_cut);
    d->n_vocab = start->n_vocab;
    d->n_ctx = start->n_ctx;
    d->kv_tokens = start->kv_tokens;
    if (!d->model[0]) snprintf(d->model, sizeof d->model, "%s", start->model);
    transcript_forget(d->said, start->made.n_dropped);
    d->limit = reply_limit_of(start->n_prompt, start->n_ctx, start->kv_tokens, d->options->max_new_tokens);
    d->limit.n_tokens = start->max_new_tokens;
    d->seed = (d->seed + 1) % SEED_MAX;
    if (!d->told_model && start->n_models > 1) note(d, "%s answers", start->model);
    d->told_model = true;
}

/* Text without a token is what was held back until the end. A character that is not whole ends it as U+FFFD:
 * whoever asked for the text of some tokens is to know, but in a chat nobody said it. */
static size_t whole_bytes(const generation_chunk *chunk) {
    static const char half[] = "\xEF\xBF\xBD";
    const size_t n_half = sizeof half - 1, n_bytes = chunk->n_bytes;
    bool is_cut = chunk->n_tokens == 0 && n_bytes >= n_half &&
                  memcmp(chunk->text + n_bytes - n_half, half, n_half) == 0;
    return is_cut ? n_bytes - n_half : n_bytes;
}

static void on_chunk(void *context, const generation_chunk *chunk) {
    dialogue *d = context;
    size_t from;
    d->n_tokens += (uint32_t)chunk->n_tokens;
    if (trimmed_add(&d->reply, chunk->text, whole_bytes(chunk), &from) != STATUS_OK) {
        note(d, "no memory for the rest of the reply");
        client_cancel(d->client, d->request.id);
    } else if (d->reply.text.n_bytes > from) {
        d->events.text(d->context, d->reply.text.bytes + from, d->reply.text.n_bytes - from);
    }
}

static void on_done(void *context, const generation_done *done) {
    dialogue *d = context;
    dialogue_reply reply = {.reason = done->reason, .n_tokens = done->n_tokens};
    if (done->reason == FINISHED_LENGTH) reply.limit = &d->limit;
    if (done->reason == FINISHED_ERROR) {
        reply.code = done->code;
        reply.message = done->message;
    } else if (done->reason == FINISHED_SUPERSEDED ||
               (done->reason == FINISHED_CANCELLED && !d->stopped)) {
        reply.code = STATUS_CANCELLED;
        reply.message = "the reply was ended from elsewhere";
    }
    exchange_end(d, &reply);
}

/* ---- what whoever chats does ---- */

static status reply_ask(dialogue *d, failure *f) {
    static const generation_events events = {
        .started = on_started, .chunk = on_chunk, .done = on_done};
    const dialogue_options *o = d->options;
    d->prompt = (conversation_prompt){.form = o->form, .n_ids_max = o->max_history_tokens,
                                      .n_reply = o->max_new_tokens > 0 ? o->max_new_tokens : REPLY_ROOM_TOKENS};
    d->prompt.messages = transcript_seen(d->said, &d->prompt.n_messages);
    if (!d->prompt.messages) return fail(f, STATUS_NO_MEMORY, "no memory for the message");
    strategy_clear(&d->request_chain);
    if (strategy_copy(&d->request_chain, &d->chain) != STATUS_OK)
        return fail(f, STATUS_NO_MEMORY, "no memory for the chain");
    d->request = (generation_request){
        .conversation = &d->prompt,
        .model = d->model, .pool = o->pool, .session = d->session,
        .chain = &d->request_chain, .seed = d->seed,
        .max_new_tokens = o->max_new_tokens > 0 ? o->max_new_tokens : MAX_NEW_TOKENS_MAX,
        .as_room_allows = true,
    };
    status st = random_bytes(d->request.id, REQUEST_BYTES, f);
    return st == STATUS_OK ? client_generate(d->client, &d->request, &events, d, f) : st;
}

/* The last message is to get a reply. */
static status exchange_begin(dialogue *d, failure *f) {
    d->n_dropped = (uint32_t)transcript_forget_excess(d->said);
    d->n_prompt = d->n_tokens = 0;
    trimmed_clear(&d->reply);
    d->stopped = false;
    d->state = DIALOGUE_ASKED;
    status st = reply_ask(d, f);
    if (st == STATUS_OK) return st;
    transcript_withdraw(d->said);
    d->state = DIALOGUE_IDLE;
    return st;
}

status dialogue_say(dialogue *d, const char *text, size_t n_bytes, failure *f) {
    assert(d->state == DIALOGUE_IDLE);
    if (n_bytes == 0) return fail(f, STATUS_BAD_REQUEST, "an empty message has no reply");
    if (n_bytes > TEXT_BYTES_MAX) return fail(f, STATUS_TOO_LONG, "the message is too long");
    if (!text_is_utf8((const uint8_t *)text, n_bytes))
        return fail(f, STATUS_NOT_UTF8, "the message is not UTF-8");
    status st = transcript_add(d->said, "user", text, n_bytes);
    return st == STATUS_OK ? exchange_begin(d, f) : fail(f, st, "no memory for the message");
}

status dialogue_regenerate(dialogue *d, failure *f) {
    assert(d->state == DIALOGUE_IDLE);
    if (transcript_reopen(d->said)) return exchange_begin(d, f);
    return fail(f, STATUS_NOT_FOUND, "nothing was said that could get another reply");
}

bool dialogue_is_busy(const dialogue *d) {
    return d->state != DIALOGUE_IDLE;
}

void dialogue_stop(dialogue *d) {
    d->stopped = true;
    if (d->state != DIALOGUE_IDLE) client_cancel(d->client, d->request.id);
}

void dialogue_pause(dialogue *d) {
    if (d->state == DIALOGUE_IDLE || d->paused) return;
    d->paused = true;
    client_pause(d->client, d->request.id);
}

void dialogue_resume(dialogue *d) {
    if (!d->paused) return;
    d->paused = false;
    client_resume(d->client, d->request.id);
}

static void note_chain(dialogue *d, const char *since, const strategy *chain) {
    char *line = json_strategy_line(chain);
    note(d, "%s: %s", since, line ? line : "");
    free(line);
}

status dialogue_tune(dialogue *d, const strategy *stages, bool replace, failure *f) {
    const bool is_wanted = d->state != DIALOGUE_IDLE && !d->stopped;
    assert(!is_wanted || d->paused);
    const strategy *now = &d->chain;
    strategy next;
    strategy_init(&next);
    status st = strategy_changed(&next, &d->chain, stages, replace, d->n_vocab, f);
    if (st == STATUS_OK && is_wanted) {
        now = client_change(d->client, d->request.id, stages, replace, f);
        if (!now) st = f->code;
    }
    if (st != STATUS_OK) {
        strategy_clear(&next);
        return st;
    }
    strategy_clear(&d->chain);
    d->chain = next;            /* takes it over */
    char since[64] = "strategy";
    if (is_wanted && d->state == DIALOGUE_WRITING) snprintf(since, sizeof since, "from step %u on", d->n_tokens);
    note_chain(d, since, now);
    return STATUS_OK;
}

dialogue_facts dialogue_facts_of(const dialogue *d) {
    return (dialogue_facts){
        .model = d->model, .chain = &d->chain, .seed = d->seed,
        .max_history_tokens = d->options->max_history_tokens, .max_new_tokens = d->options->max_new_tokens,
        .n_ctx = d->n_ctx, .kv_tokens = d->kv_tokens,
    };
}

transcript *dialogue_transcript(dialogue *d) {
    return d->said;
}

/* ---- its life ---- */

static void on_waiting(void *context, const char *sentence, bool in_text) {
    (void)in_text;
    note(context, "%s", sentence);
}

dialogue *dialogue_new(client *of, const dialogue_options *options, const dialogue_events *events, void *context,
               failure *f) {
    uint8_t random[REQUEST_BYTES];
    if (random_bytes(random, sizeof random, f) != STATUS_OK) return NULL;
    dialogue *d = calloc(1, sizeof *d);
    if (d) {
        *d = (dialogue){.client = of, .options = options, .events = *events, .context = context,
                    .seed = options->seed, .told_model = options->greeted};
        if (options->model) snprintf(d->model, sizeof d->model, "%s", options->model);
        text_hex(random, sizeof random, d->session);
        d->said = transcript_new(options->system);
        if (!d->said || strategy_copy(&d->chain, options->chain) != STATUS_OK) dialogue_free(&d);
    }
    if (d) client_set_waiting(of, on_waiting, d);
    else fail(f, STATUS_NO_MEMORY, "no memory for a chat");
    return d;
}

void dialogue_free(dialogue **out) {
    dialogue *d = *out;
    if (!d) return;
    *out = NULL;
    client_set_waiting(d->client, NULL, NULL);
    trimmed_clear(&d->reply);
    strategy_clear(&d->chain);
    strategy_clear(&d->request_chain);
    transcript_free(&d->said);
    free(d);
}
