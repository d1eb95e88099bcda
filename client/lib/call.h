/* Calls: a question to tokenizerd, and its one answer. */
#ifndef TRIVIUM_CALL_H
#define TRIVIUM_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "proto/chain/strategy.h"

/* Each kind has a struct of its own for what is asked, and one for the answer. */
typedef enum question_kind {
    ASK_TOKENIZE,              /* a text → ids */
    ASK_DETOKENIZE,            /* ids → a text */
    ASK_RENDER,                /* a conversation → ids of the prompt that its next reply follows */
    ASK_SCORE,                 /* a text or ids → how likely each id was, and what is likely next */
    ASK_PROBE,                 /* logits, a history and a chain → probabilities, and what is drawn */
    ASK_LIST,                  /* → the requests that run */
    ASK_STATUS,                /* → daemons and models */
    ASK_CANCEL,                /* a request is ended */
    ASK_TUNE,                  /* a request gets another strategy */
    ASK_DRAIN,                 /* a daemon ends in order: an operator's */
} question_kind;

/* ---- what is asked ----
 *
 * Whatever a question points to is borrowed until the answer comes, because one whose tokenizerd was lost
 * is sent once more. A model that is NULL is the default one, a pool that is NULL the default pool. */

typedef struct question_text {
    const uint8_t *bytes;       /* [n_bytes], UTF-8 */
    size_t n_bytes;
    bool special;               /* special tokens written in it count as such */
    bool bos;                   /* the model's BOS goes before it, unless it begins with that */
} question_text;

typedef struct tokenize_question {
    const char *model;
    question_text text;
} tokenize_question;

typedef struct detokenize_question {
    const char *model;
    const char *fingerprint;    /* of the model whose ids they are; NULL: whatever has the name */
    const int32_t *ids;         /* [n_ids] */
    size_t n_ids;
} detokenize_question;

typedef struct conversation_message {
    const char *role;           /* "system", "user", "assistant" */
    const uint8_t *content;     /* [n_bytes], UTF-8 */
    size_t n_bytes;
} conversation_message;

/* The prompt that the next reply of a conversation follows. */
typedef struct conversation_prompt {
    const conversation_message *messages;   /* [n_messages], oldest first */
    size_t n_messages;
    const char *form;           /* of the chat template; NULL: the model's own */
    uint32_t n_ids_max;         /* of the prompt; 0: no bound */
    uint32_t n_reply;           /* ids that must find room after the prompt: at most half of the context, and a
                                 * quarter of the KV-cache */
} conversation_prompt;

typedef struct render_question {
    const char *model;
    conversation_prompt conversation;
} render_question;

typedef struct score_question {
    const char *model, *pool;
    question_text text;
    bool has_ids;               /* the ids count, not the text */
    const int32_t *ids;         /* [n_ids] */
    size_t n_ids;
    uint32_t n_top;             /* candidates wanted for the next id */
    const char *traceparent;    /* NULL: none */
} score_question;

typedef struct probe_question {
    const char *model, *pool;
    const float *logits;        /* [n_logits], one row */
    size_t n_logits;
    const int32_t *history;     /* [n_history], ids so far */
    size_t n_history;
    const strategy *chain;
    uint64_t seed;              /* below SEED_MAX */
    uint32_t step;
    const char *traceparent;    /* NULL: none */
} probe_question;

typedef struct cancel_question {
    uint8_t request[REQUEST_BYTES];
} cancel_question;

typedef struct tune_question {
    uint8_t request[REQUEST_BYTES];
    const strategy *chain;
    bool replace;               /* the chain is all of the new strategy; else its stages are merged into it */
} tune_question;

typedef struct drain_question {
    const char *name;           /* as status shows it */
    const char *host;           /* NULL: any */
    int32_t pid;                /* 0: any */
} drain_question;

typedef struct question {
    question_kind kind;
    union {                     /* list and status ask for nothing more */
        tokenize_question tokenize;
        detokenize_question detokenize;
        render_question render;
        score_question score;
        probe_question probe;
        cancel_question cancel;
        tune_question tune;
        drain_question drain;
    };
} question;

/* ---- answers ---- */

typedef struct tokenize_answer {
    const int32_t *ids;         /* [n_ids] */
    size_t n_ids;
} tokenize_answer;

typedef struct detokenize_answer {
    const uint8_t *text;        /* [n_bytes]; maybe half a character at its ends */
    size_t n_bytes;
} detokenize_answer;

/* How the form of a chat template was found. */
typedef enum form_origin {
    FORM_BY_DEFAULT,            /* the model has no template */
    FORM_ASKED,
    FORM_OWN,                   /* the model's own was recognised */
    FORM_IN_PLACE,              /* the model's own was not recognised */
} form_origin;

/* How the prompt of a conversation was made. */
typedef struct conversation_form {
    const char *form;           /* of the chat template */
    form_origin origin;
    uint32_t n_dropped;         /* messages left out, the oldest after the system message */
    uint32_t n_cut;             /* ids left out at the beginning of the last message */
} conversation_form;

typedef struct render_answer {
    const int32_t *ids;         /* [n_ids], the prompt */
    size_t n_ids;
    conversation_form made;
} render_answer;

typedef struct candidate {
    int32_t id;
    double logprob;             /* of the raw softmax */
    double probability;         /* after the chain */
    uint32_t removed_by;        /* 1 + the index of the stage that removed it; 0: it stayed */
    const uint8_t *text;        /* [n_bytes], of its id; only with the tokens of a generation */
    size_t n_bytes;
} candidate;

typedef struct score_answer {
    const int32_t *ids;         /* [n_ids] */
    const double *logprobs;     /* [n_ids], natural logarithms; the first is NaN */
    size_t n_ids;
    const candidate *top;       /* [n_top] of the next id, likeliest first */
    size_t n_top;
    const char *model, *fingerprint;    /* that scored it; "": an older tokenizerd, which does not tell */
} score_answer;

typedef struct probe_answer {
    const double *probabilities;    /* [n_logits] */
    size_t n_logits;
    int32_t id;                 /* drawn, below n_logits */
} probe_answer;

typedef struct request_report {
    uint8_t request[REQUEST_BYTES];
    uint32_t attempt;
    const char *session, *model, *state;
    const char *owner;              /* of another one's text, which only an operator sees; "": the asker's */
    const char *owner_name;         /* where that is a key: the name under which it is authorised, else "" */
    uint32_t n_prompt, step;
    double tokens_per_s, age_s;
    const strategy *chain;
} request_report;

typedef struct list_answer {
    const request_report *requests; /* [n_requests] */
    size_t n_requests;
} list_answer;

typedef struct daemon_report {
    const char *role;           /* "tokenizerd", "modeld", "samplerd" */
    const char *name, *host, *state;
    long pid;
    double uptime_s;
    const char *model, *pool, *semantics;   /* of a samplerd; else "" */
    uint32_t outstanding;
    uint64_t steps;
    bool lacks_sampler;         /* a modeld: no samplerd of the default pool is with it that takes something new */
} daemon_report;

typedef struct model_summary {
    const char *name, *fingerprint;
    uint32_t loads, n_vocab, n_ctx;
    uint32_t sequences, waiting, kv_pages_used, kv_pages, kv_page_tokens;
    double tokens_per_s;
    bool is_draining;               /* all that serve it drain */
} model_summary;

typedef struct status_report {
    const daemon_report *daemons;   /* [n_daemons] */
    size_t n_daemons;
    const model_summary *models;    /* [n_models]; of two of one name the first is meant by it */
    size_t n_models;
    const char *default_model;  /* meant by no name; "": not known yet */
    uint32_t requests, clients;
    uint64_t garbage;           /* messages that could not be read */
} status_report;

typedef struct cancel_answer {
    uint32_t n_tokens;          /* written until then */
} cancel_answer;

typedef struct tune_answer {
    const strategy *chain;      /* the whole one */
    uint32_t step;              /* the first that it draws */
} tune_answer;

typedef struct drain_answer {
    const char *role, *name, *host;
    long pid;
    uint32_t n_texts;           /* that ended there since it drained */
    uint32_t n_left;            /* that did not, and go on elsewhere */
} drain_answer;

/* Valid within the handler only. */
typedef struct answer {
    question_kind kind;             /* of the question */
    status code;                /* STATUS_OK, or what `message` is about: then there is nothing more */
    const char *message;        /* one sentence; NULL: STATUS_OK */
    union {                     /* read by the functions below */
        tokenize_answer tokenize;
        detokenize_answer detokenize;
        render_answer render;
        score_answer score;
        probe_answer probe;
        list_answer list;
        status_report status;
        cancel_answer cancel;
        tune_answer tune;
        drain_answer drain;
    };
} answer;

typedef void answer_handler(void *context, const answer *a);

/* What a good answer to a question of this kind says: it must be one. */
const tokenize_answer *answer_to_tokenize(const answer *a);
const detokenize_answer *answer_to_detokenize(const answer *a);
const render_answer *answer_to_render(const answer *a);
const score_answer *answer_to_score(const answer *a);
const probe_answer *answer_to_probe(const answer *a);
const list_answer *answer_to_list(const answer *a);
const status_report *answer_to_status(const answer *a);
const cancel_answer *answer_to_cancel(const answer *a);
const tune_answer *answer_to_tune(const answer *a);
const drain_answer *answer_to_drain(const answer *a);

#endif
