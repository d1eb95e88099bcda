/* The chain, by every instruction set, against a reference that sorts the whole row: the same bits on
 * random rows and chains, with ties, both zeros, and -inf. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/chain/strategy.h"
#include "proto/numeric/fmath.h"
#include "proto/draw/chain.h"
#include "proto/draw/rng.h"
#include "tests/support/chain_case.h"
#include "tests/support/cut_case.h"
#include "tests/support/random_case.h"

#include <cmocka.h>     /* last: its macro fail() would hide our function */

__extension__ typedef unsigned __int128 uint128;

enum { N_CASES = 4000, WIDTH_MAX = 3000, IDS_MAX = 64, WIDE = 49152, N_WIDE_CASES = 20, LONG = 100000 };

/* ---- random cases ---- */

static double random_value(stage_kind kind, uint32_t width) {
    switch (kind) {
    case STAGE_REPETITION_PENALTY: return 0.5 + case_unit();
    case STAGE_PRESENCE_PENALTY:
    case STAGE_FREQUENCY_PENALTY: return case_unit() * 3 - 1;
    case STAGE_TEMPERATURE: return case_below(4) ? 0.2 + case_unit() * 1.5 : 1.0;
    case STAGE_TOP_K: return case_below(width + 3);
    case STAGE_TOP_P: return case_below(5) ? case_share() : 1.0;
    case STAGE_MIN_P: return case_below(5) ? case_share() : case_below(2);
    default: return 0;
    }
}

/* Those that the reference knows; the others stand against samplers.jsonl. */
static const stage_kind KINDS[] = {STAGE_LOGIT_BIAS, STAGE_REPETITION_PENALTY, STAGE_PRESENCE_PENALTY,
                                   STAGE_FREQUENCY_PENALTY, STAGE_TEMPERATURE, STAGE_TOP_K, STAGE_TOP_P,
                                   STAGE_MIN_P, STAGE_GREEDY};

static void append_random_step(strategy *s, uint32_t width) {
    failure f;
    stage_kind kind = KINDS[case_below(sizeof KINDS / sizeof *KINDS)];
    if (stage_table[kind].shape == SHAPE_BIASES) {
        int32_t id = (int32_t)case_below(width);
        double bias = case_below(3) && width > 1 ? case_unit() * 6 - 3 : -INFINITY;
        assert_int_equal(strategy_append_biases(s, &id, &bias, 1, &f), STATUS_OK);
        return;
    }
    if (kind == STAGE_GREEDY && case_below(4)) return;
    double value = random_value(kind, width);
    assert_int_equal(strategy_append(s, kind, &value, stage_table[kind].n_fields, &f), STATUS_OK);
}

/* ---- the reference ---- */

typedef struct reference {
    uint32_t n;
    double logits[WIDTH_MAX];       /* -inf: dropped */
    uint64_t weights[WIDTH_MAX], total;
    uint32_t ranked[WIDTH_MAX];
    uint32_t counts[WIDTH_MAX];     /* of each id in the text so far */
} reference;

static const double *ranked_logits;     /* qsort has no context */

static int compare_rank(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (ranked_logits[x] != ranked_logits[y]) return ranked_logits[x] > ranked_logits[y] ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void reference_rank(reference *r) {
    for (uint32_t i = 0; i < r->n; i++) r->ranked[i] = i;
    ranked_logits = r->logits;
    qsort(r->ranked, r->n, sizeof *r->ranked, compare_rank);
    double largest = r->logits[r->ranked[0]];
    r->total = 0;
    for (uint32_t i = 0; i < r->n && largest > -INFINITY; i++) {
        r->weights[i] = (uint64_t)nearbyint(ldexp(fmath_exp(r->logits[i] - largest), 44));
        r->total += r->weights[i];
    }
}

static void reference_drop_below(reference *r, double lowest) {
    for (uint32_t i = 0; i < r->n; i++) {
        if (r->logits[i] < lowest) r->logits[i] = -INFINITY;
    }
}

#define TOLERANCE 1.8e-7        /* of a share, relative; in the protocol, too */

/* above / total ≥ p − TOLERANCE · min(p, 1 − p), or − 1e-9 where that is more, exactly. */
static bool mass_reaches(uint64_t above, uint64_t total, double p) {
    int exponent;
    double least = p - fmax(fmin(p, 1 - p) * TOLERANCE, 1e-9);
    if (least <= 0) return above > 0;
    double fraction = frexp(least, &exponent);
    uint128 bound = (uint128)ldexp(fraction, 53) * total;       /* parts of 2^(exponent − 53) */
    return above > (bound - 1) >> (53 - exponent);
}

static void reference_top_p(reference *r, double p) {
    uint64_t above = 0;
    if (p == 1) return;
    for (uint32_t i = 0; i < r->n; i++) {
        uint32_t id = r->ranked[i];
        if (mass_reaches(above, r->total, p)) r->logits[id] = -INFINITY;
        above += r->weights[id];
    }
}

static void reference_penalise(reference *r, const stage *one) {
    double value = one->numbers[0];
    for (uint32_t i = 0; i < r->n; i++) {
        uint32_t count = r->counts[i];
        if (count == 0 || r->logits[i] == -INFINITY) continue;
        if (one->kind == STAGE_PRESENCE_PENALTY) r->logits[i] -= value;
        else if (one->kind == STAGE_FREQUENCY_PENALTY) r->logits[i] -= value * count;
        else if (r->logits[i] > 0) r->logits[i] /= value;
        else r->logits[i] *= value;
    }
}

static void reference_step(reference *r, const stage *one) {
    double value = one->numbers[0];
    reference_rank(r);
    double largest = r->logits[r->ranked[0]];
    if (largest == -INFINITY) return;
    switch (one->kind) {
    case STAGE_LOGIT_BIAS:
        for (size_t i = 0; i < one->n_biases; i++) r->logits[one->bias_ids[i]] += one->biases[i];
        break;
    case STAGE_TEMPERATURE:
        for (uint32_t i = 0; i < r->n; i++) r->logits[i] /= value;
        break;
    case STAGE_TOP_K:
        if (value == 0 || value > r->n) break;
        reference_drop_below(r, r->logits[r->ranked[(int)value - 1]]);
        break;
    case STAGE_TOP_P:
        reference_top_p(r, value);
        break;
    case STAGE_MIN_P:
        if (value > 0) reference_drop_below(r, largest + fmath_log(value) - TOLERANCE);
        break;
    case STAGE_GREEDY:
        for (uint32_t i = 1; i < r->n; i++) r->logits[r->ranked[i]] = -INFINITY;
        break;
    default:
        reference_penalise(r, one);
    }
}

static int32_t reference_draw(const reference *r, uint64_t bits53) {
    uint128 running = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        running += r->weights[i];
        if (running << 53 > (uint128)bits53 * r->total) return (int32_t)i;
    }
    return -1;
}

/* ---- the comparison ---- */

static uint32_t n_cuts;         /* of rows that were drawn from after their first stages, too */

static void check_case(chain *const *c, reference *r, uint32_t n_ids) {
    static float logits[WIDTH_MAX];
    static double probabilities[WIDTH_MAX], expected[WIDTH_MAX];
    static int32_t ids[LONG];
    uint32_t width = 1 + case_below(case_below(4) ? 60 : WIDTH_MAX);
    case_row(logits, width);
    memset(r->counts, 0, sizeof r->counts);
    for (uint32_t i = 0; i < n_ids; i++) r->counts[ids[i] = (int32_t)case_below(width)]++;
    strategy s;
    strategy_init(&s);
    for (uint32_t i = case_below(7); i > 0; i--) append_random_step(&s, width);

    r->n = width;
    for (uint32_t i = 0; i < width; i++) r->logits[i] = (double)logits[i];
    for (size_t i = 0; i < s.n_stages; i++) reference_step(r, &s.stages[i]);
    reference_rank(r);
    for (uint32_t i = 0; i < width; i++) expected[i] = (double)r->weights[i] / (double)r->total;

    sample_job job = {.logits = logits, .n_vocab = width, .ids = ids, .n_ids = n_ids,
                      .strategy = &s, .seed = case_seed(), .step = case_below(1000),
                      .given = -1};
    for (; *c; c++) {
        failure f;
        sample_result result;
        status st = chain_sample(*c, &job, &result, probabilities, &f);
        if (r->logits[r->ranked[0]] == -INFINITY) {
            assert_int_equal(st, STATUS_NO_CANDIDATE);
        } else {
            assert_int_equal(st, STATUS_OK);
            assert_memory_equal(probabilities, expected, width * sizeof *expected);
            uint64_t bits53 = rng_bits53(job.seed, job.step, RNG_DRAW);
            assert_int_equal(result.id, reference_draw(r, bits53));
        }
        n_cuts += cut_case_check(&job, st, &result);
    }
    strategy_clear(&s);
}

static void random_chains_equal_the_full_sort_to_the_bit(void **state) {
    (void)state;
    static reference r;
    case_begin(20110);
    for (int i = 0; i < N_CASES; i++) check_case(isa_chains, &r, case_below(IDS_MAX));
    assert_true(n_cuts > N_CASES);
}

/* Texts of all lengths up to LONG, between short ones: nothing of one may show in the next. */
static void after_long_texts_too(void **state) {
    (void)state;
    static reference r;
    case_begin(100000);
    for (uint32_t n_ids = 1; n_ids <= LONG; n_ids += 1 + n_ids / 4) {
        check_case(isa_chains, &r, n_ids);
        check_case(isa_chains, &r, case_below(4));
    }
    check_case(isa_chains, &r, LONG);
}

/* The chapter's chain on rows shaped like a model's: a bell, and a few ids that stand out. */
static void wide_rows_are_the_same_everywhere(void **state) {
    (void)state;
    static float logits[WIDE];
    static double first_left[WIDE], left[WIDE];
    int32_t ids[IDS_MAX];
    strategy s;
    strategy_init(&s);
    strategy_defaults(&s);
    case_begin(49152);
    for (int i = 0; i < N_WIDE_CASES; i++) {
        for (int k = 0; k < WIDE; k++) logits[k] = case_logit(0);
        for (int k = 0; k < 30; k++) logits[case_below(WIDE)] = (float)(20 - 0.4 * k);
        for (int k = 0; k < IDS_MAX; k++) ids[k] = (int32_t)case_below(WIDE);
        sample_job job = {.logits = logits, .n_vocab = WIDE, .ids = ids, .n_ids = IDS_MAX,
                          .strategy = &s, .seed = 7, .step = (uint32_t)i, .n_candidates = 10,
                          .given = -1};
        failure f;
        sample_result first, result;
        assert_int_equal(chain_sample(isa_chains[0], &job, &first, first_left, &f), STATUS_OK);
        for (int c = 1; isa_chains[c]; c++) {
            assert_int_equal(chain_sample(isa_chains[c], &job, &result, left, &f), STATUS_OK);
            assert_int_equal(result.id, first.id);
            assert_memory_equal(&result.logprob, &first.logprob, sizeof first.logprob);
            assert_memory_equal(left, first_left, sizeof left);
            assert_memory_equal(result.candidates, first.candidates,
                                10 * sizeof *first.candidates);
        }
    }
    strategy_clear(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_chains_equal_the_full_sort_to_the_bit),
        cmocka_unit_test(after_long_texts_too),
        cmocka_unit_test(wide_rows_are_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, isa_chains_make, isa_chains_free);
}
