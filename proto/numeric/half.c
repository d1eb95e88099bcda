#include "half.h"

#include <string.h>

static inline uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Written without branches, which would be mispredicted, and so that a compiler can make vectors of it. */
static inline uint16_t round_to_half(float x) {
    uint32_t sign = bits_of(x) >> 16 & 0x8000, magnitude = bits_of(x) & 0x7fffffff;

    /* A normal number: rebias the exponent, round the 13 bits that go; a carry into the exponent is right. */
    uint32_t rebiased = magnitude - (112u << 23);
    uint32_t half = (rebiased + 0xfff + (rebiased >> 13 & 1)) >> 13;
    /* Below 2^-14 it counts units of 2^-24, which is what the last bit of a float32 at 0.5 is worth: the
     * addition rounds. 0x400 units are the smallest normal number. */
    uint32_t units = bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f);
    half = magnitude < 0x38800000 ? units : half;
    half = magnitude >= 0x477ff000 ? 0x7c00 : half;     /* 65520: half way past the largest, 65504 */
    half = magnitude > 0x7f800000 ? 0x7e00 | (magnitude >> 13 & 0x3ff) : half;
    return (uint16_t)(sign | half);
}

uint16_t half_from_float(float x) {
    return round_to_half(x);
}

void half_from_floats(uint16_t *out, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = round_to_half(x[i]);
}

float half_to_float(uint16_t half) {
    uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;
    if (exponent == 0x1f) return float_of(sign | 0x7f800000 | fraction << 13 | (fraction ? 0x400000 : 0));
    if (exponent) return float_of(sign | (exponent + 112) << 23 | fraction << 13);
    return float_of(sign | bits_of((float)fraction * 0x1p-24f));
}
