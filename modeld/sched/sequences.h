/* All sequences that modeld has under way: how they get pages and rows, and who waits for a sampler.
 *
 * Pure: no sockets, no clock (times come in as microseconds of one monotonic clock), no forward pass. */
#ifndef TRIVIUM_SEQUENCES_H
#define TRIVIUM_SEQUENCES_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/limits.h"
#include "proto/base/status.h"
#include "proto/rows/shared_rows.h"
#include "sequence.h"
#include "slots.h"

enum {
    SCORES_RUNNING_MAX = TINY_LIMITS ? 1 : 16, /* scores that hold pages and rows at a time */
    RUNNING_MAX = SEQUENCES_MAX + SCORES_RUNNING_MAX, /* sequences that hold pages */
    KV_SEQUENCES_MAX = RUNNING_MAX + SEQUENCES_MAX,   /* handles: theirs, and for idle sessions */
};

/* Why a sending came to nothing. */
typedef enum retry_cause {
    RETRY_UNSENT, /* the rows never left: counts as nothing */
    RETRY_LOST,   /* the sampler was lost with them: a loss */
    RETRY_FAILED, /* it was late, or its answer was wrong: a try */
} retry_cause;

typedef struct sequences sequences;

/* `cache` is borrowed, and was made with KV_SEQUENCES_MAX handles; so is `shared`, where texts have
 * their rows while there is room: NULL, or rows of n_vocab logits. NULL: no memory. */
sequences *sequences_new(kv_cache *cache, shared_rows *shared, uint32_t n_vocab, uint32_t n_ctx);
void sequences_free(sequences **t);

/* Check what is asked and take it in: QUEUED, or SAMPLING for a probe. What it holds is copied.
 * Refusals, each with a sentence: those of job_check, BUSY, TOO_LONG (more pages than there are),
 * NO_MEMORY. */
status sequences_open(sequences *t, const job *asked, uint64_t now_us, sequence **out, failure *f);

/* The open text of this owner's request, whatever its attempt and wherever it came from; NULL: none. */
sequence *sequences_find(const sequences *t, const char *whose, const uint8_t request[REQUEST_BYTES]);
/* The open text that came through this link under this id and number; NULL: none. */
sequence *sequences_find_text(const sequences *t, const void *from, const uint8_t request[REQUEST_BYTES], uint32_t number);
/* The call that came through this link under this number; NULL: none is under way. */
sequence *sequences_find_call(const sequences *t, const void *from, uint64_t call);
/* The one whose rows are out under this ticket; NULL: the answer is late, or nobody's. */
sequence *sequences_by_ticket(const sequences *t, uint64_t ticket);
/* As slots_text_of. */
bool sequences_text_of(const sequences *t, uint64_t ticket, const uint8_t request[REQUEST_BYTES], text_home *out);
void sequences_forget_link(sequences *t, const void *from);      /* as slots_forget */

/* Give pages and rows to one that is QUEUED: the oldest of the owner that has the fewest with pages and, of several
 * such, got some the longest ago. STATUS_OK: *out is in PREFILL now.
 * STATUS_NOT_FOUND: none waits, or there are no pages or rows for it yet. Any other: close *out. */
status sequences_admit(sequences *t, uint64_t now_us, sequence **out);

/* Close it: nobody finds it any more, its keys and values stay as cache (not a score's, nor with no_cache), and
 * it is freed. One that is in a pass is only CLOSED now; what it holds is given back by sequences_release. */
void sequences_close(sequences *t, sequence *s);
/* The pass is over that a closed sequence was in. */
void sequences_release(sequences *t, sequence *s);

sequence *sequences_first(const sequences *t); /* in order of arrival; NULL at the end */
sequence *sequences_next(const sequence *s);
/* Whose rows wait for a sampler, in the order of row_queue.h. */
sequence *sequences_first_waiting(const sequences *t);
sequence *sequences_next_waiting(const sequence *s);
uint32_t sequences_count(const sequences *t);
uint32_t sequences_n_queued(const sequences *t);

/* Its rows are about to be written: a late sampler that still reads them will notice. */
void sequence_renew_rows(sequences *t, sequence *s);
/* They are computed, and their logits are in `rows.logits`; forward_ms is their share of the pass. True
 * when the sequence has what it wanted and is SAMPLING now. */
bool sequence_computed(sequences *t, sequence *s, uint32_t n_positions, double forward_ms,
                       uint64_t now_us);

/* Bytes of rows and ids in a message that takes its rows to this sampler. */
size_t sequence_sending_bytes(const sequence *s, const sampler *to);
/* The rows leave for a sampler: gives this sending its ticket. */
void sequence_sent(sequences *t, sequence *s, sampler *to, uint64_t now_us, uint64_t deadline_us);
/* The sending came to nothing: `why`, and the rows wait again, in front. */
void sequence_retry(sequences *t, sequence *s, retry_cause cause, uint64_t now_us,
                    const char *why);
/* As sequence_retune; STATUS_BUSY: with this strategy its owner's texts hold more than they may, and the text is to be closed. */
status sequences_retune(sequence *s, uint32_t change, const strategy *wanted, uint32_t *from_step,
                        failure *f);
/* Its rows wait, and somebody is there who answers: its time to wait begins anew. */
void sequence_may_wait(sequence *s, uint64_t now_us);
/* This sampler goes: no step avoids it any more. No sequence has its rows there. */
void sequences_forget(sequences *t, const sampler *gone);

#endif
