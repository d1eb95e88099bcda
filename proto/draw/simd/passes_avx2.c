/* The passes in AVX2: 4 doubles at once, the last ones one by one or in a padded vector. */
#include "passes.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

enum { LANES = 4 };
#include "exp_lanes.h"

static double lanes_max(__m256d lanes) {
    __m128d two = _mm_max_pd(_mm256_castpd256_pd128(lanes), _mm256_extractf128_pd(lanes, 1));
    return _mm_cvtsd_f64(_mm_max_sd(two, _mm_unpackhi_pd(two, two)));
}

static bool widen(double *z, const float *logits, uint32_t n, double *max) {
    const __m256d infinity = _mm256_set1_pd(INFINITY), sign = _mm256_set1_pd(-0.0);
    __m256d most = _mm256_set1_pd(-INFINITY), strange = _mm256_setzero_pd();
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256d item = _mm256_cvtps_pd(_mm_loadu_ps(logits + i));
        __m256d size = _mm256_andnot_pd(sign, item);
        strange = _mm256_or_pd(strange, _mm256_cmp_pd(size, infinity, _CMP_NLT_UQ));
        most = _mm256_max_pd(item, most);
        _mm256_storeu_pd(z + i, item);
    }
    bool finite = _mm256_movemask_pd(strange) == 0;
    *max = lanes_max(most);
    for (; i < n; i++) {
        z[i] = (double)logits[i];
        finite &= fabs(z[i]) < INFINITY;
        if (z[i] > *max) *max = z[i];
    }
    return finite;
}

static double largest(const double *z, uint32_t n) {
    __m256d most = _mm256_set1_pd(-INFINITY), unordered = _mm256_setzero_pd();
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256d item = _mm256_loadu_pd(z + i);
        unordered = _mm256_or_pd(unordered, _mm256_cmp_pd(item, item, _CMP_UNORD_Q));
        most = _mm256_max_pd(item, most);
    }
    bool ordered = _mm256_movemask_pd(unordered) == 0;
    double max = lanes_max(most);
    for (; i < n; i++) {
        ordered &= !isnan(z[i]);
        if (z[i] > max) max = z[i];
    }
    return ordered ? max : INFINITY;
}

static void scale(double *z, double shift, double divisor, uint32_t n) {
    const __m256d shifts = _mm256_set1_pd(shift), divisors = _mm256_set1_pd(divisor);
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256d item = _mm256_sub_pd(_mm256_loadu_pd(z + i), shifts);
        _mm256_storeu_pd(z + i, _mm256_div_pd(item, divisors));
    }
    for (; i < n; i++) z[i] = (z[i] - shift) / divisor;
}

static __m256i weights_of(__m256d below) {
    __m256d kept = _mm256_cmp_pd(below, _mm256_set1_pd(WEIGHTLESS), _CMP_GT_OQ);
    __m256d weight = _mm256_mul_pd(exp_lanes(below), _mm256_set1_pd((double)WEIGHT_ONE));
    __m256i bits = _mm256_castpd_si256(_mm256_add_pd(weight, _mm256_set1_pd(0x1p52)));
    bits = _mm256_and_si256(bits, _mm256_set1_epi64x(((int64_t)1 << 52) - 1));
    return _mm256_and_si256(bits, _mm256_castpd_si256(kept));
}

/* n is a multiple of 4. Returns the sums by lane. */
static __m256i weigh_fours(uint64_t *weights, const double *z, double max, uint32_t n) {
    const __m256d maxima = _mm256_set1_pd(max);
    __m256i sums = _mm256_setzero_si256();
    for (uint32_t i = 0; i < n; i += LANES) {
        __m256i items = weights_of(_mm256_sub_pd(_mm256_loadu_pd(z + i), maxima));
        sums = _mm256_add_epi64(sums, items);
        _mm256_storeu_si256((__m256i *)(weights + i), items);
    }
    return sums;
}

static uint64_t weigh(uint64_t *weights, const double *z, double max, uint32_t n) {
    uint32_t n_tail = n % LANES, n_fours = n - n_tail;
    double padded[LANES] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
    uint64_t parts[LANES];
    memcpy(padded, z + n_fours, n_tail * sizeof *z);
    __m256i sums = weigh_fours(parts, padded, max, LANES);
    memcpy(weights + n_fours, parts, n_tail * sizeof *weights);
    sums = _mm256_add_epi64(sums, weigh_fours(weights, z, max, n_fours));
    _mm256_storeu_si256((__m256i *)parts, sums);
    return parts[0] + parts[1] + parts[2] + parts[3];
}

/* Few are selected as a rule: most comparisons find none. */
static uint32_t select_from(uint32_t *indices, const double *z, double lowest, uint32_t n) {
    const __m256d bound = _mm256_set1_pd(lowest);
    uint32_t i = 0, n_selected = 0;
    for (; i + LANES <= n; i += LANES) {
        __m256d above = _mm256_cmp_pd(_mm256_loadu_pd(z + i), bound, _CMP_NLT_UQ);
        uint32_t found = (uint32_t)_mm256_movemask_pd(above);
        for (; found != 0; found &= found - 1) {
            indices[n_selected++] = i + (uint32_t)__builtin_ctz(found);
        }
    }
    for (; i < n; i++) {
        if (!(z[i] < lowest)) indices[n_selected++] = i;
    }
    return n_selected;
}

void passes_fill_avx2(passes *p) {
    *p = (passes){widen, largest, scale, weigh, select_from};
}
