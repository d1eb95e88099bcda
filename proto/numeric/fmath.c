/* The double functions that a sampler calls tens of thousands of times a row (exp, log) use only
 * + − × ÷: without compiler flags an explicit fma is a call into libm. Polynomials are interpolations
 * at Chebyshev points, or plain Taylor series where speed does not matter. */
#include "fmath.h"

#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdint.h>

#include "bits.h"
#include "fmath_exp.h"
#include "fmath_expf.h"

_Static_assert(FLT_EVAL_METHOD == 0, "float and double must be rounded at each operation");

static const double EXP_MIN = -708.39641853226408;  /* ln of the smallest normal number */
static const double EXP_MAX = 709.78271289338397;   /* ln of the largest */

void fmath_thread_start(void) {
    fesetenv(FE_DFL_ENV);
}

/* exp ------------------------------------------------------------------------------------------ */

/* 2^lift · e^(x + low), |low| far below |x|: x = n·ln2 + r, |r| ≤ ln2 / 2, e^r = 1 + (r + r²·q(r));
 * the power of 2 goes into the exponent's bits, which is right as long as the result is normal. */
static inline double exp_between(double x, double low, int lift) {
    double shifted = x * LOG2_E + MAGIC;
    double n = shifted - MAGIC;
    double r = (x - n * LN2_HIGH) - (n * LN2_LOW - low);
    double r2 = r * r, r4 = r2 * r2;
    double power = 1.0 + (r + r2 * EXP_SERIES(r, r2, r4));
    uint64_t exponent = (double_bits(shifted) + (uint64_t)(int64_t)lift) << 52;
    return double_of_bits(double_bits(power) + exponent);
}

double fmath_exp(double x) {
    if (x >= EXP_MIN && x <= EXP_MAX) return exp_between(x, 0.0, 0);
    if (x > EXP_MAX) return (double)INFINITY;
    return isnan(x) ? x : 0.0;
}

/* The chain that the vector kernels repeat (modeld/kernels/ARITHMETIC.md). */
float fmath_expf(float x) {
    if (isnan(x)) return x;
    if (x < EXPF_LEAST) return 0.0f;
    if (x > EXPF_MOST) return (float)INFINITY;
    float shifted = fmaf(x, EXPF_LOG2_E, EXPF_MAGIC);
    float n = shifted - EXPF_MAGIC;
    float r = fmaf(n, -EXPF_LN2_HIGH, x);
    r = fmaf(n, -EXPF_LN2_LOW, r);
    float power = EXPF_POWERS[EXPF_DEGREE];
    for (int i = EXPF_DEGREE - 1; i >= 0; i--) power = fmaf(power, r, EXPF_POWERS[i]);
    return float_of_bits(float_bits(power) + (float_bits(shifted) << 23));
}

/* log ------------------------------------------------------------------------------------------ */

/* x = 2^exponent · m with √½ ≤ m < √2, for x > 0 and finite. */
static inline double split_exponent(double x, double *exponent) {
    const uint64_t sqrt_half = 0x3fe6a09e667f3bcd;
    int64_t shift = 0;
    if (x < DBL_MIN) {
        x *= 0x1p54;
        shift = -54;
    }
    uint64_t above = double_bits(x) - sqrt_half;
    int64_t n = (int64_t)above >> 52;
    *exponent = (double)(n + shift);
    return double_of_bits(double_bits(x) - ((uint64_t)n << 52));
}

/* The series of 2·atanh(s) / s from its s^(2·first) on, divided by s^(2·first). */
static inline double atanh_tail(double s2, int first) {
    static const double c[] = {2.0,      2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
                               2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21, 2.0 / 23};
    double tail = c[11];
    for (int i = 10; i >= first; i--) tail = tail * s2 + c[i];
    return tail;
}

/* ln m = 2·atanh(s), s = f / (2 + f), f = m − 1; written as f − (f²/2 − s·(f²/2 + tail)), whose
 * leading term is exact. */
double fmath_log(double x) {
    if (!(x > 0.0)) return x == 0.0 ? -(double)INFINITY : (double)NAN;
    if (isinf(x)) return x;
    double n, f = split_exponent(x, &n) - 1.0;
    double s = f / (2.0 + f), s2 = s * s, half = 0.5 * f * f;
    double tail = s2 * atanh_tail(s2, 1);
    return n * LN2_HIGH - ((half - (s * (half + tail) + n * LN2_LOW)) - f);
}

/* pow: ln x as a sum of two doubles ------------------------------------------------------------ */

typedef struct pair {
    double high, low;           /* high + low, |low| at most half a unit of high */
} pair;

static pair pair_sum(double a, double b) {
    double sum = a + b, part = sum - a;
    return (pair){sum, (a - (sum - part)) + (b - part)};
}

static pair pair_product(pair a, pair b) {
    double high = a.high * b.high;
    double low = fma(a.high, b.high, -high) + (a.high * b.low + a.low * b.high);
    return pair_sum(high, low);
}

static pair pair_add(pair a, pair b) {
    pair sum = pair_sum(a.high, b.high);
    return pair_sum(sum.high, sum.low + (a.low + b.low));
}

static pair log_pair(double x) {
    double n, f = split_exponent(x, &n) - 1.0;
    pair divisor = pair_sum(2.0, f);
    double s_high = f / divisor.high;
    double rest = fma(-s_high, divisor.high, f) - s_high * divisor.low;
    pair s = pair_sum(s_high, rest / divisor.high);
    pair s2 = pair_product(s, s);
    double tail = s2.high * atanh_tail(s2.high, 2);
    pair series = pair_sum(0x1.5555555555555p-1, 0x1.5555555555555p-55 + tail);
    series = pair_add((pair){2.0, 0.0}, pair_product(s2, series));
    pair exponent = pair_sum(n * 0x1.62e42fefa2p-1, n * 0x1.9ef35793c7673p-41);
    return pair_add(exponent, pair_product(s, series));
}

double fmath_pow(double x, double y) {
    if (x == 1.0 || y == 0.0) return 1.0;
    double rough = y * fmath_log(x);
    if (!isfinite(x) || !isfinite(y) || !(fabs(rough) < 800.0)) return fmath_exp(rough);
    pair exact = pair_product(log_pair(x), (pair){y, 0.0});
    return exact.high < 0 ? exp_between(exact.high, exact.low, 64) * 0x1p-64
                          : exp_between(exact.high, exact.low, -64) * 0x1p64;
}

/* sin, cos ------------------------------------------------------------------------------------- */

static double sin_series(double r, double low) {
    double z = r * r;
    double tail = 1.0 / 355687428096000.0;
    tail = tail * z - 1.0 / 1307674368000.0;
    tail = tail * z + 1.0 / 6227020800.0;
    tail = tail * z - 1.0 / 39916800.0;
    tail = tail * z + 1.0 / 362880.0;
    tail = tail * z - 1.0 / 5040.0;
    tail = tail * z + 1.0 / 120.0;
    tail = tail * z - 1.0 / 6.0;
    return r + (z * (r * tail) + low * (1.0 - 0.5 * z));
}

static double cos_series(double r, double low) {
    double z = r * r;
    double tail = 1.0 / 20922789888000.0;
    tail = tail * z - 1.0 / 87178291200.0;
    tail = tail * z + 1.0 / 479001600.0;
    tail = tail * z - 1.0 / 3628800.0;
    tail = tail * z + 1.0 / 40320.0;
    tail = tail * z - 1.0 / 720.0;
    tail = tail * z + 1.0 / 24.0;
    double half = 0.5 * z, one = 1.0 - half;
    return one + (((1.0 - one) - half) + (z * (z * tail) - r * low));
}

/* x = n·π/2 + r, |r| ≤ π/4 and a little; sin(x) is the wave of number n mod 4, cos(x) the one after
 * it. The first product leaves an exact difference for |x| ≤ 2^30; the others give r as a sum. */
static double wave(double x, unsigned quarters) {
    if (!isfinite(x)) return (double)NAN;
    double shifted = x * 0x1.45f306dc9c883p-1 + MAGIC;
    double n = shifted - MAGIC;
    double near = fma(-n, 0x1.921fb54442d18p+0, x);
    double product = n * 0x1.1a62633145c07p-54;
    double product_low = fma(n, 0x1.1a62633145c07p-54, -product);
    pair r = pair_sum(near, -product);
    r.low -= product_low + n * -0x1.f1976b7ed8fbcp-110;
    quarters += (unsigned)double_bits(shifted) & 3u;
    double value = quarters & 1u ? cos_series(r.high, r.low) : sin_series(r.high, r.low);
    return quarters & 2u ? -value : value;
}

double fmath_sin(double x) {
    return x == 0.0 ? x : wave(x, 0);
}

double fmath_cos(double x) {
    return wave(x, 1);
}

/* tanh: near 0 an odd polynomial, else 1 − 2 / (e^(2x) + 1) ------------------------------------ */

double fmath_tanh(double x) {
    double size = fabs(x);
    if (size < 0.625) {
        double z = x * x;
        double tail = -0x1.2147171574212p-16;
        tail = tail * z + 0x1.4dd83914e8900p-14;
        tail = tail * z - 0x1.e3f6faa38b8a6p-13;
        tail = tail * z + 0x1.33fc46ed8b129p-11;
        tail = tail * z - 0x1.7d801ff21b0c9p-10;
        tail = tail * z + 0x1.d6d17f117f27bp-9;
        tail = tail * z - 0x1.226e291d9efe3p-7;
        tail = tail * z + 0x1.664f4836e4c4fp-6;
        tail = tail * z - 0x1.ba1ba1b929f12p-5;
        tail = tail * z + 0x1.11111111107a8p-3;
        tail = tail * z - 0x1.5555555555553p-2;
        return copysign(size + size * (z * tail), x);
    }
    if (isnan(x)) return x;
    return copysign(1.0 - 2.0 / (fmath_exp(2.0 * size) + 1.0), x);
}

float fmath_tanhf(float x) {
    float size = fabsf(x);
    if (size < 0.625f) {
        float z = x * x;
        float tail = -0x1.8f86fp-8f;
        tail = fmaf(tail, z, 0x1.58035cp-6f);
        tail = fmaf(tail, z, -0x1.b9256ap-5f);
        tail = fmaf(tail, z, 0x1.110e1cp-3f);
        tail = fmaf(tail, z, -0x1.555552p-2f);
        return copysignf(fmaf(size, z * tail, size), x);
    }
    if (isnan(x)) return x;
    return copysignf(1.0f - 2.0f / (fmath_expf(2.0f * size) + 1.0f), x);
}
