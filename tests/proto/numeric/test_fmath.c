/* What fmath.h promises: accuracy over the stated ranges, special values, and the same bits
 * whatever the compiler, flags or instruction set: the golden sums were computed once and never
 * change. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fenv.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "proto/numeric/bits.h"
#include "proto/numeric/fmath.h"

enum { N_POINTS = 100000 };
static const double ULPS_MAX = 2.0;

typedef double function(double x);
typedef long double oracle(long double x);

/* Points spread over low … high by a multiplicative generator: the same ones everywhere. */
static double point(double low, double high, int i) {
    uint64_t x = (uint64_t)(i + 1) * 0x9e3779b97f4a7c15u;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 32;
    return low + (high - low) * ((double)(x >> 11) * 0x1p-53);
}

static double expf_of(double x) {
    return (double)fmath_expf((float)x);
}
static double tanhf_of(double x) {
    return (double)fmath_tanhf((float)x);
}

typedef struct range_case {
    const char *name;
    function *ours;
    oracle *exact;
    double low, high;
    int digits;                 /* of the result: 53 or 24 bits */
    uint64_t golden;            /* sum over the points of (result bits, rotated) */
} range_case;

static const range_case CASES[] = {
    {"exp", fmath_exp, expl, -708.3, 709.7, 53, 0xffdd494bf1ed7621},
    {"exp near 0", fmath_exp, expl, -1, 1, 53, 0xe4854e7ffceda641},
    {"log", fmath_log, logl, 0, 1e9, 53, 0xe7187dd19d5684b1},
    {"log near 1", fmath_log, logl, 0.99, 1.01, 53, 0xc96516b6eb644d60},
    {"sin", fmath_sin, sinl, -10, 10, 53, 0x126f04f466a5a5a1},
    {"sin, far", fmath_sin, sinl, -0x1p30, 0x1p30, 53, 0x58bb082241181742},
    {"cos", fmath_cos, cosl, -10, 10, 53, 0x2ea70b4d98d8c807},
    {"cos, far", fmath_cos, cosl, -0x1p30, 0x1p30, 53, 0x8051b229993fdce7},
    {"tanh", fmath_tanh, tanhl, -1.5, 1.5, 53, 0x1660c3ae4e89fc15},
    {"tanh, far", fmath_tanh, tanhl, -25, 25, 53, 0x843e76a266b77e6b},
    {"expf", expf_of, expl, -87.3, 88.7, 24, 0xf2e46d5e0b5156cf},
    {"expf near 0", expf_of, expl, -1, 1, 24, 0x66a6273f97560415},
    {"tanhf", tanhf_of, tanhl, -1.5, 1.5, 24, 0xb6d545a37141a3b0},
    {"tanhf, far", tanhf_of, tanhl, -12, 12, 24, 0x45a90bf5aa8277d6},
};
static const uint64_t GOLDEN_POW = 0x440eb85dbc5ecff0;
enum { N_CASES = sizeof CASES / sizeof CASES[0] };

/* Distance in units of the last place of a number with this many bits. */
static double ulps(double got, long double want, int digits) {
    int exponent;
    frexp((double)want, &exponent);
    return (double)(fabsl((long double)got - want) / ldexpl(1.0L, exponent - digits));
}

static double argument(const range_case *c, int i) {
    double x = point(c->low, c->high, i);
    return c->digits == 24 ? (double)(float)x : x;
}

static void results_are_within_two_units(void **state) {
    (void)state;
    for (int k = 0; k < N_CASES; k++) {
        const range_case *c = &CASES[k];
        for (int i = 0; i < N_POINTS; i++) {
            double x = argument(c, i);
            double distance = ulps(c->ours(x), c->exact((long double)x), c->digits);
            if (!(distance <= ULPS_MAX)) fail_msg("%s(%a): %.2f units off", c->name, x, distance);
        }
    }
}

static void pow_is_within_two_units(void **state) {
    (void)state;
    for (int i = 0; i < N_POINTS; i++) {
        double x = exp(point(-700, 700, i)), y = point(-707, 707, i + N_POINTS) / fabs(log(x));
        double distance = ulps(fmath_pow(x, y), powl((long double)x, (long double)y), 53);
        if (!(distance <= ULPS_MAX)) fail_msg("pow(%a, %a): %.2f units off", x, y, distance);
    }
}

static uint64_t mixed(uint64_t sum, double value) {
    return (sum << 7 | sum >> 57) + double_bits(value);
}

static void bits_never_change(void **state) {
    (void)state;
    for (int k = 0; k < N_CASES; k++) {
        uint64_t sum = 0;
        for (int i = 0; i < N_POINTS; i++) sum = mixed(sum, CASES[k].ours(argument(&CASES[k], i)));
        if (sum != CASES[k].golden)
            fail_msg("%s: bits 0x%016" PRIx64, CASES[k].name, sum);
    }
    uint64_t sum = 0;
    for (int i = 0; i < N_POINTS; i++)
        sum = mixed(sum, fmath_pow(point(0, 1e5, i), point(-60, 60, i + N_POINTS)));
    if (sum != GOLDEN_POW) fail_msg("pow: bits 0x%016" PRIx64, sum);
}

static void special_values_follow_annex_f(void **state) {
    (void)state;
    double infinite = (double)INFINITY, nan = (double)NAN;
    assert_true(fmath_exp(0.0) == 1.0 && fmath_exp(-0.0) == 1.0);
    assert_true(fmath_exp(infinite) == infinite && fmath_exp(-infinite) == 0.0);
    assert_true(isnan(fmath_exp(nan)));
    assert_true(fmath_expf(0.0f) == 1.0f && isnan(fmath_expf(NAN)));
    assert_true(fmath_expf(INFINITY) == INFINITY && fmath_expf(-INFINITY) == 0.0f);
    assert_true(fmath_log(0.0) == -infinite && fmath_log(-0.0) == -infinite);
    assert_true(fmath_log(1.0) == 0.0);
    assert_true(isnan(fmath_log(-1.0)) && isnan(fmath_log(nan)) && isnan(fmath_log(-infinite)));
    assert_true(fmath_log(infinite) == infinite);
    assert_true(fmath_sin(0.0) == 0.0 && signbit(fmath_sin(-0.0)) && fmath_cos(0.0) == 1.0);
    assert_true(isnan(fmath_sin(infinite)) && isnan(fmath_cos(nan)));
    assert_true(signbit(fmath_tanh(-0.0)) && signbit(fmath_tanhf(-0.0f)));
    assert_true(fmath_tanh(infinite) == 1.0 && fmath_tanh(-infinite) == -1.0);
    assert_true(fmath_tanhf(INFINITY) == 1.0f && fmath_tanhf(-INFINITY) == -1.0f);
    assert_true(isnan(fmath_tanh(nan)) && isnan(fmath_tanhf(NAN)));
    assert_true(fmath_pow(1.0, nan) == 1.0 && fmath_pow(nan, 0.0) == 1.0);
    assert_true(isnan(fmath_pow(2.0, nan)));
    assert_true(fmath_pow(2.0, infinite) == infinite && fmath_pow(0.5, infinite) == 0.0);
    assert_true(fmath_pow(infinite, -2.0) == 0.0 && fmath_pow(infinite, 2.0) == infinite);
    assert_true(fmath_pow(2.0, 10.0) == 1024.0 && fmath_pow(2.0, -1022.0) == DBL_MIN);
    assert_true(fmath_pow(2.0, 1024.0) == infinite && fmath_pow(1e300, 1e300) == infinite);
}

/* At both ends: the last normal result, then 0 or infinity, and never a denormal. */
static void results_leave_the_normal_range_at_its_ends(void **state) {
    (void)state;
    double x = log(DBL_MIN);
    for (double t = x - 1e-9; t < x + 1e-9; t = nextafter(t, 1.0)) {
        double y = fmath_exp(t);
        assert_true(y == 0.0 ? t <= x : y >= DBL_MIN && y < 2 * DBL_MIN && t >= x);
    }
    for (double t = log(DBL_MAX) - 1e-9; t <= log(DBL_MAX); t = nextafter(t, 1e9))
        assert_true(isfinite(fmath_exp(t)) && fmath_exp(t) > 0.99 * DBL_MAX);
    assert_true(isinf(fmath_exp(nextafter(log(DBL_MAX), 1e9))));

    float low = -87.3365478515625f, high = 88.72283172607421875f;   /* beyond and within the ends */
    assert_true(fmath_expf(low) == 0.0f && fmath_expf(nextafterf(low, 0.0f)) >= FLT_MIN);
    assert_true(isfinite(fmath_expf(high)) && isinf(fmath_expf(nextafterf(high, 1e9f))));
}

static void denormal_arguments_have_logarithms(void **state) {
    (void)state;
    for (double x = DBL_TRUE_MIN; x < 1e-300; x *= 3.7)
        assert_true(ulps(fmath_log(x), logl((long double)x), 53) <= ULPS_MAX);
}

static void a_thread_starts_with_nearest_even_and_denormals(void **state) {
    (void)state;
    fesetround(FE_UPWARD);
    fmath_thread_start();
    assert_int_equal(fegetround(), FE_TONEAREST);
    volatile double tiny = DBL_MIN;
    tiny /= 4;
    assert_true(tiny > 0.0);
#ifdef __SSE2__
    __builtin_ia32_ldmxcsr(0x9fc0);     /* denormals count as zero */
    fmath_thread_start();
    assert_int_equal(__builtin_ia32_stmxcsr() & 0xffc0, 0x1f80);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_within_two_units),
        cmocka_unit_test(pow_is_within_two_units),
        cmocka_unit_test(bits_never_change),
        cmocka_unit_test(special_values_follow_annex_f),
        cmocka_unit_test(results_leave_the_normal_range_at_its_ends),
        cmocka_unit_test(denormal_arguments_have_logarithms),
        cmocka_unit_test(a_thread_starts_with_nearest_even_and_denormals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
