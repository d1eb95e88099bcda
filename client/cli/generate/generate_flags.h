/* What a text is written with: a row each, on the command line or, as a key, on a line of --input. */
#ifndef TRIVIUM_GENERATE_FLAGS_H
#define TRIVIUM_GENERATE_FLAGS_H

#include "client/cli/flags.h"
#include "client/lib/generation.h"

enum { GENERATE_FLAG_ROWS = 15 };

/* Its rows point into it: initialise it in place. What is named is borrowed. */
typedef struct generate_flags {
    stage_flags stages;
    const char *model, *pool, *session;
    const char *form;           /* of the chat template; NULL: the model's own */
    uint64_t max_new_tokens;    /* 0: not given */
    seed_flag seed;
    uint64_t n_candidates;      /* shown of each token; 0: none */
    bool ignore_eos, no_cache, no_special;
    int32_t priority;
    const char *traceparent;    /* NULL: none */
    const char *stops[STOPS_MAX];
    size_t n_stops;
    id_list stop_ids;
    option_row rows[GENERATE_FLAG_ROWS];    /* beside stages.rows */
} generate_flags;

void generate_flags_init(generate_flags *flags);
void generate_flags_clear(generate_flags *flags);

/* `to` is not initialised before; its own to clear afterwards, also on STATUS_NO_MEMORY. */
status generate_flags_copy(generate_flags *to, const generate_flags *from);

/* The whole strategy; `chain` is initialised. STATUS_BAD_REQUEST: flags that exclude each other. */
status generate_flags_chain(const generate_flags *flags, strategy *chain, failure *f);

/* A request that borrows from the flags and the chain; its id, seed and prompt are still to come. */
generation_request generate_flags_request(const generate_flags *flags, const strategy *chain);

#endif
