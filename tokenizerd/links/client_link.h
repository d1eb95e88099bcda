/* The link to clients: what they ask arrives as calls of client_link_events, and whatever they are told is a
 * function here. It alone knows the messages of text.proto: who may say Hello, how many frames come with
 * what, and what a message that makes no sense is answered with.
 *
 * A client is a peer to compare and to hand back, valid until `left` returns. */
#ifndef TRIVIUM_CLIENT_LINK_H
#define TRIVIUM_CLIENT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link_options.h"
#include "modeld_link.h"
#include "proto/base/status.h"
#include "tokenizerd/chat/chat.h"
#include "tokenizerd/requests/calls.h"
#include "tokenizerd/requests/requests.h"
#include "tokenizerd/text/encode_queue.h"

typedef struct client_link client_link;
typedef struct peer peer;           /* proto/net/peer.h */

/* ---- what clients ask; all of it is borrowed for the call ---- */

/* Who asks, and in whose name: its own, or, of a client that may name owners, that of another. */
typedef struct sender {
    peer *client;
    const char *owner;              /* whose texts are meant, and whose limits count: OWNER_BYTES_MAX at most */
    bool is_operator;               /* in its own name: everybody's texts are meant */
} sender;

/* The prompt of its next reply is wanted. */
typedef struct conversation_order {
    const chat_message *messages;   /* not checked yet */
    size_t n_messages;
    chat_form form;
    uint32_t n_ids_max;             /* 0: no bound */
    uint32_t n_reply;               /* ids that context and KV-cache must hold after them, see Render */
    bool as_room_allows;            /* of a Generate: see there */
} conversation_order;

typedef struct generate_order {
    request_order request;
    /* Where request.ids is NULL: */
    const prompt_piece *pieces;     /* [n_pieces] of the prompt */
    size_t n_pieces;
    const conversation_order *conversation;     /* NULL: the pieces count */
    const failure *fault;           /* NULL, or why only id and attempt of the request are to be read */
} generate_order;

typedef struct tune_order {
    uint64_t number;
    const uint8_t *id;              /* [n_id_bytes] with which the request's begins */
    size_t n_id_bytes;
    bool replace;
    const strategy *strategy;
    const failure *fault;           /* NULL, or why there is no strategy to read */
} tune_order;

typedef struct watch_order {
    uint64_t number;
    const uint8_t *id;              /* [n_id_bytes] */
    size_t n_id_bytes;
    uint32_t n_candidates;
} watch_order;

typedef struct prompt_order {       /* a Render */
    uint64_t number;
    size_t n_unread_bytes;          /* as in call_order */
    const char *model;
    uint32_t wait_ms;
    conversation_order conversation;
} prompt_order;

typedef struct drain_order {        /* who is to drain */
    uint64_t number;
    const char *name, *host;        /* host "": any */
    int32_t pid;                    /* 0: any */
} drain_order;

typedef struct client_link_events {
    void (*generate)(void *context, const sender *who, const generate_order *order);
    /* A Generate that is none was answered with its Done: its attempt counts as ended. */
    void (*generate_refused)(void *context, const sender *who, const uint8_t id[REQUEST_BYTES], uint32_t attempt);
    void (*tune)(void *context, const sender *who, const tune_order *order);
    void (*cancel)(void *context, const sender *who, uint64_t number, const uint8_t *id, size_t n_id_bytes);
    void (*watch)(void *context, const sender *who, const watch_order *order);
    /* Tokenize, Detokenize, Score and Probe. text: to be encoded; NULL: the order has all. */
    void (*call)(void *context, const call_order *order, const prompt_piece *text);
    void (*render)(void *context, const sender *who, const prompt_order *order);
    void (*call_cancelled)(void *context, const peer *client, uint64_t number);   /* a call of its own */
    void (*list)(void *context, const sender *who, uint64_t number);
    void (*status)(void *context, peer *client, uint64_t number);
    void (*drain)(void *context, peer *client, const drain_order *order);   /* an operator's */
    /* Changes of strategy up to this ordinal have arrived. */
    void (*acknowledged)(void *context, const peer *client, const uint8_t id[REQUEST_BYTES],
                         uint32_t attempt, uint32_t change);
    void (*pause)(void *context, const peer *client, const uint8_t id[REQUEST_BYTES],
                  uint32_t attempt, uint32_t n_steps);
    /* Call client_link_works for each client that has a text, a call or a watch: the others may have to leave for one
     * that joins. */
    void (*find_work)(void *context);
    void (*left)(void *context, const peer *client);
} client_link_events;

/* Bind and attach to the loop; the failure says what is wrong with the endpoint. `context` goes to each of
 * the events. */
status client_link_new(client_link **out, const link_options *options, const client_link_events *events,
                       void *context, failure *f);
void client_link_free(client_link **l);         /* says Leave to all; NULL is fine */
const char *client_link_address(const client_link *l);
void client_link_drain(client_link *l);         /* says Draining to all, now and later */
owner_caller client_link_call_owner;    /* the context is a link: a key by the name under which it is authorised */
bool client_link_has_sent(const client_link *l);        /* nothing that clients were told waits any more */
void client_link_works(peer *client);           /* within find_work; NULL: nobody */

/* ---- what clients are told ----
 *
 * To NULL, a client that is gone, nothing is sent. One that cannot take it is cut, and `left` follows from
 * the loop. An answer to a call that is too long for a message becomes a Failed that says so; of a text, a
 * part that cannot be sent costs the client its place: it resumes from what it has. */

void client_link_failed(client_link *l, peer *client, uint64_t number, const failure *why);
void client_link_tokenized(client_link *l, peer *client, uint64_t number, const int32_t *ids,
                           size_t n_ids);
void client_link_detokenized(client_link *l, peer *client, uint64_t number, const uint8_t *text,
                             size_t n_bytes);

typedef struct rendered_prompt {
    const int32_t *ids;
    size_t n_ids, n_dropped, n_cut;
    chat_form form;
    chat_origin origin;
    const char *stop;               /* NULL: none */
    const char *model;
    uint32_t n_vocab, n_ctx;
    uint64_t kv_tokens;             /* 0: not known */
    uint32_t n_tokens_max;          /* of a reply as_room_allows; 0: no bound */
} rendered_prompt;
void client_link_rendered(client_link *l, peer *client, uint64_t number, const rendered_prompt *prompt);

/* What was scored, by which model. */
typedef struct scored_ids {
    const int32_t *ids;             /* [n_ids] */
    size_t n_ids;
    const char *model, *fingerprint;
} scored_ids;
/* scores->logprobs has one for each of the ids. */
void client_link_scored(client_link *l, peer *client, uint64_t number, const scored_ids *of, const modeld_scores *scores);
void client_link_probed(client_link *l, peer *client, uint64_t number, int32_t id,
                        const double *probabilities, size_t n_probabilities);
/* A word to whoever waits for its answer. */
void client_link_call_waits(client_link *l, peer *client, uint64_t number, const char *sentence);
void client_link_tuned(client_link *l, peer *client, uint64_t number, const request *r,
                       const request_change *change);
void client_link_cancelled(client_link *l, peer *client, uint64_t number,
                           const uint8_t id[REQUEST_BYTES], uint32_t n_tokens);
/* The asker's own; all of them to an operator. */
void client_link_listed(client_link *l, const sender *who, uint64_t number, const requests *rs);
void client_link_status(client_link *l, peer *client, uint64_t number, models *ms,
                        const modeld_link *modelds, size_t n_requests);

typedef struct named_daemon named_daemon;       /* daemons.h */
void client_link_drained(client_link *l, peer *client, uint64_t number, const named_daemon *who, uint32_t n_texts,
                         uint32_t n_left);

/* Watched, and what is offered after it: nothing waits for a watcher. */
void client_link_watched(client_link *l, peer *watcher, uint64_t number, const request *r);
void client_link_watch_over(client_link *l, peer *watcher, uint64_t number,
                            const uint8_t id[REQUEST_BYTES], uint32_t n_tokens, request_finish over);
/* With the likeliest n_candidates of the trace, at most. An id that `v` does not have is not shown. */
void client_link_trace(client_link *l, peer *watcher, const vocab *v, uint32_t n_candidates,
                       const Trivium__Glimpse *trace);

/* A text, told to the client that has it written. */
typedef struct text_start {         /* what its request does not know */
    bool has_own_bos;
    uint32_t n_models;
    uint64_t kv_tokens;             /* 0: not known */
    const rendered_prompt *rendered;    /* of its conversation; NULL: there is none */
} text_start;
void client_link_started(client_link *l, const request *r, const text_start *start);
void client_link_token(client_link *l, const request *r, const vocab *v, const request_token *token,
                       const Trivium__Drawn *drawn, const stream_text *shown);
void client_link_rest(client_link *l, const request *r, const stream_text *shown);  /* held back so far */
void client_link_text_waits(client_link *l, const request *r, const char *sentence);
status client_link_change(client_link *l, const request *r, const request_change *change);  /* STATUS_NO_MEMORY */
void client_link_done(client_link *l, const request *r, request_finish finish, const failure *why,
                      uint64_t now_us);       /* why: read for FINISH_ERROR */
/* To one whose Generate became no request. */
void client_link_done_at_once(client_link *l, peer *client, const uint8_t id[REQUEST_BYTES],
                              uint32_t attempt, request_finish finish, const failure *why);

#endif
