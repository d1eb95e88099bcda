#include "quantize.h"

#include <stdlib.h>
#include <string.h>

#include "modeld/half.h"

enum { BLOCK = 32 };        /* of each of the block types */

static void store_half(uint8_t *bytes, float x) {
    uint16_t half = half_from_float(x);
    memcpy(bytes, &half, sizeof half);
}

static float load_half(const uint8_t *bytes) {
    uint16_t half;
    memcpy(&half, bytes, sizeof half);
    return half_to_float(half);
}

static void store_bfloat(uint8_t *bytes, float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint16_t upper = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    memcpy(bytes, &upper, sizeof upper);
}

static float load_bfloat(const uint8_t *bytes) {
    uint16_t upper;
    memcpy(&upper, bytes, sizeof upper);
    uint32_t bits = (uint32_t)upper << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* x rounded to the nearest integer, halves upwards, kept within low … high. */
static int nearest(float x, int low, int high) {
    int q = (int)(x + 1024.5f) - 1024;      /* |x| is below 1024 here: truncation is floor */
    return q < low ? low : q > high ? high : q;
}

static float inverse(float scale) {
    return scale != 0.0f ? 1.0f / scale : 0.0f;
}

/* ---- one block of 32 ---- */

/* The nibbles of a block: items 0 … 15 are the lower halves of its 16 bytes, 16 … 31 the upper. */
static void store_nibble(uint8_t *nibbles, size_t i, int q) {
    nibbles[i % 16] |= (uint8_t)(i < 16 ? q : q << 4);
}

static int load_nibble(const uint8_t *nibbles, size_t i) {
    return i < 16 ? nibbles[i] & 15 : nibbles[i - 16] >> 4;
}

static float farthest_from_zero(const float *x) {
    float far = 0.0f;
    for (size_t i = 0; i < BLOCK; i++)
        if ((x[i] < 0 ? -x[i] : x[i]) > (far < 0 ? -far : far)) far = x[i];
    return far;
}

static void quantize_q8_0(const float *x, uint8_t *block) {
    float far = farthest_from_zero(x), scale = (far < 0 ? -far : far) / 127.0f;
    store_half(block, scale);
    for (size_t i = 0; i < BLOCK; i++) block[2 + i] = (uint8_t)nearest(x[i] * inverse(scale), -127, 127);
}

static void quantize_q4_0(const float *x, uint8_t *block) {
    float scale = farthest_from_zero(x) / -8.0f;
    store_half(block, scale);
    memset(block + 2, 0, 16);
    for (size_t i = 0; i < BLOCK; i++) store_nibble(block + 2, i, nearest(x[i] * inverse(scale), -8, 7) + 8);
}

static void quantize_q4_1(const float *x, uint8_t *block) {
    float low = x[0], high = x[0];
    for (size_t i = 1; i < BLOCK; i++) {
        if (x[i] < low) low = x[i];
        if (x[i] > high) high = x[i];
    }
    float scale = (high - low) / 15.0f;
    store_half(block, scale);
    store_half(block + 2, low);
    memset(block + 4, 0, 16);
    for (size_t i = 0; i < BLOCK; i++)
        store_nibble(block + 4, i, nearest((x[i] - low) * inverse(scale), 0, 15));
}

static float dequantize_item(tensor_type type, const uint8_t *block, size_t i) {
    switch (type) {
    case TENSOR_Q8_0: return load_half(block) * (float)(int8_t)block[2 + i];
    case TENSOR_Q4_0: return load_half(block) * (float)(load_nibble(block + 2, i) - 8);
    case TENSOR_Q4_1: return load_half(block) * (float)load_nibble(block + 4, i) + load_half(block + 2);
    case TENSOR_F16: return load_half(block);
    case TENSOR_BF16: return load_bfloat(block);
    case TENSOR_F32: break;
    }
    float x;
    memcpy(&x, block, sizeof x);
    return x;
}

static void quantize_block(tensor_type type, const float *x, uint8_t *block) {
    switch (type) {
    case TENSOR_Q8_0: quantize_q8_0(x, block); return;
    case TENSOR_Q4_0: quantize_q4_0(x, block); return;
    case TENSOR_Q4_1: quantize_q4_1(x, block); return;
    case TENSOR_F16: store_half(block, *x); return;
    case TENSOR_BF16: store_bfloat(block, *x); return;
    case TENSOR_F32: memcpy(block, x, sizeof *x); return;
    }
}

void quantize_row(const tensor_layout *layout, const float *x, size_t n, uint8_t *bytes) {
    for (size_t i = 0; i < n; i += layout->block_items, bytes += layout->block_bytes)
        quantize_block(layout->type, x + i, bytes);
}

void dequantize_row(const tensor_layout *layout, const uint8_t *bytes, size_t n, float *x) {
    for (size_t i = 0; i < n; i++)
        x[i] = dequantize_item(layout->type, bytes + i / layout->block_items * layout->block_bytes,
                               i % layout->block_items);
}
