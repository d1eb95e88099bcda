/* Time of one row through a chain: 49,152 logits, a history of 512 ids. Prints, asserts nothing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/rt/clock.h"
#include "proto/rt/fmath.h"
#include "samplerd/chain.h"

enum { N_VOCAB = 49152, N_IDS = 512, N_ROWS = 8, N_ROUNDS = 40 };

static uint64_t random_state = 1;

static double random_uniform(void) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(random_state >> 11) * 0x1p-53;
}

/* Shaped like a language model's row: a broad bell of unlikely tokens, a few that stand out. */
static void fill_row(float *logits) {
    for (int i = 0; i < N_VOCAB; i++) {
        double bell = -6.0;
        for (int k = 0; k < 12; k++) bell += random_uniform();
        logits[i] = (float)(bell * 2.5);
    }
    for (int k = 0; k < 40; k++) {
        logits[(int)(random_uniform() * N_VOCAB)] = (float)(18.0 - 0.3 * k);
    }
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void bench(const char *name, const strategy *s, const float *rows, const int32_t *ids,
                  uint32_t n_candidates) {
    static double times_us[N_ROUNDS * N_ROWS];
    chain *c = chain_new();
    failure f = {STATUS_OK, ""};
    if (!c) die("bench_chain", "no memory");
    for (int i = 0; i < N_ROUNDS * N_ROWS; i++) {
        sample_job job = {.logits = rows + (size_t)(i % N_ROWS) * N_VOCAB, .n_vocab = N_VOCAB,
                          .ids = ids, .n_ids = N_IDS, .n_prompt = N_IDS, .strategy = s, .seed = 7,
                          .step = (uint32_t)i, .n_candidates = n_candidates, .given = -1};
        sample_result result;
        uint64_t begin_us = clock_us();
        status st = chain_sample(c, &job, &result, NULL, &f);
        times_us[i] = (double)(clock_us() - begin_us);
        if (st != STATUS_OK) die("bench_chain", "%s", f.message);
    }
    chain_free(&c);
    qsort(times_us, N_ROUNDS * N_ROWS, sizeof *times_us, compare);
    printf("%-48s %6.0f us a row (fastest %.0f)\n", name, times_us[N_ROUNDS * N_ROWS / 2],
           times_us[0]);
}

int main(void) {
    float *rows = malloc(sizeof *rows * N_ROWS * N_VOCAB);
    static int32_t ids[N_IDS];
    strategy s;
    failure f = {STATUS_OK, ""};
    if (!rows) die("bench_chain", "no memory");
    fmath_thread_start();
    for (int i = 0; i < N_ROWS; i++) fill_row(rows + (size_t)i * N_VOCAB);
    for (int i = 0; i < N_IDS; i++) ids[i] = (int32_t)(random_uniform() * N_VOCAB);

    strategy_init(&s);
    bench("no step", &s, rows, ids, 0);
    strategy_append(&s, STEP_GREEDY, NULL, 0, &f);
    bench("greedy", &s, rows, ids, 0);
    strategy_defaults(&s);
    bench("default: penalty 1.1, temperature 0.8, top_p 0.9", &s, rows, ids, 0);
    bench("default, 10 candidates", &s, rows, ids, 10);
    strategy_set(&s, &(step){.kind = STEP_TOP_K, .numbers = {40}}, &f);
    bench("default with top_k 40", &s, rows, ids, 0);
    free(rows);
    return 0;
}
