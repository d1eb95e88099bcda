/* Where a share is exactly what was typed: what is left is what fractions say, the same to the bit by every
 * instruction set of this machine; and a miss by a millionth is a miss. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/limits.h"
#include "proto/chain/strategy_json.h"
#include "proto/draw/chain.h"
#include "tests/support/chain_case.h"

#include <cmocka.h>     /* last: its macro fail() would hide our function */

static double field(const json_t *run, size_t i) {
    return json_number_value(json_array_get(run, i));
}

/* [[logit, how many], …]. Returns how many in all. */
static uint32_t read_row(const json_t *row, float *logits) {
    uint32_t n = 0;
    for (size_t i = 0; i < json_array_size(row); i++) {
        const json_t *run = json_array_get(row, i);
        for (uint32_t k = (uint32_t)field(run, 1); k > 0; k--) {
            assert_true(n < CHAIN_CASE_VOCAB_MAX);
            logits[n++] = (float)field(run, 0);
        }
    }
    return n;
}

/* [[first id, how many], …] */
static void read_left(const json_t *runs, bool *is_left, uint32_t n) {
    memset(is_left, 0, n * sizeof *is_left);
    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *run = json_array_get(runs, i);
        uint32_t first = (uint32_t)field(run, 0), n_ids = (uint32_t)field(run, 1);
        assert_true(first + n_ids <= n);
        for (uint32_t id = first; id < first + n_ids; id++) is_left[id] = true;
    }
}

static bool is_as_expected(const json_t *one, const sample_result *out, const double *probabilities,
                           const bool *is_left, uint32_t n) {
    const json_t *n_left = json_object_get(one, "n_left");
    if (out->n_left_items != json_array_size(n_left)) return false;
    for (uint32_t i = 0; i < out->n_left_items; i++) {
        if (out->n_left[i] != (uint32_t)field(n_left, i)) return false;
    }
    for (uint32_t id = 0; id < n; id++) {
        if ((probabilities[id] > 0) != is_left[id]) return false;
    }
    for (uint32_t i = 0; i < out->n_candidates; i++) {      /* one may stay and weigh nothing */
        const sample_candidate *candidate = &out->candidates[i];
        if (is_left[candidate->id] ? candidate->removed_by > 0 : candidate->probability > 0) return false;
        if (candidate->removed_by >= out->n_left_items) return false;
    }
    return is_left[out->id];
}

static void check_case(const json_t *one) {
    static float logits[CHAIN_CASE_VOCAB_MAX];
    static double probabilities[2][CHAIN_CASE_VOCAB_MAX];
    static bool is_left[CHAIN_CASE_VOCAB_MAX];
    strategy s;
    failure f;
    strategy_init(&s);
    assert_int_equal(strategy_from_json(&s, json_object_get(one, "chain"), &f), STATUS_OK);
    uint32_t n = read_row(json_object_get(one, "row"), logits);
    read_left(json_object_get(one, "left"), is_left, n);
    sample_job job = {.logits = logits, .n_vocab = n, .strategy = &s, .seed = n, .given = -1,
                      .n_candidates = CANDIDATES_MAX};
    for (int i = 0; isa_chains[i]; i++) {
        sample_result out;
        double *now = probabilities[i > 0];
        status st = chain_sample(isa_chains[i], &job, &out, now, &f);
        if (st != STATUS_OK || !is_as_expected(one, &out, now, is_left, n))
            fail_msg("isa=%s, %u left: %s", isa_name((isa)i), out.n_left[s.n_stages], json_dumps(one, 0));
        assert_memory_equal(now, probabilities[0], n * sizeof *now);
    }
    strategy_clear(&s);
}

static void shares_mean_what_was_typed(void **state) {
    (void)state;
    chain_case_each_line("tests/golden/shares.jsonl", check_case);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_mean_what_was_typed),
    };
    return cmocka_run_group_tests(tests, isa_chains_make, isa_chains_free);
}
