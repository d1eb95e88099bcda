/* Eight float lanes in a register of AVX2, and fewer where an array ends. */
#ifndef TRIVIUM_LANES_AVX2_H
#define TRIVIUM_LANES_AVX2_H

#include <immintrin.h>
#include <stdint.h>

#include "inline.h"

enum { WIDTH = 8 };

/* The first `n` of 8 lanes; none for n ≤ 0. */
INLINE __m256i first_lanes(int64_t n) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    int32_t count = n <= 0 ? 0 : n < WIDTH ? (int32_t)n : WIDTH;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), index);
}

/* Up to 8 items of the n that are left; the other lanes are 0 and their memory is not touched. */
INLINE __m256 load_lanes(const float *x, int64_t n) {
    return n >= WIDTH ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, first_lanes(n));
}

INLINE void store_lanes(float *y, __m256 item, int64_t n) {
    if (n >= WIDTH) _mm256_storeu_ps(y, item);
    else _mm256_maskstore_ps(y, first_lanes(n), item);
}

/* Lane i takes lane i + 4, then i + 2, i + 1. */
INLINE float eight_sum(__m256 eight) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

#endif
