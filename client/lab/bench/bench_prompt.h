/* Prompts for measuring: random words, so that no cache holds them. */
#ifndef TRIVIUM_BENCH_PROMPT_H
#define TRIVIUM_BENCH_PROMPT_H

#include "client/cli/ids.h"
#include "client/lib/client.h"
#include "proto/base/limits.h"

enum {
    BENCH_WORD_BYTES = 6,       /* a blank and five letters */
    BENCH_PROMPT_IDS_MAX = TINY_LIMITS ? TEXT_BYTES_MAX / BENCH_WORD_BYTES : N_CTX_MAX,
};

/* Exactly n_ids ordinary ids of the model's vocabulary (NULL: the default one), 1 to
 * BENCH_PROMPT_IDS_MAX, appended to `out`. Runs the client's loop. STATUS_CANCELLED after Ctrl-C,
 * STATUS_UNSUPPORTED for a vocabulary with tokens of several words. */
status bench_prompt(client *c, const char *model, size_t n_ids, id_list *out, failure *f);

#endif
