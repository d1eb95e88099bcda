/* Questions with one answer each: tokenize, detokenize, render, score, probe, ps, status, cancel, tune. */
#ifndef TRIVIUM_CALL_H
#define TRIVIUM_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "proto/chain/strategy.h"

typedef enum call_kind {
    CALL_TOKENIZE,              /* text, special, bos → ids */
    CALL_DETOKENIZE,            /* ids → text */
    CALL_RENDER,                /* messages, form, n_ids_max, n_reply → ids, form, origin, n_dropped, n_cut, stops, n_vocab, model */
    CALL_SCORE,                 /* text, special, bos, or ids; n_top → ids, numbers, candidates */
    CALL_PROBE,                 /* logits, ids (the history), chain, seed, step → numbers, id */
    CALL_LIST,                  /* → requests */
    CALL_STATUS,                /* → report */
    CALL_CANCEL,                /* request → n_tokens */
    CALL_TUNE,                  /* request, replace, chain → chain, step */
} call_kind;

typedef struct chat_message {
    const char *role;           /* "system", "user", "assistant" */
    const uint8_t *content;     /* [n_bytes], UTF-8 */
    size_t n_bytes;
} chat_message;

/* How the form of a chat template was found. */
typedef enum form_origin {
    FORM_BY_DEFAULT,            /* the model has no template */
    FORM_ASKED,
    FORM_OWN,                   /* the model's own was recognised */
    FORM_IN_PLACE,              /* the model's own was not recognised */
} form_origin;

/* Whatever it points to is borrowed until the answer comes, because a call whose tokenizerd was
 * lost is sent once more. */
typedef struct call {
    call_kind kind;
    const char *model, *pool;   /* NULL: the default model, the default pool */
    const uint8_t *text;        /* [n_bytes], UTF-8 */
    size_t n_bytes;
    bool special;               /* special tokens written in the text count as such */
    bool bos;
    bool has_ids;               /* score: the ids count, not the text */
    const int32_t *ids;         /* [n_ids] */
    size_t n_ids;
    const float *logits;        /* [n_logits] */
    size_t n_logits;
    const chat_message *messages;   /* [n_messages], oldest first */
    size_t n_messages;
    const char *form;           /* of the chat template; NULL: the model's own */
    uint32_t n_ids_max;         /* 0: no bound */
    uint32_t n_reply;           /* ids that the context must hold behind them, at most half of it */
    uint32_t n_top;
    const strategy *chain;
    bool replace;
    uint64_t seed;
    uint32_t step;
    uint8_t request[REQUEST_BYTES];
} call;

typedef struct candidate {
    int32_t id;
    double logprob;             /* of the raw softmax */
    double probability;         /* after the chain */
    uint32_t removed_by;        /* 1 + the index of the step that removed it; 0: it stayed */
    const uint8_t *text;        /* [n_bytes], of its id; only with the tokens of a generation */
    size_t n_bytes;
} candidate;

typedef struct request_report {
    uint8_t request[REQUEST_BYTES];
    uint32_t attempt;
    const char *session, *model, *state;
    uint32_t n_prompt, step;
    double tokens_per_s, age_s;
    const strategy *chain;
} request_report;

typedef struct daemon_report {
    const char *role, *name, *host, *state;
    long pid;
    double uptime_s;
    const char *model, *pool, *semantics;   /* of a samplerd; else "" */
    uint32_t outstanding;
    uint64_t steps;
} daemon_report;

typedef struct model_summary {
    const char *name, *fingerprint;
    uint32_t loads, n_vocab, n_ctx;
    uint32_t sequences, waiting, kv_pages_used, kv_pages, kv_page_tokens;
    double tokens_per_s;
} model_summary;

typedef struct status_report {
    const daemon_report *daemons;
    size_t n_daemons;
    const model_summary *models;
    size_t n_models;
    const char *default_model;  /* what no name means; "": not known yet */
    uint32_t requests, clients;
    uint64_t garbage;
} status_report;

/* Valid within the handler only. What its kind does not name is zero. */
typedef struct answer {
    status code;                /* STATUS_OK, or what `message` is about */
    const char *message;        /* one sentence */
    const uint8_t *text;
    size_t n_bytes;
    const int32_t *ids;
    size_t n_ids;
    const double *numbers;      /* score: log-probabilities, the first NaN; probe: probabilities */
    size_t n_numbers;
    const candidate *candidates;    /* of the next token, likeliest first */
    size_t n_candidates;
    int32_t id;                 /* drawn */
    const char *form;           /* of the chat template */
    form_origin origin;
    uint32_t n_dropped;         /* messages left out, the oldest after the system message */
    uint32_t n_cut;             /* ids left out at the beginning of the last message */
    const char *const *stops;   /* [n_stops]: texts that end a reply, beside the model's end ids */
    size_t n_stops;
    uint32_t n_vocab;           /* of the model that it is for */
    const char *model;          /* its name */
    uint32_t n_tokens;
    uint32_t step;              /* the first that `chain` draws */
    const strategy *chain;      /* the whole one */
    const request_report *requests;
    size_t n_requests;
    const status_report *report;
} answer;

typedef void answer_handler(void *context, const answer *a);

#endif
