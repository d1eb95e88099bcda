/* Norms, rotation, softmax and activations in AVX-512 (F, VL, DQ): 16 lanes. */
#include <immintrin.h>
#include <math.h>

#include "lanes_avx512.h"
#include "modeld/kernels/kernels.h"
#include "proto/numeric/fmath_expf.h"

/* Lane i takes lane i + 8, then i + 4, i + 2, i + 1. */
static float lanes_sum(__m512 lanes) {
    return eight_sum(
        _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1)));
}

/* fmath_expf, lane by lane. */
static __m512 exp_lanes(__m512 x) {
    const __m512 magic = _mm512_set1_ps(EXPF_MAGIC);
    __m512 shifted = _mm512_fmadd_ps(x, _mm512_set1_ps(EXPF_LOG2_E), magic);
    __m512 n = _mm512_sub_ps(shifted, magic);
    __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-EXPF_LN2_HIGH), x);
    r = _mm512_fmadd_ps(n, _mm512_set1_ps(-EXPF_LN2_LOW), r);
    __m512 power = _mm512_set1_ps(EXPF_POWERS[EXPF_DEGREE]);
    UNROLL for (int i = EXPF_DEGREE - 1; i >= 0; i--)
        power = _mm512_fmadd_ps(power, r, _mm512_set1_ps(EXPF_POWERS[i]));
    __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
    __m512 y = _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(power), exponent));
    __mmask16 kept = _mm512_cmp_ps_mask(x, _mm512_set1_ps(EXPF_LEAST), _CMP_NLT_UQ);
    __mmask16 above = _mm512_cmp_ps_mask(x, _mm512_set1_ps(EXPF_MOST), _CMP_GT_OQ);
    y = _mm512_mask_mov_ps(_mm512_maskz_mov_ps(kept, y), above, _mm512_set1_ps(INFINITY));
    return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x);
}

static void rms_norm(float *y, const float *x, const float *weight, uint32_t n, float epsilon) {
    __m512 squares = _mm512_setzero_ps();
    for (uint32_t i = 0; i < n; i += LANES) {
        __m512 item = _mm512_maskz_loadu_ps(lane_mask(n - i), x + i);
        squares = _mm512_fmadd_ps(item, item, squares);
    }
    float factor = 1.0f / sqrtf(lanes_sum(squares) / (float)n + epsilon);
    for (uint32_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lane_mask(n - i);
        __m512 item = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, x + i), _mm512_set1_ps(factor));
        item = _mm512_mul_ps(item, _mm512_maskz_loadu_ps(lanes, weight + i));
        _mm512_mask_storeu_ps(y + i, lanes, item);
    }
}

static void layer_norm(float *y, const float *x, const float *weight, const float *bias, uint32_t n,
                       float epsilon) {
    __m512 sums = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
    for (uint32_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lane_mask(n - i);
        sums = _mm512_mask_add_ps(sums, lanes, sums, _mm512_maskz_loadu_ps(lanes, x + i));
    }
    __m512 mean = _mm512_set1_ps(lanes_sum(sums) / (float)n);
    for (uint32_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lane_mask(n - i);
        __m512 d = _mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, x + i), mean);
        squares = _mm512_mask3_fmadd_ps(d, d, squares, lanes);
    }
    __m512 factor = _mm512_set1_ps(1.0f / sqrtf(lanes_sum(squares) / (float)n + epsilon));
    for (uint32_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lane_mask(n - i);
        __m512 w = _mm512_maskz_loadu_ps(lanes, weight + i);
        __m512 item = _mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, x + i), mean);
        item = _mm512_mul_ps(item, factor);
        item = bias ? _mm512_fmadd_ps(item, w, _mm512_maskz_loadu_ps(lanes, bias + i))
                    : _mm512_mul_ps(item, w);
        _mm512_mask_storeu_ps(y + i, lanes, item);
    }
}

static void rotate(float *x, const float *cosines, const float *sines, uint32_t n) {
    for (uint32_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lane_mask(n - i);
        __m512 item = _mm512_maskz_loadu_ps(lanes, x + i);
        __m512 partner = _mm512_permute_ps(item, 0xb1);
        __m512 turned = _mm512_mul_ps(partner, _mm512_maskz_loadu_ps(lanes, sines + i));
        item = _mm512_fmadd_ps(item, _mm512_maskz_loadu_ps(lanes, cosines + i), turned);
        _mm512_mask_storeu_ps(x + i, lanes, item);
    }
}

static float exponentials(float *x, uint32_t n, float scale) {
    __m512 largest = _mm512_set1_ps(-INFINITY), sum = _mm512_setzero_ps();
    for (uint32_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lane_mask(n - i);
        __m512 item = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, x + i), _mm512_set1_ps(scale));
        largest = _mm512_mask_max_ps(largest, lanes, item, largest);    /* a NaN is not taken */
        _mm512_mask_storeu_ps(x + i, lanes, item);
    }
    largest = _mm512_set1_ps(_mm512_reduce_max_ps(largest));
    for (uint32_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lane_mask(n - i);
        __m512 item = exp_lanes(_mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, x + i), largest));
        sum = _mm512_mask_add_ps(sum, lanes, sum, item);
        _mm512_mask_storeu_ps(x + i, lanes, item);
    }
    return lanes_sum(sum);
}

static void divide(float *y, const float *x, float divisor, uint32_t n) {
    for (uint32_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lane_mask(n - i);
        __m512 item = _mm512_maskz_loadu_ps(lanes, x + i);
        _mm512_mask_storeu_ps(y + i, lanes, _mm512_div_ps(item, _mm512_set1_ps(divisor)));
    }
}

static void swiglu(float *gate, const float *up, uint32_t n) {
    for (uint32_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lane_mask(n - i);
        __m512 g = _mm512_maskz_loadu_ps(lanes, gate + i);
        __m512 negative = _mm512_xor_ps(g, _mm512_set1_ps(-0.0f));
        __m512 silu = _mm512_div_ps(g, _mm512_add_ps(_mm512_set1_ps(1.0f), exp_lanes(negative)));
        __m512 item = _mm512_mul_ps(silu, _mm512_maskz_loadu_ps(lanes, up + i));
        _mm512_mask_storeu_ps(gate + i, lanes, item);
    }
}

static void gelu(float *y, const float *x, uint32_t n) {
    const __m512 one = _mm512_set1_ps(1.0f);
    for (uint32_t i = 0; i < n; i += LANES) {
        __mmask16 lanes = lane_mask(n - i);
        __m512 item = _mm512_maskz_loadu_ps(lanes, x + i);
        __m512 cubic = _mm512_fmadd_ps(_mm512_mul_ps(item, item), _mm512_set1_ps(GELU_CUBIC), one);
        cubic = _mm512_mul_ps(item, cubic);
        __m512 power = exp_lanes(_mm512_mul_ps(cubic, _mm512_set1_ps(GELU_SCALE)));
        _mm512_mask_storeu_ps(y + i, lanes, _mm512_div_ps(item, _mm512_add_ps(one, power)));
    }
}

void kernels_fill_rows_avx512(kernels *k) {
    k->rms_norm = rms_norm;
    k->layer_norm = layer_norm;
    k->rotate = rotate;
    k->exponentials = exponentials;
    k->divide = divide;
    k->swiglu = swiglu;
    k->gelu = gelu;
}
