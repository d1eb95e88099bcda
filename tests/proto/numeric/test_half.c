/* half.h: float16 conversions, against every float16, against the compiler's own and against the ties. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/numeric/bits.h"
#include "proto/numeric/half.h"

/* The definition: sign × 2^(exponent-15) × 1.fraction, or sign × 2^-14 × 0.fraction. */
static void every_half_has_the_value_that_the_standard_gives(void **state) {
    (void)state;
    for (uint32_t half = 0; half < 0x10000; half++) {
        int exponent = (int)(half >> 10 & 0x1f), fraction = (int)(half & 0x3ff);
        float x = half_to_float((uint16_t)half);
        assert_int_equal(signbit(x) != 0, half >> 15);
        if (exponent == 31) {
            assert_true(fraction ? isnan(x) : isinf(x));
            continue;
        }
        double expected = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
        assert_true(fabs((double)x) == expected);
    }
}

static void every_half_comes_back_unchanged(void **state) {
    (void)state;
    for (uint32_t half = 0; half < 0x10000; half++) {
        int is_nan = (half & 0x7fff) > 0x7c00;
        uint32_t expected = is_nan ? half | 0x200 : half;       /* a NaN becomes quiet */
        assert_int_equal(half_from_float(half_to_float((uint16_t)half)), expected);
    }
}

/* Between two neighbours: the middle goes to the even one, the floats beside it to the nearer one. */
static void ties_go_to_even_and_their_neighbours_to_the_nearest(void **state) {
    (void)state;
    for (uint32_t half = 0; half < 0x7bff; half++) {
        double low = (double)half_to_float((uint16_t)half);
        double high = (double)half_to_float((uint16_t)(half + 1));
        float middle = (float)((low + high) / 2);               /* exact: one bit more */
        uint32_t even = half & 1 ? half + 1 : half;
        assert_int_equal(half_from_float(middle), even);
        assert_int_equal(half_from_float(-middle), even | 0x8000);
        assert_int_equal(half_from_float(nextafterf(middle, 0.0f)), half);
        assert_int_equal(half_from_float(nextafterf(middle, INFINITY)), half + 1);
    }
}

static void a_row_is_rounded_like_its_items(void **state) {
    (void)state;
    for (size_t n = 0; n <= 67; n++) {
        float *x = malloc((n + 1) * sizeof *x);
        uint16_t *rounded = malloc((n + 1) * sizeof *rounded);
        for (size_t i = 0; i < n; i++) x[i] = ldexpf(1.0f + (float)i / 70.0f, (int)i % 45 - 27);
        rounded[n] = 0x1234;
        half_from_floats(rounded, x, n);
        for (size_t i = 0; i < n; i++) assert_int_equal(rounded[i], half_from_float(x[i]));
        assert_int_equal(rounded[n], 0x1234);
        free(x), free(rounded);
    }
}

static void the_ends_of_the_range(void **state) {
    (void)state;
    assert_int_equal(half_from_float(65504.0f), 0x7bff);
    assert_int_equal(half_from_float(nextafterf(65520.0f, 0.0f)), 0x7bff);
    assert_int_equal(half_from_float(65520.0f), 0x7c00);
    assert_int_equal(half_from_float(3.4e38f), 0x7c00);
    assert_int_equal(half_from_float(-INFINITY), 0xfc00);
    assert_int_equal(half_from_float(0x1p-24f), 0x0001);
    assert_int_equal(half_from_float(0x1p-25f), 0x0000);        /* a tie: zero is even */
    assert_int_equal(half_from_float(nextafterf(0x1p-25f, 1.0f)), 0x0001);
    assert_int_equal(half_from_float(0x1p-149f), 0x0000);
    assert_int_equal(half_from_float(-0.0f), 0x8000);
    assert_int_equal(half_from_float(float_of_bits(0x7f800001)), 0x7e00);    /* payload too low to keep */
    assert_int_equal(half_from_float(float_of_bits(0xffc02000)), 0xfe01);
    assert_int_equal(float_bits(half_to_float(0x7c01)), 0x7fc02000);
}

#if defined(__FLT16_MAX__)
static uint64_t random_next(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 32;
}

static void random_floats_agree_with_the_compiler(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 4000000; i++) {
        float x = float_of_bits((uint32_t)random_next(&seed));
        if (i & 1) x = ldexpf(x / (fabsf(x) + 1.0f), (int)(random_next(&seed) % 48) - 30);
        if (isnan(x)) continue;
        _Float16 theirs = (_Float16)x;
        uint16_t expected;
        memcpy(&expected, &theirs, sizeof expected);
        assert_int_equal(half_from_float(x), expected);
    }
}
#endif

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("f16c"))) static uint16_t hardware_from_float(float x) {
    return (uint16_t)_cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT);
}

__attribute__((target("f16c"))) static float hardware_to_float(uint16_t half) {
    return _cvtsh_ss(half);
}

static void every_bit_agrees_with_f16c(void **state) {
    (void)state;
    if (!__builtin_cpu_supports("avx2")) return;    /* every such CPU has F16C */
    for (uint32_t half = 0; half < 0x10000; half++) {
        float theirs = hardware_to_float((uint16_t)half);
        assert_int_equal(float_bits(half_to_float((uint16_t)half)), float_bits(theirs));
    }
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 997) {
        float x = float_of_bits((uint32_t)bits);
        assert_int_equal(half_from_float(x), hardware_from_float(x));
    }
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_has_the_value_that_the_standard_gives),
        cmocka_unit_test(every_half_comes_back_unchanged),
        cmocka_unit_test(ties_go_to_even_and_their_neighbours_to_the_nearest),
        cmocka_unit_test(a_row_is_rounded_like_its_items),
        cmocka_unit_test(the_ends_of_the_range),
#if defined(__FLT16_MAX__)
        cmocka_unit_test(random_floats_agree_with_the_compiler),
#endif
#if defined(__x86_64__)
        cmocka_unit_test(every_bit_agrees_with_f16c),
#endif
    };
    return cmocka_run_group_tests_name("half", tests, NULL, NULL);
}
