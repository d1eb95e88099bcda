/* One thing that modeld has under way: a text to continue, ids to score, or a single row to probe.
 *
 * It has one state, changed by one function; PROTOCOL.md has the table. Pure: no sockets, no clock, no
 * forward pass. A score goes round PREFILL and SAMPLING until all its rows are scored; a probe brings
 * its row with it and begins in SAMPLING. A text without cache prefills again for each id. */
#ifndef TRIVIUM_SEQUENCE_H
#define TRIVIUM_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "job.h"
#include "modeld/pages/batch.h"
#include "modeld/pages/kv_cache.h"
#include "proto/base/limits.h"
#include "proto/base/owners/owners.h"
#include "proto/base/status.h"
#include "proto/chain/strategy.h"
#include "samplers.h"

typedef enum sequence_state {
    SEQUENCE_NOWHERE,  /* no state: the event does not belong there */
    SEQUENCE_QUEUED,   /* waits for KV pages */
    SEQUENCE_PREFILL,  /* positions to compute until it has its row */
    SEQUENCE_SAMPLING, /* its rows are with a samplerd, or wait for one */
    SEQUENCE_DECODE,   /* one drawn id to compute */
    SEQUENCE_CLOSED,
    SEQUENCE_STATES
} sequence_state;

typedef enum sequence_event {
    EVENT_PAGES,  /* its pages are reserved */
    EVENT_ROWS,   /* the rows it wanted are there */
    EVENT_RETRY,  /* a sampler was late, lost or wrong: the rows wait for another */
    EVENT_DRAWN,  /* a text has its next id */
    EVENT_DRAWN_UNCACHED, /* and computes all its positions anew */
    EVENT_SCORED, /* these rows of a score are done */
    EVENT_CLOSE,
    SEQUENCE_EVENTS
} sequence_event;

/* Why a sequence ends: the numbers of CloseReason in tokens.proto. */
typedef enum sequence_end {
    END_NONE,
    END_ID,
    END_LENGTH,
    END_ASKED,
    END_SUPERSEDED,
    END_ERROR,
} sequence_end;

/* The one transition function. SEQUENCE_NOWHERE when the event cannot happen in that state. */
sequence_state sequence_after(sequence_state state, sequence_event event);

/* Keys and values of what was computed. */
typedef struct sequence_pages {
    char key[KV_KEY_BYTES_MAX];
    kv_sequence kv;           /* not in QUEUED */
    uint32_t n_positions_max; /* that it reserves */
    uint32_t n_computed;      /* positions with keys and values */
    uint32_t n_cached;        /* of them, found in the cache when it was admitted */
} sequence_pages;

/* Rows of logits that a samplerd is to have. */
typedef struct sequence_rows {
    float *logits; /* [n, width], with room for as many as the kind needs; NULL before there is any */
    uint32_t n, width;
} sequence_rows;

/* How its rows get to a samplerd. */
typedef struct sequence_sending {
    uint64_t ticket;      /* of the sending that counts; 0: its rows wait */
    sampler *sampler;     /* that has the rows; NULL: they wait */
    sampler *avoided;     /* that failed this step last; NULL: nobody that is still there */
    uint32_t n_sent;      /* sendings of this step that left */
    uint32_t n_tries;     /* of them, those that failed */
    uint32_t n_losses;    /* and those that were lost with their sampler */
    char last_error[256]; /* why the last sending of this step came to nothing */
    size_t n_bytes;       /* of rows and ids in the message that is out */
    uint64_t sent_us, deadline_us;
    uint64_t waiting_us; /* since when nobody is there to take the rows */
    uint32_t wait_ms;    /* that nobody may be there; never 0 */
    bool in_queue;       /* of rows that wait for a sampler */
    uint64_t turn;       /* in that queue */
    TAILQ_ENTRY(sequence) queue_link;
} sequence_sending;

typedef struct text_timing {
    uint64_t opened_us, admitted_us;
    double queue_ms, prefill_ms;
    double forward_ms;  /* of forward passes since the last id */
    uint64_t answer_us; /* that the last step's answer took */
} text_timing;

typedef struct text_chain {
    strategy now;    /* of the step whose row is next, or out */
    uint32_t change; /* its ordinal */
    strategy next;   /* of the step after, while `retuned` */
    uint32_t next_change;
    bool retuned;
} text_chain;

/* Where a text's row lies in shared memory. */
typedef struct shared_place {
    bool taken; /* else its row is its own */
    uint32_t index;
    uint64_t generation;
} shared_place;

typedef struct text_sequence {
    uint8_t request[REQUEST_BYTES];
    uint32_t attempt, n_prompt;
    uint32_t number;
    sequence_pages pages;
    shared_place shared;
    text_chain chain;
    text_timing timing;
    char semantics[NAME_BYTES_MAX + 1]; /* of the sampler that drew the last id; "" before */
    uint8_t sampler_state[STATE_BYTES_MAX]; /* after the last id */
    uint32_t n_sampler_state_bytes;
    uint64_t seed;
    int32_t end_ids[END_IDS_MAX];
    uint32_t n_end_ids;
    uint32_t max_new_tokens;
    bool is_told_queued; /* whoever asked knows that it waits for pages */
    bool no_cache; /* its positions are forgotten once it has its row */
    int32_t priority;
    uint32_t n_candidates;
    uint32_t n_watched; /* candidates that whoever watches wants; may change at any time */
} text_sequence;

typedef struct score_sequence {
    uint64_t call;
    sequence_pages pages;
    uint32_t n_candidates; /* of the last row */
    double *logprobs;      /* [n_ids], the first is NaN */
} score_sequence;

typedef struct probe_sequence {
    uint64_t call;
    uint32_t step;
    strategy strategy;
    uint64_t seed;
} probe_sequence;

typedef struct sequence {
    sequence_kind kind;
    sequence_state state;
    bool has_pages;
    bool in_pass; /* the engine has its rows and pages: what it holds stays until the pass ends */
    uint64_t last_pass; /* that it had rows in: numbers of whoever runs them */
    void *from;   /* the link that it came through */
    owner *owner; /* whose it is; held by its table, NULL: of none */
    int32_t *ids; /* [n_ids]: prompt and drawn; to score; a probe's history */
    uint32_t n_ids, ids_capacity;
    char pool[NAME_BYTES_MAX + 1];
    char traceparent[TRACEPARENT_BYTES + 1]; /* "": none */
    sequence_rows rows;
    sequence_sending sending;
    uint32_t slot;
    size_t bytes_counted, row_bytes_counted; /* of it, in the table's budgets */
    TAILQ_ENTRY(sequence) link; /* all, in order of arrival */
    union { /* to be had by the functions below, which check the kind */
        text_sequence text;
        score_sequence score;
        probe_sequence probe;
    };
} sequence;

/* What only one kind has; it must be of that kind. */
text_sequence *sequence_text(const sequence *s);
score_sequence *sequence_score(const sequence *s);
probe_sequence *sequence_probe(const sequence *s);

/* What several kinds have. */
sequence_pages *sequence_pages_of(const sequence *s); /* not of a probe */
uint64_t sequence_call(const sequence *s);            /* not of a text */
const strategy *sequence_strategy(const sequence *s); /* of the next row; empty for a score */
const char *sequence_semantics(const sequence *s);    /* that its sampler must have; "": any */
bool sequence_in_shared(const sequence *s);           /* its row lies in shared memory */
bool sequence_caches(const sequence *s); /* its keys and values stay when it is closed */

/* What the job borrowed is copied, for this owner: QUEUED, with room for n_positions ids and rows of row_width logits,
 * which are there only for a probe. `number` tells one score from another. NULL: no memory. */
sequence *sequence_new(const job *asked, owner *whose, uint32_t n_positions, uint32_t row_width, uint64_t number);
/* Its keys and values, its sampler and a row in shared memory are the caller's to give back. */
void sequence_free(sequence *s);

/* Bytes that it holds now, or that a call's answer will, rows of logits of texts and scores left out: they have their own
 * bound. */
size_t sequence_bytes(const sequence *s);

/* Go to the state that the event leads to; the event must belong to the one that it is in. */
void sequence_turn(sequence *s, sequence_event event);
/* The sending that was out does not count any more: it was answered, or never left; or it is given up, and lies with
 * its sampler. */
void sequence_settle(sequence *s, bool given_up);

/* Step of the next id: a text's number of ids drawn so far. */
uint32_t sequence_step(const sequence *s);
/* Why a text is over with the ids it has: END_ID, END_LENGTH, or END_NONE. */
sequence_end sequence_over(const sequence *s);

/* When a text whose row is out is likely to go on: UINT64_MAX when that cannot be told. */
uint64_t sequence_expected_us(const sequence *s);
/* Positions that the next forward passes may compute for it; 0 when it waits for something else. */
uint32_t sequence_n_wanted(const sequence *s);
/* Its next n_rows positions as rows of a batch; returns how many of them want logits. */
uint32_t sequence_batch(const sequence *s, uint32_t n_rows, batch_row *rows);
/* A text's id. Afterwards sequence_over tells whether the text ends with it. sampler_state: at most
 * STATE_BYTES_MAX. */
void sequence_drawn(sequence *s, int32_t id, const uint8_t *sampler_state,
                    size_t n_sampler_state_bytes, const char *semantics, uint64_t now_us);
/* Log-probabilities of a score's rows, [n_rows] (the last row of all has none, its number is
 * ignored). */
void sequence_scored(sequence *s, const double *logprobs);
bool sequence_all_scored(const sequence *s);
/* Ids that the rows of a score are asked about, -1 where there is none: [n_rows]. */
void sequence_given(const sequence *s, int32_t *given);

/* A new strategy of a text from the first step whose row has not been sent, which is *from_step.
 * STATUS_BAD_REQUEST: its ordinal is not a new one. STATUS_BAD_ID, STATUS_NO_MEMORY. */
status sequence_retune(sequence *s, uint32_t change, const strategy *wanted, uint32_t *from_step,
                       failure *f);

#endif
