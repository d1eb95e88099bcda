#include "chat.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/ids.h"
#include "client/cli/json.h"
#include "client/lib/random.h"
#include "client/terminal/trimmed.h"
#include "proto/base/text.h"

typedef enum chat_state {
    CHAT_IDLE,
    CHAT_RENDERING,             /* tokenizerd makes a prompt of what was said */
    CHAT_WRITING,               /* the reply comes */
} chat_state;

enum { SESSION_DIGITS = 2 * REQUEST_BYTES };

struct chat {
    client *client;             /* borrowed */
    const chat_options *options;
    chat_events events;
    void *context;
    transcript *said;
    chat_state state;
    strategy chain;             /* of the next reply */
    uint32_t n_vocab;           /* of the model that wrote last; 0: none did */
    uint64_t seed;
    bool stopped;               /* by chat_stop: the reply, or before it began */
    bool paused;                /* by chat_pause: the same */
    bool told_form;             /* a note said which form stands in for the model's own */
    bool told_model;            /* a note said which one answers, or none is needed */
    char model[NAME_BYTES_MAX + 1];     /* that the conversation is with, as soon as it is known */
    char session[SESSION_DIGITS + 1];   /* what names its keys and values */

    question render;
    generation_request request;
    strategy request_chain;     /* that it began with */
    id_list prompt;
    char *stops[STOPS_MAX];     /* [request.n_stops], owned */
    trimmed reply;
    uint32_t n_tokens;          /* of it */
    uint32_t n_dropped;
};

static void note(chat *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(chat *c, const char *format, ...) {
    char sentence[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    c->events.note(c->context, sentence);
}

/* ---- the end of an exchange ---- */

static void stops_clear(chat *c) {
    for (size_t i = 0; i < c->request.n_stops; i++) free(c->stops[i]);
    c->request.n_stops = 0;
}

/* What was said and not answered is taken back, so that it can be said again. */
static void exchange_end(chat *c, chat_reply *reply) {
    reply->text = c->reply.text.bytes;
    reply->n_bytes = c->reply.text.n_bytes;
    reply->n_prompt = (uint32_t)c->prompt.n_ids;
    reply->n_dropped = c->n_dropped;
    bool has_reply = reply->n_bytes > 0 || reply->code == STATUS_OK;
    if (c->stopped && reply->n_bytes == 0) has_reply = false;
    if (has_reply &&
        transcript_add(c->said, "assistant", reply->text, reply->n_bytes) != STATUS_OK) {
        has_reply = false;
        reply->code = STATUS_NO_MEMORY;
        reply->message = "no memory to keep the reply";
    }
    if (!has_reply) transcript_pop(c->said);
    stops_clear(c);
    c->state = CHAT_IDLE;
    c->paused = false;
    c->events.over(c->context, reply);
}

static void exchange_fail(chat *c, const failure *f) {
    exchange_end(c, &(chat_reply){.code = f->code, .message = f->message});
}

/* ---- the reply ---- */

static void on_started(void *context, const generation_start *start) {
    chat *c = context;
    if (!c->told_model && start->n_models > 1) note(c, "%s answers", start->model);
    c->told_model = true;
}

static void on_chunk(void *context, const generation_chunk *chunk) {
    chat *c = context;
    size_t from;
    c->n_tokens += (uint32_t)chunk->n_tokens;
    if (trimmed_add(&c->reply, chunk->text, chunk->n_bytes, &from) != STATUS_OK) {
        note(c, "no memory for the rest of the reply");
        client_cancel(c->client, c->request.id);
    } else if (c->reply.text.n_bytes > from) {
        c->events.text(c->context, c->reply.text.bytes + from, c->reply.text.n_bytes - from);
    }
}

static void on_done(void *context, const generation_done *done) {
    chat *c = context;
    chat_reply reply = {.reason = done->reason, .n_tokens = done->n_tokens};
    if (done->reason == FINISHED_ERROR) {
        reply.code = done->code;
        reply.message = done->message;
    } else if (done->reason == FINISHED_SUPERSEDED ||
               (done->reason == FINISHED_CANCELLED && !c->stopped)) {
        reply.code = STATUS_CANCELLED;
        reply.message = "the reply was ended from elsewhere";
    }
    exchange_end(c, &reply);
}

/* The seeds of replies count up, so that the same words said again may be answered in another way. */
static status reply_begin(chat *c, failure *f) {
    static const generation_events events = {
        .started = on_started, .chunk = on_chunk, .done = on_done};
    strategy_clear(&c->request_chain);
    if (strategy_copy(&c->request_chain, &c->chain) != STATUS_OK)
        return fail(f, STATUS_NO_MEMORY, "no memory for the chain");
    size_t n_stops = c->request.n_stops;
    c->request = (generation_request){
        .ids = c->prompt.ids, .n_ids = c->prompt.n_ids,
        .model = c->model, .pool = c->options->pool, .session = c->session,
        .chain = &c->request_chain, .seed = c->seed, .max_new_tokens = c->options->max_new_tokens,
        .stops = (const char *const *)c->stops, .n_stops = n_stops,
    };
    c->seed = (c->seed + 1) % SEED_MAX;
    c->n_tokens = 0;
    status st = random_bytes(c->request.id, REQUEST_BYTES, f);
    c->state = CHAT_WRITING;
    if (st == STATUS_OK) st = client_generate(c->client, &c->request, &events, c, f);
    if (st == STATUS_OK && c->paused) client_pause(c->client, c->request.id);
    return st;
}

/* ---- its prompt ---- */

static void tell_form(chat *c, const render_answer *a) {
    if (c->told_form) return;
    c->told_form = true;
    if (a->origin == FORM_BY_DEFAULT)
        note(c, "the model has no chat template: the form '%s' is used", a->form);
    if (a->origin == FORM_IN_PLACE)
        note(c, "the model's chat template is not known here: the form '%s' is used instead "
             "(--chat-template overrides)", a->form);
}

static void tell_history(chat *c, const render_answer *a) {
    if (a->n_dropped > 0)
        note(c, "%u older message%s no longer fit%s and %s left out", a->n_dropped,
             a->n_dropped == 1 ? "" : "s", a->n_dropped == 1 ? "s" : "",
             a->n_dropped == 1 ? "is" : "are");
    if (a->n_cut > 0)
        note(c, "your message does not fit: its first %u tokens are left out", a->n_cut);
}

static status prompt_keep(chat *c, const render_answer *a, failure *f) {
    ids_clear(&c->prompt);
    for (size_t i = 0; i < a->n_ids; i++) {
        status st = ids_add(&c->prompt, a->ids[i], f);
        if (st != STATUS_OK) return st;
    }
    for (size_t i = 0; i < a->n_stops; i++) {
        c->stops[i] = strdup(a->stops[i]);
        if (!c->stops[i]) return fail(f, STATUS_NO_MEMORY, "no memory for the prompt");
        c->request.n_stops++;
    }
    return STATUS_OK;
}

static void on_rendered(void *context, const answer *a) {
    chat *c = context;
    failure f = {.code = a->code};
    if (a->code != STATUS_OK) {
        fail(&f, a->code, "%s", a->message);
        exchange_fail(c, &f);
        return;
    }
    const render_answer *rendered = answer_to_render(a);
    tell_form(c, rendered);
    tell_history(c, rendered);
    c->n_vocab = rendered->n_vocab;
    if (!c->model[0]) snprintf(c->model, sizeof c->model, "%s", rendered->model);
    c->n_dropped = rendered->n_dropped;
    transcript_forget(c->said, rendered->n_dropped);
    if (c->stopped) {
        exchange_end(c, &(chat_reply){.reason = FINISHED_CANCELLED});
        return;
    }
    status st = prompt_keep(c, rendered, &f);
    if (st == STATUS_OK) st = reply_begin(c, &f);
    if (st != STATUS_OK) exchange_fail(c, &f);
}

/* ---- what whoever chats does ---- */

status chat_say(chat *c, const char *text, size_t n_bytes, failure *f) {
    assert(c->state == CHAT_IDLE);
    if (n_bytes == 0) return fail(f, STATUS_BAD_REQUEST, "an empty message has no reply");
    if (n_bytes > TEXT_BYTES_MAX) return fail(f, STATUS_TOO_LONG, "the message is too long");
    if (!text_is_utf8((const uint8_t *)text, n_bytes))
        return fail(f, STATUS_NOT_UTF8, "the message is not UTF-8");
    status st = transcript_add(c->said, "user", text, n_bytes);
    if (st != STATUS_OK) return fail(f, st, "no memory for the message");
    render_question *asked = &c->render.render;
    c->render.kind = CALL_RENDER;
    *asked = (render_question){.model = c->model, .form = c->options->form,
                               .n_ids_max = c->options->max_history_tokens,
                               .n_reply = c->options->max_new_tokens};
    asked->messages = transcript_seen(c->said, &asked->n_messages);
    trimmed_clear(&c->reply);
    ids_clear(&c->prompt);
    c->stopped = false;
    c->n_dropped = 0;
    c->state = CHAT_RENDERING;
    st = asked->messages ? client_call(c->client, &c->render, on_rendered, c, f)
                            : fail(f, STATUS_NO_MEMORY, "no memory for the message");
    if (st == STATUS_OK) return st;
    transcript_pop(c->said);
    c->state = CHAT_IDLE;
    return st;
}

bool chat_is_busy(const chat *c) {
    return c->state != CHAT_IDLE;
}

void chat_stop(chat *c) {
    c->stopped = true;
    if (c->state == CHAT_WRITING) client_cancel(c->client, c->request.id);
}

void chat_pause(chat *c) {
    if (c->state == CHAT_IDLE || c->paused) return;
    c->paused = true;
    if (c->state == CHAT_WRITING) client_pause(c->client, c->request.id);
}

void chat_resume(chat *c) {
    if (!c->paused) return;
    c->paused = false;
    if (c->state == CHAT_WRITING) client_resume(c->client, c->request.id);
}

static void note_chain(chat *c, const char *since, const strategy *chain) {
    char *line = json_strategy_line(chain);
    note(c, "%s: %s", since, line ? line : "");
    free(line);
}

/* The strategy of the replies to come. */
static status next_chain(const chat *c, const strategy *steps, bool replace, strategy *out, failure *f) {
    if (strategy_copy(out, &c->chain) != STATUS_OK)
        return fail(f, STATUS_NO_MEMORY, "no memory for the change");
    status st = strategy_change(out, steps, replace, f);
    return st == STATUS_OK && c->n_vocab > 0 ? strategy_check_ids(out, c->n_vocab, f) : st;
}

status chat_tune(chat *c, const strategy *steps, bool replace, failure *f) {
    const bool is_writing = c->state == CHAT_WRITING && !c->stopped;
    assert(!is_writing || c->paused);
    const strategy *now = &c->chain;
    strategy next;
    strategy_init(&next);
    status st = next_chain(c, steps, replace, &next, f);
    if (st == STATUS_OK && is_writing) {
        now = client_change(c->client, c->request.id, steps, replace, f);
        if (!now) st = f->code;
    }
    if (st != STATUS_OK) {
        strategy_clear(&next);
        return st;
    }
    strategy_clear(&c->chain);
    c->chain = next;            /* takes it over */
    char since[64] = "strategy";
    if (is_writing) snprintf(since, sizeof since, "from step %u on", c->n_tokens);
    note_chain(c, since, now);
    return STATUS_OK;
}

const strategy *chat_strategy(const chat *c) {
    return &c->chain;
}

transcript *chat_transcript(chat *c) {
    return c->said;
}

/* ---- its life ---- */

chat *chat_new(client *of, const chat_options *options, const chat_events *events, void *context,
               failure *f) {
    uint8_t random[REQUEST_BYTES];
    if (random_bytes(random, sizeof random, f) != STATUS_OK) return NULL;
    chat *c = calloc(1, sizeof *c);
    if (c) {
        *c = (chat){.client = of, .options = options, .events = *events, .context = context,
                    .seed = options->seed, .told_model = options->greeted};
        if (options->model) snprintf(c->model, sizeof c->model, "%s", options->model);
        text_hex(random, sizeof random, c->session);
        c->said = transcript_new(options->system);
        if (!c->said || strategy_copy(&c->chain, options->chain) != STATUS_OK) chat_free(&c);
    }
    if (!c) fail(f, STATUS_NO_MEMORY, "no memory for a chat");
    return c;
}

void chat_free(chat **out) {
    chat *c = *out;
    if (!c) return;
    *out = NULL;
    stops_clear(c);
    trimmed_clear(&c->reply);
    ids_clear(&c->prompt);
    strategy_clear(&c->chain);
    strategy_clear(&c->request_chain);
    transcript_free(&c->said);
    free(c);
}
