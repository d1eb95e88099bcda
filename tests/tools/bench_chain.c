/* Time of one row through a chain: 49,152 logits, by each instruction set after a history of 512 ids, and by the best
 * one after histories of several lengths. Prints, asserts nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/clock.h"
#include "proto/chain/strategy_json.h"
#include "proto/numeric/fmath.h"
#include "proto/draw/chain.h"
#include "tests/support/bell_row.h"
#include "tests/support/percentile.h"

enum { N_VOCAB = 49152, N_ROWS = 8, N_ROUNDS = 40, LENGTHS = 3, N_IDS_MOST = 100000, N_BIASES = 10000 };

static const uint32_t lengths[LENGTHS] = {100, 8000, N_IDS_MOST};

typedef struct plan {
    const char *name, *steps;
    uint32_t n_candidates;
    int32_t given;              /* as in sample_job */
    bool biased;                /* N_BIASES of them before the steps */
} plan;

#define DEFAULTS "{\"repetition_penalty\": 1.1}, {\"temperature\": 0.8}, {\"top_p\": 0.9}"
#define DRY "{\"dry\": {\"multiplier\": 0.8, \"base\": 1.75, \"allowed_length\": 2, \"last_n\": -1}}"

static const plan plans[] = {
    {"log-probability of a given id", "[]", 0, 7, false},
    {"no step", "[]", 0, SAMPLE_DRAWS, false},
    {"greedy", "[{\"greedy\": true}]", 0, SAMPLE_DRAWS, false},
    {"temperature 0.8", "[{\"temperature\": 0.8}]", 0, SAMPLE_DRAWS, false},
    {"default: penalty 1.1, temperature 0.8, top_p 0.9", "[" DEFAULTS "]", 0, SAMPLE_DRAWS, false},
    {"default, 10 candidates", "[" DEFAULTS "]", 10, SAMPLE_DRAWS, false},
    {"top_k 40, then default", "[{\"top_k\": 40}, " DEFAULTS "]", 0, SAMPLE_DRAWS, false},
};

static const plan plans_of_histories[] = {
    {"temperature 0.8", "[{\"temperature\": 0.8}]", 0, SAMPLE_DRAWS, false},
    {"default: penalty 1.1, temperature 0.8, top_p 0.9", "[" DEFAULTS "]", 0, SAMPLE_DRAWS, false},
    {"default after presence and frequency penalties",
     "[{\"presence_penalty\": 0.5}, {\"frequency_penalty\": 0.2}, " DEFAULTS "]", 0, SAMPLE_DRAWS, false},
    {"top_k 40, then default", "[{\"top_k\": 40}, " DEFAULTS "]", 0, SAMPLE_DRAWS, false},
    {"dry, then default", "[" DRY ", " DEFAULTS "]", 0, SAMPLE_DRAWS, false},
    {"10,000 biases, then default", "[" DEFAULTS "]", 0, SAMPLE_DRAWS, true},
};

static void put_biases(strategy *s) {
    static int32_t ids[N_BIASES];
    static double biases[N_BIASES];
    stage one = {.kind = STAGE_LOGIT_BIAS, .bias_ids = ids, .biases = biases, .n_biases = N_BIASES};
    failure f;
    for (int i = 0; i < N_BIASES; i++) ids[i] = i * 4, biases[i] = -0.5;
    if (strategy_set(s, &one, &f) != STATUS_OK) die("bench_chain", "%s", f.message);
}

static strategy parse(const plan *p) {
    failure f = {STATUS_OK, ""};
    strategy s;
    strategy_init(&s);
    json_t *json = json_loads(p->steps, 0, NULL);
    if (!json || strategy_from_json(&s, json, &f) != STATUS_OK) die("bench_chain", "%s", p->steps);
    json_decref(json);
    if (p->biased) put_biases(&s);
    return s;
}

typedef struct bench {
    float *logits;              /* [N_ROWS, N_VOCAB] */
    int32_t ids[N_IDS_MOST];
} bench;

/* One draw, in microseconds. */
static double draw_us(chain *by, const bench *b, const plan *p, const strategy *s, uint32_t n_ids, uint32_t step) {
    sample_job job = {.logits = b->logits + (size_t)(step % N_ROWS) * N_VOCAB, .n_vocab = N_VOCAB, .ids = b->ids,
                      .n_ids = n_ids, .strategy = s, .seed = 7, .step = step, .n_candidates = p->n_candidates,
                      .given = p->given};
    sample_result unused;
    failure f = {STATUS_OK, ""};
    uint64_t begin_us = clock_us();
    if (chain_sample(by, &job, &unused, NULL, &f) != STATUS_OK) die("bench_chain", "%s", f.message);
    return (double)(clock_us() - begin_us);
}

/* The medians of all rounds. The lengths take turns of N_ROWS draws, before each of which one is not counted: it finds
 * in the caches what another length left there. */
static void report(const bench *b, const plan *p, isa best, const uint32_t *n_ids, int n_lengths) {
    static double times_us[LENGTHS][N_ROUNDS * N_ROWS];
    chain *by = chain_new(best);
    strategy s = parse(p);
    if (!by) die("bench_chain", "no memory");
    for (int i = 0; i < N_ROUNDS * n_lengths; i++) {
        int k = i % n_lengths, first = i / n_lengths * N_ROWS;
        draw_us(by, b, p, &s, n_ids[k], 0);
        for (int at = first; at < first + N_ROWS; at++) times_us[k][at] = draw_us(by, b, p, &s, n_ids[k], (uint32_t)at);
    }
    for (int k = 0; k < n_lengths; k++) printf("%10.0f", percentile_of(times_us[k], N_ROUNDS * N_ROWS, 50));
    strategy_clear(&s);
    chain_free(&by);
}

static void report_instruction_sets(const bench *b, isa machine) {
    static const uint32_t n_ids = 512;
    printf("%-50s", "us a row, median");
    for (isa i = ISA_REF; i <= machine; i++) printf("%10s", isa_name(i));
    for (size_t p = 0; p < sizeof plans / sizeof *plans; p++) {
        printf("\n%-50s", plans[p].name);
        for (isa i = ISA_REF; i <= machine; i++) report(b, &plans[p], i, &n_ids, 1);
    }
    printf("\n");
}

static void report_histories(const bench *b, isa machine) {
    printf("%-50s", "us a row after so many ids, median");
    for (int k = 0; k < LENGTHS; k++) printf("%10u", lengths[k]);
    for (size_t p = 0; p < sizeof plans_of_histories / sizeof *plans_of_histories; p++) {
        printf("\n%-50s", plans_of_histories[p].name);
        report(b, &plans_of_histories[p], machine, lengths, LENGTHS);
    }
    printf("\n");
}

int main(void) {
    static bench b;
    isa machine;
    failure f = {STATUS_OK, ""};
    b.logits = malloc(sizeof *b.logits * N_ROWS * N_VOCAB);
    if (!b.logits) die("bench_chain", "no memory");
    fmath_thread_start();
    cpu_isa(&machine, "auto", &f);
    for (int i = 0; i < N_ROWS; i++) bell_row_fill(b.logits + (size_t)i * N_VOCAB, N_VOCAB, (uint64_t)i + 1);
    bell_row_history(b.ids, N_IDS_MOST, N_VOCAB);
    report_instruction_sets(&b, machine);
    report_histories(&b, machine);
    free(b.logits);
    return 0;
}
