/* A text that is timed as it comes, and shown to nobody. */
#ifndef TRIVIUM_BENCH_TEXT_H
#define TRIVIUM_BENCH_TEXT_H

#include "client/cli/ids.h"
#include "client/lib/client.h"
#include "proto/base/buffer.h"

/* What the texts of one measurement have in common; borrowed by them. */
typedef struct bench_rules {
    const char *model, *pool;   /* NULL: the default model, the default pool */
    const strategy *chain;
    uint32_t n_prompt, n_tokens;
} bench_rules;

/* Times of each token but the first, for median_of: between its arrival and that of the one before;
 * and what of it was spent in the forward pass, inside samplerd, and between processes. */
typedef enum token_time {
    TIME_INTERVAL,
    TIME_FORWARD,
    TIME_SAMPLE,
    TIME_HOP,
    TOKEN_TIMES
} token_time;

/* All zero before it is begun. */
typedef struct bench_text {
    generation_request request;
    id_list prompt;             /* owned */
    client *client;             /* borrowed */
    timer begins;               /* in the loop's next turn */
    buffer *times;              /* [TOKEN_TIMES], borrowed; NULL: not wanted */
    int32_t *drawn;             /* [rules' n_tokens], borrowed: the ids; NULL: not wanted */
    double *step_ms;            /* the same: what each token took, the first from the sending on */
    uint64_t sent_us, first_us, last_us;    /* clock_us; when the first and the last token came */
    uint32_t n_tokens;
    char model[NAME_BYTES_MAX + 1];     /* that writes it; "" until it has started */
    bool begun, ended;
    failure why;                /* code is not STATUS_OK: how it failed */
} bench_text;

/* Make a prompt for it. Runs the client's loop; STATUS_CANCELLED after Ctrl-C. */
status bench_text_prepare(bench_text *t, client *c, const bench_rules *rules, uint64_t seed,
                          failure *f);
void bench_text_clear(bench_text *t);

/* The same prompt and seed once more, with the KV-cache or without it, as a request of its own: it
 * finds nothing that an earlier one left. */
status bench_text_renew(bench_text *t, bool no_cache, failure *f);

/* Send it; at its end, t->ended is set and the client's loop stops. What fails is in t->why. */
void bench_text_begin(bench_text *t);

/* Run the client's loop until it has ended. STATUS_CANCELLED after Ctrl-C: the first one cancels it
 * and waits for the end, so that nothing is computed for nobody; a second one does not wait. */
status bench_text_wait(bench_text *t, failure *f);

/* Begin it, then the same. */
status bench_text_run(bench_text *t, failure *f);

#endif
