/* Norms, rotation, softmax and activations in AVX2 with FMA: the 16 lanes are two registers of 8. */
#include <immintrin.h>
#include <math.h>

#include "lanes_avx2.h"
#include "modeld/kernels/kernels.h"
#include "proto/numeric/fmath_expf.h"

/* Lane i takes lane i + 8, then i + 4, i + 2, i + 1. */
static float lanes_sum(__m256 low, __m256 high) {
    return eight_sum(_mm256_add_ps(low, high));
}

/* fmath_expf, lane by lane. */
static __m256 exp_lanes(__m256 x) {
    const __m256 magic = _mm256_set1_ps(EXPF_MAGIC);
    __m256 shifted = _mm256_fmadd_ps(x, _mm256_set1_ps(EXPF_LOG2_E), magic);
    __m256 n = _mm256_sub_ps(shifted, magic);
    __m256 r = _mm256_fmadd_ps(n, _mm256_set1_ps(-EXPF_LN2_HIGH), x);
    r = _mm256_fmadd_ps(n, _mm256_set1_ps(-EXPF_LN2_LOW), r);
    __m256 power = _mm256_set1_ps(EXPF_POWERS[EXPF_DEGREE]);
    UNROLL for (int i = EXPF_DEGREE - 1; i >= 0; i--)
        power = _mm256_fmadd_ps(power, r, _mm256_set1_ps(EXPF_POWERS[i]));
    __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    __m256 y = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(power), exponent));
    y = _mm256_and_ps(y, _mm256_cmp_ps(x, _mm256_set1_ps(EXPF_LEAST), _CMP_NLT_UQ));
    __m256 above = _mm256_cmp_ps(x, _mm256_set1_ps(EXPF_MOST), _CMP_GT_OQ);
    y = _mm256_blendv_ps(y, _mm256_set1_ps(INFINITY), above);
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

static void rms_norm(float *y, const float *x, const float *weight, uint32_t n, float epsilon) {
    __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
    for (int64_t i = 0; i < n; i += LANES) {
        __m256 first = load_lanes(x + i, n - i), second = load_lanes(x + i + WIDTH, n - i - WIDTH);
        low = _mm256_fmadd_ps(first, first, low);
        high = _mm256_fmadd_ps(second, second, high);
    }
    float factor = 1.0f / sqrtf(lanes_sum(low, high) / (float)n + epsilon);
    for (int64_t i = 0; i < n; i += WIDTH) {
        __m256 item = _mm256_mul_ps(load_lanes(x + i, n - i), _mm256_set1_ps(factor));
        store_lanes(y + i, _mm256_mul_ps(item, load_lanes(weight + i, n - i)), n - i);
    }
}

/* The lanes of d·d that there are, added to sum. */
static __m256 add_squares(__m256 sum, const float *x, __m256 mean, int64_t n) {
    __m256 d = _mm256_sub_ps(load_lanes(x, n), mean);
    if (n < WIDTH) d = _mm256_and_ps(d, _mm256_castsi256_ps(first_lanes(n)));
    return _mm256_fmadd_ps(d, d, sum);
}

static void layer_norm(float *y, const float *x, const float *weight, const float *bias, uint32_t n,
                       float epsilon) {
    __m256 low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
    for (int64_t i = 0; i < n; i += LANES) {
        low = _mm256_add_ps(low, load_lanes(x + i, n - i));
        high = _mm256_add_ps(high, load_lanes(x + i + WIDTH, n - i - WIDTH));
    }
    __m256 mean = _mm256_set1_ps(lanes_sum(low, high) / (float)n);
    low = high = _mm256_setzero_ps();
    for (int64_t i = 0; i < n; i += LANES) {
        low = add_squares(low, x + i, mean, n - i);
        high = add_squares(high, x + i + WIDTH, mean, n - i - WIDTH);
    }
    __m256 factor = _mm256_set1_ps(1.0f / sqrtf(lanes_sum(low, high) / (float)n + epsilon));
    for (int64_t i = 0; i < n; i += WIDTH) {
        __m256 item = _mm256_mul_ps(_mm256_sub_ps(load_lanes(x + i, n - i), mean), factor);
        __m256 w = load_lanes(weight + i, n - i);
        item = bias ? _mm256_fmadd_ps(item, w, load_lanes(bias + i, n - i))
                    : _mm256_mul_ps(item, w);
        store_lanes(y + i, item, n - i);
    }
}

static void rotate(float *x, const float *cosines, const float *sines, uint32_t n) {
    for (int64_t i = 0; i < n; i += WIDTH) {
        __m256 item = load_lanes(x + i, n - i);
        __m256 turned = _mm256_mul_ps(_mm256_permute_ps(item, 0xb1), load_lanes(sines + i, n - i));
        item = _mm256_fmadd_ps(item, load_lanes(cosines + i, n - i), turned);
        store_lanes(x + i, item, n - i);
    }
}

static float largest_of(__m256 x) {
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

static __m256 exp_of_left(float *x, __m256 largest, int64_t n) {
    __m256 item = exp_lanes(_mm256_sub_ps(load_lanes(x, n), largest));
    store_lanes(x, item, n);
    return n >= WIDTH ? item : _mm256_and_ps(item, _mm256_castsi256_ps(first_lanes(n)));
}

static float exponentials(float *x, uint32_t n, float scale) {
    const __m256 lowest = _mm256_set1_ps(-INFINITY);
    __m256 largest = lowest, low = _mm256_setzero_ps(), high = _mm256_setzero_ps();
    for (int64_t i = 0; i < n; i += WIDTH) {
        __m256 item = _mm256_mul_ps(load_lanes(x + i, n - i), _mm256_set1_ps(scale));
        store_lanes(x + i, item, n - i);
        item = _mm256_blendv_ps(lowest, item, _mm256_castsi256_ps(first_lanes(n - i)));
        largest = _mm256_max_ps(item, largest);     /* a NaN is not taken */
    }
    largest = _mm256_set1_ps(largest_of(largest));
    for (int64_t i = 0; i < n; i += LANES) {
        low = _mm256_add_ps(low, exp_of_left(x + i, largest, n - i));
        high = _mm256_add_ps(high, exp_of_left(x + i + WIDTH, largest, n - i - WIDTH));
    }
    return lanes_sum(low, high);
}

static void divide(float *y, const float *x, float divisor, uint32_t n) {
    for (int64_t i = 0; i < n; i += WIDTH)
        store_lanes(y + i, _mm256_div_ps(load_lanes(x + i, n - i), _mm256_set1_ps(divisor)), n - i);
}

static void swiglu(float *gate, const float *up, uint32_t n) {
    for (int64_t i = 0; i < n; i += WIDTH) {
        __m256 g = load_lanes(gate + i, n - i);
        __m256 power = exp_lanes(_mm256_xor_ps(g, _mm256_set1_ps(-0.0f)));
        __m256 silu = _mm256_div_ps(g, _mm256_add_ps(_mm256_set1_ps(1.0f), power));
        store_lanes(gate + i, _mm256_mul_ps(silu, load_lanes(up + i, n - i)), n - i);
    }
}

static void gelu(float *y, const float *x, uint32_t n) {
    const __m256 one = _mm256_set1_ps(1.0f);
    for (int64_t i = 0; i < n; i += WIDTH) {
        __m256 item = load_lanes(x + i, n - i);
        __m256 cubic = _mm256_fmadd_ps(_mm256_mul_ps(item, item), _mm256_set1_ps(GELU_CUBIC), one);
        cubic = _mm256_mul_ps(item, cubic);
        __m256 power = exp_lanes(_mm256_mul_ps(cubic, _mm256_set1_ps(GELU_SCALE)));
        store_lanes(y + i, _mm256_div_ps(item, _mm256_add_ps(one, power)), n - i);
    }
}

void kernels_fill_rows_avx2(kernels *k) {
    k->rms_norm = rms_norm;
    k->layer_norm = layer_norm;
    k->rotate = rotate;
    k->exponentials = exponentials;
    k->divide = divide;
    k->swiglu = swiglu;
    k->gelu = gelu;
}
