#include "quantize.h"

#include <stdlib.h>
#include <string.h>

#include "proto/numeric/bits.h"
#include "proto/numeric/half.h"

enum { BLOCK = 32, SUPER_BLOCK = 256 };

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
    uint32_t bits = float_bits(x);
    uint16_t upper = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    memcpy(bytes, &upper, sizeof upper);
}

static float load_bfloat(const uint8_t *bytes) {
    uint16_t upper;
    memcpy(&upper, bytes, sizeof upper);
    return float_of_bits((uint32_t)upper << 16);
}

/* x rounded to the nearest integer, halves upwards, kept within low … high, which are below 1024. */
static int nearest(float x, int low, int high) {
    if (x <= (float)low) return low;
    if (x >= (float)high) return high;
    return (int)(x + 1024.5f) - 1024;       /* truncation is floor here */
}

static float inverse(float scale) {
    return scale != 0.0f ? 1.0f / scale : 0.0f;
}

static float farthest_from_zero(const float *x, size_t n) {
    float far = 0.0f;
    for (size_t i = 0; i < n; i++)
        if ((x[i] < 0 ? -x[i] : x[i]) > (far < 0 ? -far : far)) far = x[i];
    return far;
}

static void find_range(const float *x, float *low, float *high) {
    *low = *high = x[0];
    for (size_t i = 1; i < BLOCK; i++) {
        if (x[i] < *low) *low = x[i];
        if (x[i] > *high) *high = x[i];
    }
}

/* ---- one block of 32 ---- */

/* Codes of 4 or 5 bits. Fifth bits come first, item i in bit i of four bytes. Of the lower four, items
 * 0 … 15 are the lower halves of 16 bytes, 16 … 31 the upper. */
static void store_code(uint8_t *codes, int n_bits, size_t i, int q) {
    uint8_t *nibbles = codes + (n_bits == 5 ? 4 : 0);
    nibbles[i % 16] |= (uint8_t)(i < 16 ? q & 15 : (q & 15) << 4);
    if (n_bits == 5) codes[i / 8] |= (uint8_t)(q >> 4 << i % 8);
}

static int load_code(const uint8_t *codes, int n_bits, size_t i) {
    const uint8_t *nibbles = codes + (n_bits == 5 ? 4 : 0);
    int q = i < 16 ? nibbles[i] & 15 : nibbles[i - 16] >> 4;
    return n_bits == 5 ? q | (codes[i / 8] >> i % 8 & 1) << 4 : q;
}

static void quantize_q8_0(const float *x, uint8_t *block) {
    float far = farthest_from_zero(x, BLOCK), scale = (far < 0 ? -far : far) / 127.0f;
    store_half(block, scale);
    for (size_t i = 0; i < BLOCK; i++)
        block[2 + i] = (uint8_t)nearest(x[i] * inverse(scale), -127, 127);
}

/* Q4_0, Q5_0 */
static void quantize_signed(const float *x, uint8_t *block, int n_bits) {
    int half = 1 << (n_bits - 1);
    float scale = farthest_from_zero(x, BLOCK) / (float)-half;
    store_half(block, scale);
    memset(block + 2, 0, BLOCK / 8 * (size_t)n_bits);
    for (size_t i = 0; i < BLOCK; i++)
        store_code(block + 2, n_bits, i, nearest(x[i] * inverse(scale), -half, half - 1) + half);
}

/* Q4_1, Q5_1 */
static void quantize_with_minimum(const float *x, uint8_t *block, int n_bits) {
    int largest = (1 << n_bits) - 1;
    float low, high;
    find_range(x, &low, &high);
    float scale = (high - low) / (float)largest;
    store_half(block, scale);
    store_half(block + 2, low);
    memset(block + 4, 0, BLOCK / 8 * (size_t)n_bits);
    for (size_t i = 0; i < BLOCK; i++)
        store_code(block + 4, n_bits, i, nearest((x[i] - low) * inverse(scale), 0, largest));
}

/* ---- one block of 256 ---- */

/* Q4_K, Q5_K: scale, minimum, 12 bytes with a scale and a minimum of 6 bits for each 32 items, for Q5_K 32
 * bytes with the fifth bits of items i, i + 32, …, then 128 bytes: items i and i + 32 of each 64. */
enum { K_SCALES_AT = 4, K_CODES_AT = 16 };

static int load_k_scale(const uint8_t *packed, size_t b) {
    return b < 4 ? packed[b] & 63 : (packed[b + 4] & 15) | (packed[b - 4] >> 6) << 4;
}

static int load_k_minimum(const uint8_t *packed, size_t b) {
    return b < 4 ? packed[b + 4] & 63 : packed[b + 4] >> 4 | (packed[b] >> 6) << 4;
}

static void store_k_scales(uint8_t *packed, size_t b, int scale, int minimum) {
    if (b < 4) {
        packed[b] |= (uint8_t)scale;
        packed[b + 4] |= (uint8_t)minimum;
    } else {
        packed[b + 4] |= (uint8_t)((scale & 15) | (minimum & 15) << 4);
        packed[b - 4] |= (uint8_t)(scale >> 4 << 6);
        packed[b] |= (uint8_t)(minimum >> 4 << 6);
    }
}

static int load_k_code(const uint8_t *block, int n_bits, size_t i) {
    const uint8_t *fifths = block + K_CODES_AT, *nibbles = fifths + (n_bits == 5 ? 32 : 0);
    int q = nibbles[i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15;
    return n_bits == 5 ? q | (fifths[i % 32] >> i / 32 & 1) << 4 : q;
}

static void store_k_code(uint8_t *block, int n_bits, size_t i, int q) {
    uint8_t *fifths = block + K_CODES_AT, *nibbles = fifths + (n_bits == 5 ? 32 : 0);
    nibbles[i / 64 * 32 + i % 32] |= (uint8_t)((q & 15) << i % 64 / 32 * 4);
    if (n_bits == 5) fifths[i % 32] |= (uint8_t)(q >> 4 << i / 32);
}

static float load_k_item(const uint8_t *block, int n_bits, size_t i) {
    const uint8_t *packed = block + K_SCALES_AT;
    float scale = load_half(block) * (float)load_k_scale(packed, i / BLOCK);
    float minimum = load_half(block + 2) * (float)load_k_minimum(packed, i / BLOCK);
    return scale * (float)load_k_code(block, n_bits, i) - minimum;
}

static void quantize_k(const float *x, uint8_t *block, int n_bits) {
    enum { N_BLOCKS = SUPER_BLOCK / BLOCK, LARGEST_SCALE = 63 };
    int largest = (1 << n_bits) - 1;
    float scales[N_BLOCKS], minimums[N_BLOCKS];
    for (size_t b = 0; b < N_BLOCKS; b++) {
        float low, high;
        find_range(x + b * BLOCK, &low, &high);
        minimums[b] = low < 0.0f ? -low : 0.0f;
        scales[b] = (high + minimums[b]) / (float)largest;
    }
    float scale = farthest_from_zero(scales, N_BLOCKS) / LARGEST_SCALE;
    float minimum = farthest_from_zero(minimums, N_BLOCKS) / LARGEST_SCALE;
    memset(block, 0, K_CODES_AT + SUPER_BLOCK / 8 * (size_t)n_bits);
    store_half(block, scale);
    store_half(block + 2, minimum);
    for (size_t b = 0; b < N_BLOCKS; b++) {
        int scale_code = nearest(scales[b] * inverse(scale), 0, LARGEST_SCALE);
        int minimum_code = nearest(minimums[b] * inverse(minimum), 0, LARGEST_SCALE);
        store_k_scales(block + K_SCALES_AT, b, scale_code, minimum_code);
        float step = inverse(scale * (float)scale_code), offset = minimum * (float)minimum_code;
        for (size_t i = b * BLOCK; i < (b + 1) * BLOCK; i++)
            store_k_code(block, n_bits, i, nearest((x[i] + offset) * step, 0, largest));
    }
}

/* Q6_K: 128 bytes with the lower four bits of items i and i + 64 of each 128, 64 with the upper two of
 * items i, i + 32, … of each 128, a scale of int8 for each 16 items, the scale of all. */
enum { Q6_UPPERS_AT = 128, Q6_SCALES_AT = 192, Q6_SCALE_AT = 208, Q6_SCALE_ITEMS = 16 };

static float load_q6_k_item(const uint8_t *block, size_t i) {
    int low = block[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15;
    int upper = block[Q6_UPPERS_AT + i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
    float scale = load_half(block + Q6_SCALE_AT)
                  * (float)(int8_t)block[Q6_SCALES_AT + i / Q6_SCALE_ITEMS];
    return scale * (float)((low | upper << 4) - 32);
}

static void store_q6_k_code(uint8_t *block, size_t i, int q) {
    block[i / 128 * 64 + i % 64] |= (uint8_t)((q & 15) << i % 128 / 64 * 4);
    block[Q6_UPPERS_AT + i / 128 * 32 + i % 32] |= (uint8_t)(q >> 4 << i % 128 / 32 * 2);
}

static void quantize_q6_k(const float *x, uint8_t *block) {
    enum { N_SCALES = SUPER_BLOCK / Q6_SCALE_ITEMS };
    float scales[N_SCALES];
    for (size_t s = 0; s < N_SCALES; s++)
        scales[s] = farthest_from_zero(x + s * Q6_SCALE_ITEMS, Q6_SCALE_ITEMS) / -32.0f;
    float scale = farthest_from_zero(scales, N_SCALES) / -128.0f;
    memset(block, 0, Q6_SCALE_AT);
    store_half(block + Q6_SCALE_AT, scale);
    for (size_t s = 0; s < N_SCALES; s++) {
        int code = nearest(scales[s] * inverse(scale), -128, 127);
        block[Q6_SCALES_AT + s] = (uint8_t)code;
        float step = inverse(scale * (float)code);
        for (size_t i = s * Q6_SCALE_ITEMS; i < (s + 1) * Q6_SCALE_ITEMS; i++)
            store_q6_k_code(block, i, nearest(x[i] * step, -32, 31) + 32);
    }
}

/* ---- every type ---- */

static float dequantize_item(tensor_type type, const uint8_t *block, size_t i) {
    switch (type) {
    case TENSOR_Q8_0: return load_half(block) * (float)(int8_t)block[2 + i];
    case TENSOR_Q4_0: return load_half(block) * (float)(load_code(block + 2, 4, i) - 8);
    case TENSOR_Q5_0: return load_half(block) * (float)(load_code(block + 2, 5, i) - 16);
    case TENSOR_Q4_1: return load_half(block) * (float)load_code(block + 4, 4, i) + load_half(block + 2);
    case TENSOR_Q5_1: return load_half(block) * (float)load_code(block + 4, 5, i) + load_half(block + 2);
    case TENSOR_Q4_K: return load_k_item(block, 4, i);
    case TENSOR_Q5_K: return load_k_item(block, 5, i);
    case TENSOR_Q6_K: return load_q6_k_item(block, i);
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
    case TENSOR_Q4_0: quantize_signed(x, block, 4); return;
    case TENSOR_Q5_0: quantize_signed(x, block, 5); return;
    case TENSOR_Q4_1: quantize_with_minimum(x, block, 4); return;
    case TENSOR_Q5_1: quantize_with_minimum(x, block, 5); return;
    case TENSOR_Q4_K: quantize_k(x, block, 4); return;
    case TENSOR_Q5_K: quantize_k(x, block, 5); return;
    case TENSOR_Q6_K: quantize_q6_k(x, block); return;
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
