/* A conversation with the model, one exchange after the other: what a user says becomes a prompt in the
 * form of the model's chat template, and the reply comes as it is written. All from the client's loop. */
#ifndef TRIVIUM_DIALOGUE_H
#define TRIVIUM_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/client.h"
#include "transcript.h"

typedef struct dialogue dialogue;

/* Borrowed for the life of the chat. */
typedef struct dialogue_options {
    const char *model, *pool;   /* NULL: the default model, the default pool */
    const char *form;           /* of the chat template; NULL: the model's own */
    const char *system;         /* NULL: the template's own, if it has one */
    const strategy *chain;      /* at the beginning */
    uint64_t seed;              /* of the first reply, the next ones count on from it */
    uint32_t max_history_tokens;    /* of a prompt: the oldest messages go first */
    uint32_t max_new_tokens;    /* of a reply */
    bool greeted;               /* whoever chats knows which model answers */
} dialogue_options;

typedef struct dialogue_reply {
    status code;                /* not STATUS_OK: `message` says why it ended early, or never began */
    const char *message;
    const char *text;           /* [n_bytes], without blanks at its ends */
    size_t n_bytes;
    finish_reason reason;       /* STATUS_OK: how it ended */
    uint32_t n_prompt, n_tokens;    /* ids */
    uint32_t n_dropped;         /* messages that the model no longer saw */
} dialogue_reply;

/* What they get is valid for the call. */
typedef struct dialogue_events {
    void (*note)(void *context, const char *sentence);  /* what whoever chats should know */
    void (*text)(void *context, const char *bytes, size_t n_bytes);    /* more of the reply */
    /* Exactly once for each dialogue_say, and last. A message without a reply is taken back. */
    void (*over)(void *context, const dialogue_reply *reply);
} dialogue_events;

dialogue *dialogue_new(client *of, const dialogue_options *options, const dialogue_events *events, void *context,
               failure *f);                     /* NULL: see f */
void dialogue_free(dialogue **d);                       /* before its client is closed */

/* The user says this: a reply follows. Not while dialogue_is_busy. STATUS_BAD_REQUEST when it is empty,
 * STATUS_NOT_UTF8, STATUS_TOO_LONG, STATUS_NO_MEMORY, or why the client cannot ask. */
status dialogue_say(dialogue *d, const char *text, size_t n_bytes, failure *f);
bool dialogue_is_busy(const dialogue *d);

/* End the reply that is being written; it keeps what came. `over` follows. */
void dialogue_stop(dialogue *d);

/* Let the reply rest, even one that has not begun yet, until it is resumed: nothing is computed meanwhile, and
 * whatever comes then comes after what was there. Nothing happens where nothing is written. */
void dialogue_pause(dialogue *d);
void dialogue_resume(dialogue *d);

/* Change the strategy: of the reply that is being written and rests, and of those to come. A note says
 * what holds now, or from which step on. Codes of strategy_change, and of strategy_check_ids as soon as
 * the model is known. */
status dialogue_tune(dialogue *d, const strategy *stages, bool replace, failure *f);
const strategy *dialogue_strategy(const dialogue *d);   /* of the next reply */

transcript *dialogue_transcript(dialogue *d);       /* to be changed only while the chat is not busy */

#endif
