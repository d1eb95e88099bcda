/* What the int8 kernels of the instruction sets share: when a block of activations has codes, and the
 * arguments of a tile. ref.c, which they are tested against, has its own. */
#ifndef TRIVIUM_INT8_TILE_H
#define TRIVIUM_INT8_TILE_H

#include <math.h>
#include <string.h>

#include "inline.h"
#include "modeld/kernels/kernels.h"

/* The arguments of kernels.int8_tile. */
typedef struct int8_call {
    float *y;
    size_t y_stride;
    const matrix *w;
    uint32_t first, n_panels;
    const int8_block *x;
    bool add;
} int8_call;

/* *largest: the largest |x| of a block, whose bits these are; as bits a NaN is more than an infinity, and
 * that is more than any number. False: the block has no codes, because it is not finite or counts as zero, and
 * is done. */
INLINE bool block_begin(int8_block *block, uint32_t largest_bits, float *largest) {
    memcpy(largest, &largest_bits, sizeof *largest);
    if (largest_bits < 0x7f800000u && *largest >= 0x1p-120f) return true;   /* 127 / largest is finite */
    memset(block, 0, sizeof *block);
    if (largest_bits >= 0x7f800000u) block->scale = block->scaled_sum = NAN;
    return false;
}

/* The codes are there: their sums, of the first 16 and of the last 16, and the scale. */
INLINE void block_end(int8_block *block, float largest, int32_t low_sum, int32_t high_sum) {
    block->low_sum = low_sum;
    block->sum = low_sum + high_sum;
    block->scale = largest / 127.0f;
    block->scaled_sum = block->scale * (float)block->sum;
}

#endif
