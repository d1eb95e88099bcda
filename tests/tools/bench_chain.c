/* Time of one row through a chain, by each instruction set: 49,152 logits, a history of 512 ids.
 * Prints, asserts nothing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/chain/strategy_json.h"
#include "proto/numeric/fmath.h"
#include "samplerd/chain/chain.h"
#include "tests/support/percentile.h"

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

typedef struct plan {
    const char *name, *steps;
    uint32_t n_candidates;
    int32_t given;              /* as in sample_job */
} plan;

#define DEFAULTS "{\"repetition_penalty\": 1.1}, {\"temperature\": 0.8}, {\"top_p\": 0.9}"

static const plan plans[] = {
    {"log-probability of a given id", "[]", 0, 7},
    {"no step", "[]", 0, -1},
    {"greedy", "[{\"greedy\": true}]", 0, -1},
    {"temperature 0.8", "[{\"temperature\": 0.8}]", 0, -1},
    {"default: penalty 1.1, temperature 0.8, top_p 0.9", "[" DEFAULTS "]", 0, -1},
    {"default, 10 candidates", "[" DEFAULTS "]", 10, -1},
    {"top_k 40, then default", "[{\"top_k\": 40}, " DEFAULTS "]", 0, -1},
};

static strategy parse(const char *steps) {
    failure f = {STATUS_OK, ""};
    strategy s;
    strategy_init(&s);
    json_t *json = json_loads(steps, 0, NULL);
    if (!json || strategy_from_json(&s, json, &f) != STATUS_OK) die("bench_chain", "%s", steps);
    json_decref(json);
    return s;
}

/* The median of all rounds, in microseconds a row. */
static double time_us(const plan *p, isa best, const float *rows, const int32_t *ids) {
    static double times_us[N_ROUNDS * N_ROWS];
    chain *c = chain_new(best);
    strategy s = parse(p->steps);
    failure f = {STATUS_OK, ""};
    if (!c) die("bench_chain", "no memory");
    for (int i = 0; i < N_ROUNDS * N_ROWS; i++) {
        sample_job job = {.logits = rows + (size_t)(i % N_ROWS) * N_VOCAB, .n_vocab = N_VOCAB,
                          .ids = ids, .n_ids = N_IDS, .strategy = &s, .seed = 7,
                          .step = (uint32_t)i, .n_candidates = p->n_candidates,
                          .given = p->given};
        sample_result result;
        uint64_t begin_us = clock_us();
        status st = chain_sample(c, &job, &result, NULL, &f);
        times_us[i] = (double)(clock_us() - begin_us);
        if (st != STATUS_OK) die("bench_chain", "%s", f.message);
    }
    strategy_clear(&s);
    chain_free(&c);
    return percentile_of(times_us, N_ROUNDS * N_ROWS, 50);
}

int main(void) {
    float *rows = malloc(sizeof *rows * N_ROWS * N_VOCAB);
    static int32_t ids[N_IDS];
    isa machine;
    failure f = {STATUS_OK, ""};
    if (!rows) die("bench_chain", "no memory");
    fmath_thread_start();
    cpu_isa(&machine, "auto", &f);
    for (int i = 0; i < N_ROWS; i++) fill_row(rows + (size_t)i * N_VOCAB);
    for (int i = 0; i < N_IDS; i++) ids[i] = (int32_t)(random_uniform() * N_VOCAB);

    printf("%-50s", "us a row, median");
    for (isa i = ISA_REF; i <= machine; i++) printf("%10s", isa_name(i));
    for (size_t p = 0; p < sizeof plans / sizeof *plans; p++) {
        printf("\n%-50s", plans[p].name);
        for (isa i = ISA_REF; i <= machine; i++) printf("%10.0f", time_us(&plans[p], i, rows, ids));
    }
    printf("\n");
    free(rows);
    return 0;
}
