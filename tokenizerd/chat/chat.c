#include "chat.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "blanks.h"
#include "proto/base/text.h"

/* A message is its role's opening, its content and the close; a reply begins with `reply`. */
typedef struct form_row {
    const char *name;
    const char *open[CHAT_ROLES], *close, *reply;
    const char *end;            /* of a reply: the token that closes it, or a text */
    bool trims[CHAT_ROLES];     /* blanks at both ends of the content are left out */
    const char *marker;         /* control token of a model that knows the form; NULL: any does */
    const char *first;          /* the token that begins each prompt; NULL: none */
} form_row;

static const form_row forms[CHAT_FORMS] = {
    [CHAT_CHATML] = {
        .name = "chatml",
        .open = {"<|im_start|>system\n", "<|im_start|>user\n", "<|im_start|>assistant\n"},
        .close = "<|im_end|>\n",
        .reply = "<|im_start|>assistant\n",
        .end = "<|im_end|>",
        .marker = "<|im_start|>",
    },
    [CHAT_LLAMA3] = {
        .name = "llama3",
        .open = {"<|start_header_id|>system<|end_header_id|>\n\n",
                 "<|start_header_id|>user<|end_header_id|>\n\n",
                 "<|start_header_id|>assistant<|end_header_id|>\n\n"},
        .close = "<|eot_id|>",
        .reply = "<|start_header_id|>assistant<|end_header_id|>\n\n",
        .end = "<|eot_id|>",
        .trims = {true, true, true},
        .marker = "<|start_header_id|>",
        .first = "<|begin_of_text|>",
    },
    [CHAT_PLAIN] = {
        .name = "plain",
        .open = {"", "User: ", "Assistant: "},
        .close = "\n",
        .reply = "Assistant:",
        .end = "User:",
        .trims = {[CHAT_ASSISTANT] = true},
    },
};

/* ---- names ---- */

chat_role chat_role_named(const char *name) {
    static const char *const names[CHAT_ROLES] = {"system", "user", "assistant"};
    chat_role role = 0;
    while (role < CHAT_ROLES && strcmp(names[role], name) != 0) role++;
    return role;
}

status chat_form_named(const char *name, chat_form *out, failure *f) {
    *out = CHAT_NO_FORM;
    if (name[0] == '\0') return STATUS_OK;
    for (chat_form form = CHAT_NO_FORM + 1; form < CHAT_FORMS; form++)
        if (strcmp(forms[form].name, name) == 0) *out = form;
    if (*out != CHAT_NO_FORM) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST,
                "no chat template has this name: there are chatml, llama3 and plain");
}

const char *chat_form_name(chat_form form) {
    return forms[form].name;
}

const char *chat_stop(chat_form form, const vocab *v) {
    const char *end = forms[form].end;
    int32_t id = vocab_find(v, (const uint8_t *)end, strlen(end));
    return id >= 0 && vocab_is_end(v, id) ? NULL : end;
}

/* ---- which form ---- */

/* Its id, if it is a control or user-defined token; -1: it is not. */
static int32_t marker_id(const vocab *v, const char *marker) {
    int32_t id = vocab_find(v, (const uint8_t *)marker, strlen(marker));
    if (id < 0) return -1;
    token_type type = vocab_type(v, id);
    return type == TOKEN_CONTROL || type == TOKEN_USER_DEFINED ? id : -1;
}

static chat_form form_by_tokens(const vocab *v) {
    chat_form form = CHAT_NO_FORM + 1;
    while (forms[form].marker && marker_id(v, forms[form].marker) < 0) form++;
    return form;
}

/* What a template means by BOS; a file of which we know the first token may not say which it is. */
static int32_t bos_id(const vocab *v) {
    int32_t id = vocab_meta_of(v)->bos;
    return id >= 0 ? id : marker_id(v, forms[CHAT_LLAMA3].first);
}

/* At most one: what the model asks for, or its template, or else the form. */
static int32_t first_id(const tokenizer *t, const chat *c, bool template_writes_bos) {
    const char *first = forms[c->form].first;
    if (tokenizer_bos(t) >= 0) return tokenizer_bos(t);
    if (c->origin == CHAT_OWN) return template_writes_bos ? bos_id(tokenizer_vocab(t)) : -1;
    return first ? marker_id(tokenizer_vocab(t), first) : -1;
}

status chat_own_template(chat_template *out, const vocab *v, failure *f) {
    const vocab_meta *meta = vocab_meta_of(v);
    int32_t bos = bos_id(v);
    vocab_bytes first = bos >= 0 ? vocab_token(v, bos) : (vocab_bytes){0};
    vocab_bytes last = meta->eos >= 0 ? vocab_token(v, meta->eos) : (vocab_bytes){0};
    const chat_template_source source = {
        .text = meta->chat_template,
        .n_text = meta->chat_template_bytes,
        .bos = first.bytes,
        .n_bos = first.n_bytes,
        .eos = last.bytes,
        .n_eos = last.n_bytes,
    };
    if (chat_template_read(out, &source) == STATUS_OK) return STATUS_OK;
    return fail(f, STATUS_NO_MEMORY, "no memory to read the model's chat template");
}

chat chat_choose(const tokenizer *t, const chat_template *own, chat_form asked) {
    const vocab *v = tokenizer_vocab(t);
    chat out = {.form = asked, .origin = CHAT_ASKED};
    if (asked == CHAT_NO_FORM && own->form != CHAT_NO_FORM) {
        out = (chat){own->form, CHAT_OWN, -1, own->system, own->dates};
    } else if (asked == CHAT_NO_FORM) {
        out.form = form_by_tokens(v);
        out.origin = vocab_meta_of(v)->chat_template_bytes > 0 ? CHAT_UNKNOWN : CHAT_NO_TEMPLATE;
    }
    out.bos = first_id(t, &out, own->writes_bos);
    return out;
}

/* ---- messages ---- */

status chat_check(const chat_message *messages, size_t n_messages, failure *f) {
    size_t n_bytes = 0;
    if (n_messages == 0)
        return fail(f, STATUS_EMPTY_PROMPT,
                    "the conversation is empty: there is nothing to reply to");
    if (n_messages > MESSAGES_MAX)
        return fail(f, STATUS_TOO_LONG, "a conversation may have %d messages, not %zu",
                    MESSAGES_MAX, n_messages);
    for (size_t i = 0; i < n_messages; i++) {
        const chat_message *m = &messages[i];
        if (m->role >= CHAT_ROLES)
            return fail(f, STATUS_BAD_REQUEST,
                        "the role of message %zu is none of system, user and assistant", i + 1);
        if (m->role == CHAT_SYSTEM && i > 0)
            return fail(f, STATUS_BAD_REQUEST,
                        "message %zu is a system message: only the first one may be that", i + 1);
        if (m->n_bytes > TEXT_BYTES_MAX - n_bytes)
            return fail(f, STATUS_TOO_LONG, "the messages are longer than %d bytes in all",
                        TEXT_BYTES_MAX);
        if (!text_is_utf8(m->content, m->n_bytes))
            return fail(f, STATUS_NOT_UTF8, "the content of message %zu is not valid UTF-8", i + 1);
        n_bytes += m->n_bytes;
    }
    return STATUS_OK;
}

/* ---- a prompt ---- */

static void put(chat_prompt *p, const void *bytes, size_t n_bytes, bool special) {
    p->pieces[p->n_pieces++] = (prompt_piece){bytes, n_bytes, special};
}

static void put_own(chat_prompt *p, const char *text) {
    put(p, text, strlen(text), true);
}

static void put_content(chat_prompt *p, const chat_message *m, bool trims) {
    size_t begin = 0, end = m->n_bytes;
    if (trims) end -= blanks_at_end(m->content, end);
    if (trims) begin += blanks_at_start(m->content, end);
    put(p, m->content ? m->content + begin : NULL, end - begin, false);
}

/* The dates of Llama 3.1 stand before the system message's text, and alone where there is none. */
static void put_opening(chat_prompt *p, const chat *c, chat_role role) {
    put_own(p, forms[c->form].open[role]);
    if (role == CHAT_SYSTEM) put(p, c->dates.bytes, c->dates.n_bytes, true);
}

static void put_default_system(chat_prompt *p, const chat *c) {
    if (!c->system.bytes && !c->dates.bytes) return;
    put_opening(p, c, CHAT_SYSTEM);
    put(p, c->system.bytes, c->system.n_bytes, true);
    put_own(p, forms[c->form].close);
}

static size_t bytes_between(const chat_prompt *p, size_t begin, size_t end) {
    size_t n_bytes = 0;
    for (size_t i = begin; i < end; i++) n_bytes += p->pieces[i].n_bytes;
    return n_bytes;
}

/* The most of one message, and the most beside the messages. */
enum { PIECES_OF_MESSAGE = 4, PIECES_OF_PROMPT = 5 };

status chat_render(const chat *c, const chat_message *messages, size_t n_messages, size_t n_dropped,
                   chat_prompt *out, failure *f) {
    const form_row *form = &forms[c->form];
    size_t n_system = messages[0].role == CHAT_SYSTEM ? 1 : 0, content = 0;
    assert(n_dropped == 0 || n_system + n_dropped < n_messages);
    *out = (chat_prompt){0};
    out->pieces =
        calloc(n_messages * PIECES_OF_MESSAGE + PIECES_OF_PROMPT, sizeof *out->pieces);
    if (!out->pieces) return fail(f, STATUS_NO_MEMORY, "no memory for a prompt");
    if (n_system == 0) put_default_system(out, c);
    for (size_t i = 0; i < n_messages; i++) {
        if (i >= n_system && i < n_system + n_dropped) continue;
        put_opening(out, c, messages[i].role);
        content = out->n_pieces;
        put_content(out, &messages[i], form->trims[messages[i].role]);
        put_own(out, form->close);
    }
    put_own(out, form->reply);
    out->n_head_bytes = bytes_between(out, 0, content);
    if (n_messages == n_system) out->n_head_bytes += out->pieces[content].n_bytes;
    out->n_tail_bytes = bytes_between(out, content + 1, out->n_pieces);
    return STATUS_OK;
}
