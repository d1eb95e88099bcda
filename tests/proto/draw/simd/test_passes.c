/* Every instruction set that this machine has gives the bits of the passes in plain C: at every
 * tail length, on rows as wide as a vocabulary, for extreme values; plain C weighs as row.h says. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/numeric/fmath.h"
#include "proto/draw/simd/passes.h"

#include <cmocka.h>     /* last: its macro fail() would hide our function */

enum { TAIL_MAX = 67, WIDE = 49152, N_ROUNDS = 40 };

static passes ref, fast[2];
static const char *fast_names[2];
static int n_fast;

/* ---- data ---- */

typedef enum mode { ORDINARY, EXTREME, STRANGE } mode;  /* finite; also -inf; also NaN and +inf */

static uint64_t random_state = 1;

static uint64_t random_bits(void) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return random_state ^ random_state >> 29;
}

static double random_unit(void) {
    return (double)(random_bits() >> 11) * 0x1p-53;
}

static double random_logit(mode m) {
    static const double extremes[] = {
        0.0, -0.0, DBL_MIN, -DBL_MIN / 4, DBL_TRUE_MIN, -DBL_TRUE_MIN, -DBL_MAX, -1e300, 0x1p-60,
        -32.0, -31.999999999999996, -32.000000000000007, -31.19162312519754, -30.498475944637597,
        -0.34657359027997264, -0.34657359027997270, -0.6931471805599453, -INFINITY,
    };
    enum { N_EXTREMES = sizeof extremes / sizeof *extremes };
    if (m == STRANGE && random_bits() % 50 == 0) return random_bits() % 2 ? (double)NAN : INFINITY;
    if (m != ORDINARY && random_bits() % 4 == 0) return extremes[random_bits() % N_EXTREMES];
    return -40 * random_unit();
}

/* Exactly n items on the heap, so that AddressSanitizer sees a read or write beyond them. */
static double *random_logits(uint32_t n, mode m) {
    double *z = malloc(n * sizeof *z);
    assert_non_null(z);
    for (uint32_t i = 0; i < n; i++) z[i] = random_logit(m);
    return z;
}

static void *fresh(size_t n_bytes) {
    void *bytes = malloc(n_bytes);
    assert_non_null(bytes);
    memset(bytes, 0x5a, n_bytes);
    return bytes;
}

/* ---- one pass against plain C ---- */

typedef void check_function(const passes *p, const char *name, uint32_t n, mode m);

static void check_widen(const passes *p, const char *name, uint32_t n, mode m) {
    double *z = random_logits(n, m);
    float *logits = fresh(n * sizeof *logits);
    for (uint32_t i = 0; i < n; i++) logits[i] = (float)z[i];
    double *want = fresh(n * sizeof *want), *got = fresh(n * sizeof *got), want_max, got_max;
    bool finite = ref.widen(want, logits, n, &want_max);
    if (p->widen(got, logits, n, &got_max) != finite) fail_msg("widen isa=%s n=%u", name, n);
    if (finite && (memcmp(want, got, n * sizeof *got) != 0 || want_max != got_max)) {
        fail_msg("widen isa=%s n=%u", name, n);
    }
    free(z), free(logits), free(want), free(got);
}

static void check_largest(const passes *p, const char *name, uint32_t n, mode m) {
    double *z = random_logits(n, m);
    if (p->largest(z, n) != ref.largest(z, n)) fail_msg("largest isa=%s n=%u", name, n);
    free(z);
}

static void check_scale(const passes *p, const char *name, uint32_t n, mode m) {
    double *want = random_logits(n, m), *got = fresh(n * sizeof *got);
    double shift = random_bits() % 2 ? 0.0 : random_unit() * 9, divisor = 0.01 + random_unit() * 2;
    memcpy(got, want, n * sizeof *got);
    ref.scale(want, shift, divisor, n);
    p->scale(got, shift, divisor, n);
    for (uint32_t i = 0; i < n; i++) {
        bool both_nan = isnan(want[i]) && isnan(got[i]);
        if (memcmp(&want[i], &got[i], sizeof *got) != 0 && !both_nan) {
            fail_msg("scale isa=%s n=%u z=%a", name, n, want[i]);
        }
    }
    free(want), free(got);
}

static void check_weigh(const passes *p, const char *name, uint32_t n, mode m) {
    if (m == STRANGE) return;                   /* no row with them is weighed */
    double *z = random_logits(n, m), max = fmax(ref.largest(z, n), -DBL_MAX);
    if (random_bits() % 2) max = DBL_MIN;       /* then differences are exact where it matters */
    uint64_t *want = fresh(n * sizeof *want), *got = fresh(n * sizeof *got);
    for (uint32_t i = 0; i < n; i++) z[i] = fmin(z[i], max);
    uint64_t total = ref.weigh(want, z, max, n);
    if (p->weigh(got, z, max, n) != total) fail_msg("total isa=%s n=%u", name, n);
    if (memcmp(want, got, n * sizeof *got) != 0) fail_msg("weigh isa=%s n=%u", name, n);
    free(z), free(want), free(got);
}

static void check_select(const passes *p, const char *name, uint32_t n, mode m) {
    double *z = random_logits(n, m), lowest = random_logit(EXTREME);
    if (random_bits() % 2) lowest = z[random_bits() % n];       /* equals are selected */
    uint32_t *want = fresh(n * sizeof *want), *got = fresh(n * sizeof *got);
    uint32_t n_selected = ref.select(want, z, lowest, n);
    if (p->select(got, z, lowest, n) != n_selected) fail_msg("select isa=%s n=%u", name, n);
    if (memcmp(want, got, n_selected * sizeof *got) != 0) fail_msg("select isa=%s n=%u", name, n);
    free(z), free(want), free(got);
}

static void check_everywhere(check_function *check) {
    for (int f = 0; f < n_fast; f++) {
        for (mode m = ORDINARY; m <= STRANGE; m++) {
            for (int round = 0; round < N_ROUNDS; round++) {
                for (uint32_t n = 1; n <= TAIL_MAX; n++) check(&fast[f], fast_names[f], n, m);
            }
            for (int round = 0; round < N_ROUNDS / 2; round++) {
                check(&fast[f], fast_names[f], WIDE, m);
            }
        }
    }
}

static void widen_is_the_same_everywhere(void **state) {
    (void)state;
    check_everywhere(check_widen);
}

static void largest_is_the_same_everywhere(void **state) {
    (void)state;
    check_everywhere(check_largest);
}

static void scale_is_the_same_everywhere(void **state) {
    (void)state;
    check_everywhere(check_scale);
}

static void weigh_is_the_same_everywhere(void **state) {
    (void)state;
    check_everywhere(check_weigh);
}

static void select_is_the_same_everywhere(void **state) {
    (void)state;
    check_everywhere(check_select);
}

/* ---- what plain C promises ---- */

static void a_strange_logit_is_found_wherever_it_stands(void **state) {
    (void)state;
    static const float strange[] = {NAN, INFINITY, -INFINITY};
    float logits[TAIL_MAX] = {0};
    double z[TAIL_MAX], max;
    for (int f = -1; f < n_fast; f++) {
        const passes *p = f < 0 ? &ref : &fast[f];
        assert_true(p->widen(z, logits, TAIL_MAX, &max));
        for (int i = 0; i < TAIL_MAX * 3; i++) {
            logits[i / 3] = strange[i % 3];
            assert_false(p->widen(z, logits, TAIL_MAX, &max));
            memset(z, 0, sizeof z);
            z[i / 3] = (double)logits[i / 3];
            assert_true(p->largest(z, TAIL_MAX) == (i % 3 == 2 ? 0 : INFINITY));
            logits[i / 3] = 0;
        }
    }
}

static void a_weight_is_the_rounded_exponential(void **state) {
    (void)state;
    for (int i = 0; i < 100000; i++) {
        double below = random_logit(EXTREME);
        if (below > 0) continue;
        uint64_t weight, want = (uint64_t)nearbyint(ldexp(fmath_exp(below), 44));
        assert_int_equal(ref.weigh(&weight, &below, 0.0, 1), want);
        assert_int_equal(weight, want);
    }
}

static int find_passes(void **state) {
    (void)state;
    isa machine;
    failure f;
    fmath_thread_start();
    passes_init(&ref, ISA_REF);
    assert_int_equal(cpu_isa(&machine, "auto", &f), STATUS_OK);
    for (isa i = ISA_AVX2; i <= machine; i++) {
        fast_names[n_fast] = isa_name(i);
        passes_init(&fast[n_fast++], i);
    }
    if (n_fast < 2) print_message("this machine's best is %s\n", isa_name(machine));
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widen_is_the_same_everywhere),
        cmocka_unit_test(largest_is_the_same_everywhere),
        cmocka_unit_test(scale_is_the_same_everywhere),
        cmocka_unit_test(weigh_is_the_same_everywhere),
        cmocka_unit_test(select_is_the_same_everywhere),
        cmocka_unit_test(a_strange_logit_is_found_wherever_it_stands),
        cmocka_unit_test(a_weight_is_the_rounded_exponential),
    };
    return cmocka_run_group_tests(tests, find_passes, NULL);
}
