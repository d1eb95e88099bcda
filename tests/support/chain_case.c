#include "tests/support/chain_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "cut_case.h"
#include "proto/chain/strategy_json.h"

#include <cmocka.h>     /* last: its macro fail() would hide our function */

static chain_outcome outcome;

static void run(const chain_case *one, const strategy *s) {
    static chain *c;
    if (!c) c = chain_new(ISA_REF);
    assert_non_null(c);
    assert_true(one->n_vocab <= CHAIN_CASE_VOCAB_MAX);
    sample_job job = {
        .logits = one->logits, .n_vocab = one->n_vocab, .ids = one->ids, .n_ids = one->n_ids,
        .strategy = s, .seed = one->seed, .step = one->step,
        .n_candidates = one->n_candidates, .given = one->given, .state = one->state,
        .n_state_bytes = one->n_state_bytes,
    };
    outcome.f = (failure){STATUS_OK, ""};
    outcome.st = chain_sample(c, &job, &outcome.result, outcome.probabilities, &outcome.f);
    if (one->given == SAMPLE_DRAWS) cut_case_check(&job, outcome.st, &outcome.result);
}

static void run_with(const chain_case *one, const json_t *steps) {
    strategy s;
    failure f;
    strategy_init(&s);
    if (strategy_from_json(&s, steps, &f) != STATUS_OK) fail_msg("%s", f.message);
    run(one, &s);
    strategy_clear(&s);
}

const chain_outcome *chain_case_run(const chain_case *one) {
    json_t *steps = json_loads(one->chain ? one->chain : "[]", 0, NULL);
    if (!steps) fail_msg("no JSON: %s", one->chain);
    run_with(one, steps);
    json_decref(steps);
    return &outcome;
}

const chain_outcome *chain_case_run_json(const json_t *one) {
    static float logits[CHAIN_CASE_VOCAB_MAX];
    static int32_t ids[CHAIN_CASE_VOCAB_MAX];
    const json_t *row = json_object_get(one, "logits"), *history = json_object_get(one, "history");
    chain_case plain = {.logits = logits, .n_vocab = (uint32_t)json_array_size(row), .ids = ids,
                        .n_ids = (uint32_t)json_array_size(history), .given = -1};
    assert_true(plain.n_vocab <= CHAIN_CASE_VOCAB_MAX && plain.n_ids <= CHAIN_CASE_VOCAB_MAX);
    for (uint32_t i = 0; i < plain.n_vocab; i++) {
        logits[i] = (float)json_number_value(json_array_get(row, i));
    }
    for (uint32_t i = 0; i < plain.n_ids; i++) {
        ids[i] = (int32_t)json_integer_value(json_array_get(history, i));
    }
    plain.seed = (uint64_t)json_integer_value(json_object_get(one, "seed"));
    plain.step = (uint32_t)json_integer_value(json_object_get(one, "step"));
    run_with(&plain, json_object_get(one, "chain"));
    return &outcome;
}

void chain_case_each_line(const char *path, void (*check)(const json_t *one)) {
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t line_bytes = 0, n_lines = 0;
    if (!file) fail_msg("%s: cannot be read (run from the root of the repository)", path);
    while (getline(&line, &line_bytes, file) > 0) {
        json_t *one = json_loads(line, 0, NULL);
        if (!one) fail_msg("%s:%zu: no JSON", path, n_lines + 1);
        check(one);
        json_decref(one);
        n_lines++;
    }
    free(line);
    fclose(file);
    assert_true(n_lines > 0);
}

chain *isa_chains[4];

int isa_chains_make(void **state) {
    (void)state;
    isa machine;
    failure f;
    assert_int_equal(cpu_isa(&machine, "auto", &f), STATUS_OK);
    for (isa i = ISA_REF; i <= machine; i++) assert_non_null(isa_chains[i] = chain_new(i));
    return 0;
}

int isa_chains_free(void **state) {
    (void)state;
    for (int i = 0; isa_chains[i]; i++) chain_free(&isa_chains[i]);
    return 0;
}
