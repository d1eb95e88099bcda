/* The passes in AVX-512: 8 doubles at once, the last ones under a mask. */
#include "passes.h"

#include <immintrin.h>
#include <math.h>

enum { LANES = 8 };
#include "exp_lanes.h"

static __mmask8 first_lanes(uint32_t n) {
    return (__mmask8)(n >= LANES ? 0xffu : (1u << n) - 1);
}

static bool widen(double *z, const float *logits, uint32_t n, double *max) {
    const __m256 infinity = _mm256_set1_ps(INFINITY), sign = _mm256_set1_ps(-0.0f);
    __m512d most = _mm512_set1_pd(-INFINITY);
    __mmask8 strange = 0;
    for (uint32_t i = 0; i < n; i += LANES) {
        __mmask8 lanes = first_lanes(n - i);
        __m256 item = _mm256_maskz_loadu_ps(lanes, logits + i);
        __m512d wide = _mm512_cvtps_pd(item);
        strange |= _mm256_cmp_ps_mask(_mm256_andnot_ps(sign, item), infinity, _CMP_NLT_UQ);
        most = _mm512_mask_max_pd(most, lanes, most, wide);
        _mm512_mask_storeu_pd(z + i, lanes, wide);
    }
    *max = _mm512_reduce_max_pd(most);
    return strange == 0;
}

static double largest(const double *z, uint32_t n) {
    const __m512d least = _mm512_set1_pd(-INFINITY);
    __m512d most = least;
    __mmask8 unordered = 0;
    for (uint32_t i = 0; i < n; i += LANES) {
        __m512d item = _mm512_mask_loadu_pd(least, first_lanes(n - i), z + i);
        unordered |= _mm512_cmp_pd_mask(item, item, _CMP_UNORD_Q);
        most = _mm512_max_pd(item, most);
    }
    return unordered ? INFINITY : _mm512_reduce_max_pd(most);
}

static void scale(double *z, double shift, double divisor, uint32_t n) {
    const __m512d shifts = _mm512_set1_pd(shift), divisors = _mm512_set1_pd(divisor);
    for (uint32_t i = 0; i < n; i += LANES) {
        __mmask8 lanes = first_lanes(n - i);
        __m512d item = _mm512_maskz_loadu_pd(lanes, z + i);
        item = _mm512_div_pd(_mm512_sub_pd(item, shifts), divisors);
        _mm512_mask_storeu_pd(z + i, lanes, item);
    }
}

static __m512i weights_of(__m512d below) {
    __mmask8 kept = _mm512_cmp_pd_mask(below, _mm512_set1_pd(WEIGHTLESS), _CMP_GT_OQ);
    __m512d weight = _mm512_mul_pd(exp_lanes(below), _mm512_set1_pd((double)WEIGHT_ONE));
    __m512i bits = _mm512_castpd_si512(_mm512_add_pd(weight, _mm512_set1_pd(0x1p52)));
    return _mm512_maskz_and_epi64(kept, bits, _mm512_set1_epi64(((int64_t)1 << 52) - 1));
}

static uint64_t weigh(uint64_t *weights, const double *z, double max, uint32_t n) {
    const __m512d maxima = _mm512_set1_pd(max), least = _mm512_set1_pd(-INFINITY);
    __m512i sums = _mm512_setzero_si512();
    for (uint32_t i = 0; i < n; i += LANES) {
        __mmask8 lanes = first_lanes(n - i);
        __m512d below = _mm512_sub_pd(_mm512_mask_loadu_pd(least, lanes, z + i), maxima);
        __m512i items = weights_of(below);
        sums = _mm512_add_epi64(sums, items);
        _mm512_mask_storeu_epi64(weights + i, lanes, items);
    }
    return (uint64_t)_mm512_reduce_add_epi64(sums);
}

/* Few are selected as a rule: most comparisons find none. */
static uint32_t select_from(uint32_t *indices, const double *z, double lowest, uint32_t n) {
    const __m512d bound = _mm512_set1_pd(lowest);
    uint32_t n_selected = 0;
    for (uint32_t i = 0; i < n; i += LANES) {
        __mmask8 lanes = first_lanes(n - i);
        __m512d item = _mm512_maskz_loadu_pd(lanes, z + i);
        uint32_t found = _mm512_mask_cmp_pd_mask(lanes, item, bound, _CMP_NLT_UQ);
        for (; found != 0; found &= found - 1) {
            indices[n_selected++] = i + (uint32_t)__builtin_ctz(found);
        }
    }
    return n_selected;
}

void passes_fill_avx512(passes *p) {
    *p = (passes){widen, largest, scale, weigh, select_from};
}
