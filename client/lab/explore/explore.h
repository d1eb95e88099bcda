/* What the explorers of `trivium explore` share: the chapter's exercises 1 and 2. */
#ifndef TRIVIUM_EXPLORE_H
#define TRIVIUM_EXPLORE_H

#include "explore_texts.h"

enum { TEMPERATURES_MAX = 16, SAMPLES_MAX = 32 };

typedef struct explore_flags {
    common_flags common;
    stage_flags stages;
    const char *model, *pool;
    bool keep_newline;          /* of a prompt from stdin */
    uint64_t max_new_tokens;
    uint64_t seed, n_samples;
    double temperatures[TEMPERATURES_MAX];
    size_t n_temperatures;
} explore_flags;

/* Texts that go on from the prompt, [n_prompt] bytes of UTF-8, beside each other: at several
 * temperatures; with top-k before top-p beside top-p alone. They return an exit code. */
int explore_temperature(const explore_flags *flags, const char *prompt, size_t n_prompt);
int explore_top_p(const explore_flags *flags, const char *prompt, size_t n_prompt);

/* ---- for the explorers ---- */

/* Set a stage of one number. STATUS_BAD_REQUEST, STATUS_NO_MEMORY. */
status explore_set(strategy *s, stage_kind kind, double number, failure *f);

/* The request that the flags and `prompt` make; it borrows both and the chain. */
generation_request explore_request(const explore_flags *flags, const generation_piece *prompt,
                                   const strategy *chain, uint64_t seed);

/* A short sentence of our own over the whole width of stdout, dim. */
void explore_remark(const char *sentence);

#endif
