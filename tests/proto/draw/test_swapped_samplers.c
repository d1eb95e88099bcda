/* A long text whose samplers are lost, started anew and swapped between any two steps, and draw for other texts meanwhile:
 * what is drawn is what one sampler draws that has the text for itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/draw/chain.h"
#include "tests/support/bell_row.h"
#include "tests/support/chain_case.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { N_VOCAB = 5000, N_PROMPT = 8000, N_STEPS = 40 };

static float row[N_VOCAB];
static int32_t text[N_PROMPT + N_STEPS], other_text[N_PROMPT];
static strategy chosen;

static void choose(stage_kind kind, const double *numbers) {
    failure f;
    assert_int_equal(strategy_append(&chosen, kind, numbers, stage_table[kind].n_fields, &f), STATUS_OK);
}

/* Every stage that looks at the text, some of them after one that drops candidates, and one that remembers. */
static void choose_all_that_look_back(void) {
    strategy_init(&chosen);
    choose(STAGE_REPETITION_PENALTY, (const double[]){1.1});
    choose(STAGE_DRY, (const double[]){0.8, 1.75, 1, -1});
    choose(STAGE_TOP_K, (const double[]){2000});
    choose(STAGE_PRESENCE_PENALTY, (const double[]){0.3});
    choose(STAGE_FREQUENCY_PENALTY, (const double[]){0.2});
    choose(STAGE_MIROSTAT, (const double[]){4, 0.3});
}

static sample_result draw(chain *by, const int32_t *ids, uint32_t n_ids, uint32_t step, const sample_result *before) {
    sample_job job = {.logits = row, .n_vocab = N_VOCAB, .ids = ids, .n_ids = n_ids, .strategy = &chosen, .seed = 3,
                      .step = step, .state = before->state, .n_state_bytes = before->n_state_bytes,
                      .given = SAMPLE_DRAWS};
    sample_result result;
    failure f;
    bell_row_fill(row, N_VOCAB, step);
    assert_int_equal(chain_sample(by, &job, &result, NULL, &f), STATUS_OK);
    return result;
}

static sample_result draw_by_a_new_one(uint32_t n_ids, uint32_t step, const sample_result *before) {
    chain *new_one = chain_new(ISA_REF);
    assert_non_null(new_one);
    sample_result result = draw(new_one, text, n_ids, step, before);
    chain_free(&new_one);
    return result;
}

static void a_text_goes_on_with_any_sampler(void **state) {
    (void)state;
    chain *own = chain_new(ISA_REF);
    sample_result before = {.n_state_bytes = 0}, nothing = before;
    assert_non_null(own);
    choose_all_that_look_back();
    bell_row_history(text, N_PROMPT, N_VOCAB);
    for (uint32_t i = 0; i < N_PROMPT; i++) other_text[i] = (int32_t)(i % 700);
    for (uint32_t step = 0; step < N_STEPS; step++) {
        uint32_t n_ids = N_PROMPT + step;
        sample_result expected = draw(own, text, n_ids, step, &before);
        for (int c = 0; isa_chains[c]; c++) {
            draw(isa_chains[c], other_text, N_PROMPT - 7 * step, step, &nothing);
            sample_result result = draw(isa_chains[c], text, n_ids, step, &before);
            assert_memory_equal(&result.id, &expected.id, sizeof expected.id);
            assert_memory_equal(&result.logprob, &expected.logprob, sizeof expected.logprob);
            assert_memory_equal(result.state, expected.state, expected.n_state_bytes);
        }
        sample_result result = draw_by_a_new_one(n_ids, step, &before);
        assert_int_equal(result.id, expected.id);
        assert_memory_equal(result.state, expected.state, expected.n_state_bytes);
        text[n_ids] = expected.id;
        before = expected;
    }
    strategy_clear(&chosen);
    chain_free(&own);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_text_goes_on_with_any_sampler)};
    return cmocka_run_group_tests(tests, isa_chains_make, isa_chains_free);
}
