/* What service.c and the files below share; nobody else includes this.
 *
 *   service.c              the daemon's one struct, its turn: admit, send, compute, send
 *   tokens_link.c       what tokenizerds ask
 *   tokens_answer.c      what they are told
 *   vocabulary_pieces.c   the vocabulary, in pieces
 *   sampling.c         rows to samplerds, ids back, deadlines
 *   report.c       how this modeld is doing */
#ifndef TRIVIUM_MODELD_SERVICE_PARTS_H
#define TRIVIUM_MODELD_SERVICE_PARTS_H

#include "common.pb-c.h"
#include "logits.pb-c.h"
#include "modeld/sched/scheduler.h"
#include "modeld/sched/sequences.h"
#include "proto/net/errors.h"
#include "proto/net/hello.h"
#include "proto/net/peer.h"
#include "proto/net/wire.h"
#include "service.h"
#include "tokens.pb-c.h"

/* One --join: a tokenizerd, when it is there. Owner of the sequences it opened. */
typedef struct front {
    service *service;
    peers *peers;
    peer *peer; /* NULL: not joined now */
    const char *address;
    bool given_up; /* it has refused us for good: `peers` goes in the next turn, and is NULL then */
    /* What it told us, for whoever takes its place at this address: part of our Hello there. */
    Trivium__DefaultModel default_model;
    char default_name[NAME_BYTES_MAX + 1];
    Trivium__Hello hello;
} front;

/* The next forward pass. */
typedef struct batch {
    sequence *parts[RUNNING_MAX]; /* whose rows, in order of arrival */
    demand demands[RUNNING_MAX];
    uint32_t part_rows[RUNNING_MAX];
    uint32_t part_logits[RUNNING_MAX];
    uint32_t n_parts;
    batch_row rows[BATCH_ROWS_MAX];
    uint32_t n_rows, n_logits;
} batch;

enum {
    LOGITS_ROWS_MAX = SEQUENCES_MAX + SCORES_RUNNING_MAX * SCORE_ROWS, /* that one pass can want */
    RATE_WINDOW_MS = 2000,
};

typedef struct report {
    Trivium__ModelReport model;
    Trivium__SamplerReport samplers[PEERS_MAX];
    Trivium__SamplerReport *pointers[PEERS_MAX];
    uint64_t n_drawn;                   /* tokens since the start */
    uint64_t window_us, n_drawn_before; /* when the window of the rate began, and n_drawn then */
    double tokens_per_s;                /* of the window before */
} report;

struct service {
    loop *loop;
    model *model;
    const model_shape *shape;
    kv_cache *cache;
    service_options options;
    char host[HOST_BYTES];
    Trivium__ModelOffer offer;
    Trivium__Hello hello, sampler_hello; /* the one for samplers offers our shared rows */
    Trivium__SharedRows shared_offer;

    front fronts[JOINS_MAX];
    size_t n_fronts;
    peers *sampler_peers;
    samplers *samplers;
    shared_rows *shared; /* NULL: all rows are sent */
    sequences *sequences;
    scheduler scheduler;
    batch batch;
    float *logits; /* [LOGITS_ROWS_MAX, n_vocab]: of passes with rows of several sequences */

    bool work_due, gather_due, watch_due; /* their timers are set */
    uint64_t gather_until_us;             /* what is drawn before is in the next pass */
    uint64_t n_garbage;       /* messages that were readable and made no sense */
    report report;
    failure refusal; /* the last tokenizerd's, when all have refused; else code STATUS_OK */
};

/* Something changed: in the next turn of the loop, admit, send rows, compute. */
void service_wake(service *s);
/* A message that is readable and makes no sense: counted; the first is logged. */
void service_garbage(service *s, const char *what);

/* ---- tokens_link.c ---- */
extern const peers_events tokens_events; /* context: the front */

/* ---- tokens_answer.c ---- */
/* A message to a tokenizerd. One that cannot take it, or would miss it, is cut, and with it go its
 * sequences: it opens them anew. */
status reply_send(front *to, Trivium__TokensReply *m, const wire_raw *raw, size_t n_raw);
/* The last word on a text or call, then it is gone. `f` is read when the end is END_ERROR. */
void reply_end(service *s, sequence *q, sequence_end end, const failure *f);
/* The last word on one that was never opened. */
void reply_refused_text(front *to, const uint8_t *request, uint32_t attempt, sequence_end end,
                        const failure *f);
void reply_refused_call(front *to, uint64_t call, const failure *f);
/* What a samplerd gave. The sequence is as it was when its row was sent. */
void reply_token(service *s, sequence *q, const Trivium__SampleReply *r, const char *semantics);
void reply_retuned(sequence *q, uint32_t change, uint32_t step_from);
void reply_glimpse(front *to, Trivium__Glimpse *g);     /* or drop it, where it would have to wait */
/* These two are last words, too. */
void reply_scored(service *s, sequence *q, const Trivium__SampleReply *last);
void reply_probed(service *s, sequence *q, int32_t id, const double *probabilities);

/* ---- vocabulary_pieces.c ---- */
status vocabulary_check(const model *m,
                        failure *f); /* it can be sent: its bytes are within bounds */
void vocabulary_send(front *to);

/* ---- sampling.c ---- */
extern const peers_events rows_events; /* context: the service */
/* Send all rows that wait and have a sampler with room. */
void rows_send(service *s);

/* ---- report.c ---- */
Trivium__ModelReport *report_fill(service *s); /* valid until the next call */
void report_send(service *s);                  /* to every tokenizerd, now */

#endif
