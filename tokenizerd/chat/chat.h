/* Chat forms: a conversation becomes the text of a prompt, which its next reply continues. Pure: no sockets. */
#ifndef TRIVIUM_CHAT_H
#define TRIVIUM_CHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chat_template.h"
#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "tokenizerd/text/encode_queue.h"
#include "tokenizerd/tokenizer/tokenizer.h"

typedef enum chat_role {
    CHAT_SYSTEM,
    CHAT_USER,
    CHAT_ASSISTANT,
    CHAT_ROLES,
} chat_role;

typedef struct chat_message {
    chat_role role;             /* CHAT_ROLES: none of them */
    const uint8_t *content;     /* [n_bytes] */
    size_t n_bytes;
} chat_message;

typedef enum chat_origin {      /* how the form was found */
    CHAT_NO_TEMPLATE,           /* the model has none: its control tokens decide */
    CHAT_ASKED,
    CHAT_OWN,                   /* the model's own template was recognised */
    CHAT_UNKNOWN,               /* it was not: its control tokens decide */
} chat_origin;

typedef struct chat {
    chat_form form;
    chat_origin origin;
    int32_t bos;                /* the prompt's first id; -1: none */
    chat_text system, dates;    /* of the model's own template; borrowed from it */
} chat;

chat_role chat_role_named(const char *name);        /* CHAT_ROLES: none of this name */

/* "" is CHAT_NO_FORM: the one that the model asks for. STATUS_BAD_REQUEST for a name that no form has; the
 * sentence lists those there are. */
status chat_form_named(const char *name, chat_form *out, failure *f);
const char *chat_form_name(chat_form form);

/* The text that ends a reply, beside the model's end ids; NULL: none. It is the form's close where that is
 * no end id of this vocabulary. */
const char *chat_stop(chat_form form, const vocab *v);

/* What the model's own template says; CHAT_NO_FORM also where it has none. To find out, the template is run many
 * times (chat_proof.h), so call this once a vocabulary. The caller clears *out. STATUS_NO_MEMORY; then there is
 * nothing to clear. */
status chat_own_template(chat_template *out, const vocab *v, failure *f);

/* The form that is asked for, else the model's: by its own template (of chat_own_template), or by its tokens. */
chat chat_choose(const tokenizer *t, const chat_template *own, chat_form asked);

/* STATUS_EMPTY_PROMPT without a message, STATUS_TOO_LONG past MESSAGES_MAX or TEXT_BYTES_MAX,
 * STATUS_BAD_REQUEST for an unknown role or a system message that is not the first,
 * STATUS_NOT_UTF8. */
status chat_check(const chat_message *messages, size_t n_messages, failure *f);

/* A prompt in pieces. What the form or the template wrote is special, what came from messages is
 * not: a special token that somebody typed is text. They borrow from the chat and the messages. */
typedef struct chat_prompt {
    prompt_piece *pieces;       /* owned: free(pieces) */
    size_t n_pieces;
    /* Before and after the content of the last message; a lone system message is part of the head. */
    size_t n_head_bytes, n_tail_bytes;
} chat_prompt;

/* The prompt of checked messages, without the n_dropped that follow the system message, which
 * never include the last one. It ends where the reply begins. STATUS_NO_MEMORY. */
status chat_render(const chat *c, const chat_message *messages, size_t n_messages, size_t n_dropped,
                   chat_prompt *out, failure *f);

#endif
