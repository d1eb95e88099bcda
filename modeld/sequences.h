/* What modeld has under way: texts to continue, ids to score, single rows to probe.
 *
 * Each is a `sequence` with one state, changed by one function; PROTOCOL.md has the table. Pure: no
 * sockets, no clock (times come in as microseconds of one monotonic clock), no forward pass.
 * A score goes round PREFILL and SAMPLING until all its rows are scored; a probe brings its row
 * with it and begins in SAMPLING. A text without cache prefills again for each id. */
#ifndef TRIVIUM_SEQUENCES_H
#define TRIVIUM_SEQUENCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "../proto/limits.h"
#include "../proto/rt/status.h"
#include "../proto/shared_rows.h"
#include "../proto/strategy.h"
#include "job.h"
#include "kv_cache.h"
#include "model.h"
#include "samplers.h"

enum {
    SCORES_RUNNING_MAX = TINY_LIMITS ? 1 : 16, /* scores that hold pages and rows at a time */
    RUNNING_MAX = SEQUENCES_MAX + SCORES_RUNNING_MAX, /* sequences that hold pages */
    KV_SEQUENCES_MAX = RUNNING_MAX + SEQUENCES_MAX,   /* handles: theirs, and for idle sessions */
    SLOTS_MAX = SEQUENCES_MAX + CALLS_MAX,
};

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

/* Why a sending came to nothing. */
typedef enum retry_cause {
    RETRY_UNSENT, /* the rows never left: counts as nothing */
    RETRY_LOST,   /* the sampler was lost with them: a loss */
    RETRY_FAILED, /* it was late, or its answer was wrong: a try */
} retry_cause;

/* The one transition function. SEQUENCE_NOWHERE when the event cannot happen in that state. */
sequence_state sequence_after(sequence_state state, sequence_event event);

typedef struct sequence {
    sequence_kind kind;
    sequence_state state;
    void *owner;                    /* who asked */
    uint8_t request[REQUEST_BYTES]; /* a text's name; zeros for a call */
    uint32_t attempt;
    uint64_t call; /* a score's or probe's name */

    int32_t *ids; /* [n_ids]: prompt and drawn; to score; a probe's history */
    uint32_t n_ids, n_prompt;
    uint32_t n_positions_max; /* KV positions it reserves; 0 for a probe */
    uint32_t n_computed;      /* positions with keys and values */
    uint32_t n_cached;        /* of them, found in the cache when it was admitted */
    kv_sequence kv;           /* not in QUEUED, not for a probe */

    float *rows; /* [n_rows, row_width]; room for as many as the kind needs */
    uint32_t n_rows, row_width;
    bool in_shared;           /* a text's row lies in shared memory, where it is */
    uint32_t shared_row;      /* this one, */
    uint64_t row_generation;  /* of this generation */
    double *logprobs; /* of a score: [n_ids], the first is NaN */

    char pool[NAME_BYTES_MAX + 1];
    char semantics[NAME_BYTES_MAX + 1]; /* of the sampler that drew the last id; "" before */
    strategy strategy;                  /* of the step whose row is next, or out */
    uint32_t change;                    /* its ordinal */
    strategy next_strategy;             /* of the step after, while `retuned` */
    uint32_t next_change;
    bool retuned;
    uint64_t seed;
    uint8_t memory[STATE_BYTES_MAX]; /* the sampler's, after the last id */
    uint32_t n_memory_bytes;
    int32_t end_ids[END_IDS_MAX];
    uint32_t n_end_ids;
    bool no_cache;                   /* its positions are forgotten once it has its row */
    uint32_t max_new_tokens;
    uint32_t n_candidates;
    uint32_t n_watched;  /* candidates that who watches wants; set at any time, by the service */
    uint32_t first_step; /* a probe's step; 0 otherwise */

    uint64_t ticket;      /* of the sending that counts; 0: its rows wait */
    sampler *sampler;     /* who has the rows; NULL: they wait */
    sampler *avoided;     /* who failed this step last; NULL: nobody that is still there */
    uint32_t n_sent;      /* sendings of this step that left */
    uint32_t n_tries;     /* of them, those that failed */
    uint32_t n_losses;    /* and those that were lost with their sampler */
    uint64_t sent_us, deadline_us; /* of the sending */
    uint64_t answer_us;   /* that the last step's answer took */
    uint64_t waiting_us;  /* since when nobody is there to take the rows */
    uint32_t wait_ms;     /* that nobody may be there; never 0 */
    char last_error[256]; /* of the last try of this step */

    uint64_t opened_us, admitted_us;
    double queue_ms, prefill_ms;
    double forward_ms; /* of forward passes since the last id */

    char key[KV_KEY_BYTES_MAX];
    uint32_t slot;
    bool in_queue;              /* of rows that wait for a sampler */
    TAILQ_ENTRY(sequence) link; /* all, in order of arrival */
    TAILQ_ENTRY(sequence) queue_link;
} sequence;

typedef struct sequences sequences;

/* `cache` is borrowed, and was made with KV_SEQUENCES_MAX handles; so is `shared`, where texts have
 * their rows while there is room: NULL, or rows of n_vocab logits. NULL: no memory. */
sequences *sequences_new(kv_cache *cache, shared_rows *shared, uint32_t n_vocab, uint32_t n_ctx);
void sequences_free(sequences **t);

/* Check what is asked and take it in: QUEUED, or SAMPLING for a probe. What it holds is copied.
 * Refusals, each with a sentence: those of job_check, BUSY, TOO_LONG (more pages than there are),
 * NO_MEMORY. */
status sequences_open(sequences *t, const job *asked, uint64_t now_us, sequence **out, failure *f);

/* The open text of this request, whatever its attempt or owner; NULL: none. */
sequence *sequences_find(const sequences *t, const uint8_t request[REQUEST_BYTES]);
/* The one whose rows are out under this ticket; NULL: the answer is late, or nobody's. */
sequence *sequences_by_ticket(const sequences *t, uint64_t ticket);

/* Give pages and rows to the oldest that is QUEUED. STATUS_OK: *out is in PREFILL now.
 * STATUS_NOT_FOUND: none waits, or there are no pages for it yet. Another: close *out. */
status sequences_admit(sequences *t, uint64_t now_us, sequence **out);

/* Close it: its keys and values stay as cache (not a score's, nor with no_cache); frees it. */
void sequences_close(sequences *t, sequence *s);

sequence *sequences_first(const sequences *t); /* in order of arrival; NULL at the end */
sequence *sequences_next(const sequence *s);
/* Whose rows wait for a sampler: retries, then in the order in which they were computed. */
sequence *sequences_first_waiting(const sequences *t);
sequence *sequences_next_waiting(const sequence *s);
uint32_t sequences_count(const sequences *t);
uint32_t sequences_n_queued(const sequences *t);

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
/* Its `rows` are about to be written: a late sampler that still reads them will notice. */
void sequence_renew_rows(sequences *t, sequence *s);
/* They are computed, and their logits are in `rows`; forward_ms is their share of the pass. True
 * when the sequence has what it wanted and is SAMPLING now. */
bool sequence_computed(sequences *t, sequence *s, uint32_t n_positions, double forward_ms,
                       uint64_t now_us);

/* The rows leave for a sampler: gives this sending its ticket. */
void sequence_sent(sequences *t, sequence *s, sampler *to, uint64_t now_us, uint64_t deadline_us);
/* The sending came to nothing: `why`, and the rows wait again, in front. */
void sequence_retry(sequences *t, sequence *s, retry_cause cause, uint64_t now_us,
                    const char *why);
/* A text's id. Afterwards sequence_over tells whether the text ends with it. memory: at most
 * STATE_BYTES_MAX. */
void sequence_drawn(sequence *s, int32_t id, const uint8_t *memory, size_t n_memory_bytes,
                    const char *semantics, uint64_t now_us);
/* Log-probabilities of a score's rows, [n_rows] (the last row of all has none, its number is
 * ignored). */
void sequence_scored(sequence *s, const double *logprobs);
bool sequence_all_scored(const sequence *s);
/* Ids that the rows of a score are asked about, -1 where there is none: [n_rows]. */
void sequence_given(const sequence *s, int32_t *given);

/* A new strategy from the first step whose row has not been sent, which is *from_step.
 * STATUS_BAD_REQUEST: its ordinal is not a new one. STATUS_BAD_ID, STATUS_NO_MEMORY. */
status sequence_retune(sequence *s, uint32_t change, const strategy *wanted, uint32_t *from_step,
                       failure *f);

#endif
