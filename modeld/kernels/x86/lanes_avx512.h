/* The lanes of a register of AVX-512: all 16, or fewer where an array ends. */
#ifndef TRIVIUM_LANES_AVX512_H
#define TRIVIUM_LANES_AVX512_H

#include "lanes_avx2.h"
#include "modeld/kernels/kernels.h"

INLINE __mmask16 lane_mask(uint32_t n) {
    return (__mmask16)(n >= LANES ? 0xffffu : (1u << n) - 1);
}

#endif
