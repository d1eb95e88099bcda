#include "half.h"

#include "bits.h"

/* Written without branches, which would be mispredicted, and so that a compiler can make vectors of it. */
static inline uint16_t round_to_half(float x) {
    uint32_t sign = float_bits(x) >> 16 & 0x8000, magnitude = float_bits(x) & 0x7fffffff;

    /* A normal number: rebias the exponent, round the 13 bits that go; a carry into the exponent is right. */
    uint32_t rebiased = magnitude - (112u << 23);
    uint32_t half = (rebiased + 0xfff + (rebiased >> 13 & 1)) >> 13;
    /* Below 2^-14 it counts units of 2^-24, which is what the last bit of a float32 at 0.5 is worth: the
     * addition rounds. 0x400 units are the smallest normal number. */
    uint32_t units = float_bits(float_of_bits(magnitude) + 0.5f) - float_bits(0.5f);
    half = magnitude < 0x38800000 ? units : half;
    half = magnitude >= 0x477ff000 ? 0x7c00 : half;     /* 65520: half a unit past the largest, 65504 */
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
    if (exponent == 0x1f) return float_of_bits(sign | 0x7f800000 | fraction << 13 | (fraction ? 0x400000 : 0));
    if (exponent) return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    return float_of_bits(sign | float_bits((float)fraction * 0x1p-24f));
}
