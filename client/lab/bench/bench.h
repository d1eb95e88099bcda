/* What the benches are told. */
#ifndef TRIVIUM_BENCH_H
#define TRIVIUM_BENCH_H

#include "client/cli/flags.h"

enum { BENCH_NUMBERS_MAX = 16 };

/* Numbers between commas. */
typedef struct bench_numbers {
    uint32_t values[BENCH_NUMBERS_MAX];
    size_t n_values;
    size_t n_values_max;        /* at most BENCH_NUMBERS_MAX */
    uint32_t max;               /* of each, which is 1 at least */
} bench_numbers;

typedef struct bench_flags {
    common_flags common;
    stage_flags stages;
    strategy chain;
    const char *model, *pool;   /* NULL: the default model, the default pool */
    uint64_t n_tokens, n_runs;
    bench_numbers clients, prompts;
    const char *svg;            /* a file for a figure; NULL: none */
} bench_flags;

#endif
