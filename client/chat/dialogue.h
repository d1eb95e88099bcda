/* A conversation with the model, one exchange after the other: what a user says becomes a prompt in the
 * form of the model's chat template, and the reply comes as it is written. All from the client's loop. */
#ifndef TRIVIUM_DIALOGUE_H
#define TRIVIUM_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/client.h"
#include "reply_limit.h"
#include "transcript.h"

typedef struct dialogue dialogue;

/* Borrowed for the life of the chat. */
typedef struct dialogue_options {
    const char *model, *pool;   /* NULL: the default model, the default pool */
    const char *form;           /* of the chat template; NULL: the model's own */
    const char *system;         /* NULL: the template's own, if it has one */
    const strategy *chain;      /* at the beginning */
    uint64_t seed;              /* of the first reply, the next ones count on from it */
    uint32_t max_history_tokens;    /* of a prompt: the oldest messages go first; 0: what context and KV-cache hold */
    uint32_t max_new_tokens;    /* of a reply; 0: see reply_limit.h */
    bool greeted;               /* whoever chats knows which model answers */
} dialogue_options;

typedef struct dialogue_reply {
    status code;                /* not STATUS_OK: `message` says why it ended early, or never began */
    const char *message;
    const char *text;           /* [n_bytes], without blanks at its ends, never half a character */
    size_t n_bytes;
    finish_reason reason;       /* STATUS_OK: how it ended */
    const reply_limit *limit;   /* FINISHED_LENGTH: where; else NULL */
    uint32_t n_prompt, n_tokens;    /* ids */
    uint32_t n_dropped;         /* messages that the model no longer saw */
} dialogue_reply;

/* What they get is valid for the call. */
typedef struct dialogue_events {
    void (*note)(void *context, const char *sentence);  /* what whoever chats should know, as for what it waits */
    void (*text)(void *context, const char *bytes, size_t n_bytes);    /* more of the reply */
    /* Exactly once for each dialogue_say and dialogue_regenerate, and last. A message without a reply is taken
     * back; one that had a reply keeps it. */
    void (*over)(void *context, const dialogue_reply *reply);
} dialogue_events;

dialogue *dialogue_new(client *of, const dialogue_options *options, const dialogue_events *events, void *context,
               failure *f);                     /* NULL: see f */
void dialogue_free(dialogue **d);                       /* before its client is closed */

/* The user says this: a reply follows. Not while dialogue_is_busy. STATUS_BAD_REQUEST when it is empty,
 * STATUS_NOT_UTF8, STATUS_TOO_LONG, STATUS_NO_MEMORY, or why the client cannot ask. */
status dialogue_say(dialogue *d, const char *text, size_t n_bytes, failure *f);
bool dialogue_is_busy(const dialogue *d);

/* Another reply to the last message, as if the one it has had never been, or a reply to the message that was
 * taken back last. Not while dialogue_is_busy. STATUS_NOT_FOUND: nothing was said; else as dialogue_say. */
status dialogue_regenerate(dialogue *d, failure *f);

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

/* What holds for the next reply. */
typedef struct dialogue_facts {
    const char *model;          /* "": the default one, of which nothing is known yet */
    const strategy *chain;
    uint64_t seed;
    uint32_t max_history_tokens, max_new_tokens;    /* 0: not given */
    uint32_t n_ctx;             /* of the model, 0: not known yet */
    uint64_t kv_tokens;         /* that its KV-cache holds, 0: not known */
} dialogue_facts;
dialogue_facts dialogue_facts_of(const dialogue *d);    /* borrowed, until the next change */

transcript *dialogue_transcript(dialogue *d);       /* to be changed only while the chat is not busy */

#endif
