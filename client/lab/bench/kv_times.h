/* Times of texts with the KV-cache and without it, of several runs: medians, and how far the runs lie apart. */
#ifndef TRIVIUM_KV_TIMES_H
#define TRIVIUM_KV_TIMES_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/status.h"

/* Each prompt is continued in both ways. */
typedef enum kv_path { WITH_CACHE, WITHOUT_CACHE, KV_PATHS } kv_path;

/* Of a whole text, its prefill included. */
typedef struct kv_seconds {
    double median, least, most;
} kv_seconds;

/* Of one length of the prompt. */
typedef struct kv_times {
    uint32_t n_prompt;
    uint64_t n_tokens;          /* of each text */
    uint64_t n_runs;            /* that were done */
    uint64_t n_same;            /* tokens before the first one that differs; n_tokens: none does */
    kv_seconds seconds[KV_PATHS];
    double *step_ms[KV_PATHS];  /* [n_tokens], owned: medians of each token's */
} kv_times;

/* Fill in what came of run_ms[n_runs, n_tokens], a path's times of each token. STATUS_NO_MEMORY. */
status kv_times_take(kv_times *t, kv_path path, const double *run_ms);
void kv_times_clear(kv_times *t);

double kv_times_speedup(const kv_times *t);     /* of the medians */

/* How far the runs lie apart: the longest less the shortest, in parts of the median, of the path where that is
 * more. 0 of one run. */
double kv_times_spread(const kv_times *t);

#endif
