#include "half.h"

#include <string.h>

uint16_t half_from_float(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;

    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00);      /* 65520: half way past 65504 */
    if (magnitude >= 0x38800000) {                                      /* 2^-14: a normal number */
        uint32_t rebiased = magnitude - (112u << 23);
        return (uint16_t)(sign | (rebiased + 0xfff + (rebiased >> 13 & 1)) >> 13);
    }
    if (magnitude <= 0x33000000) return (uint16_t)sign;                 /* 2^-25: half the smallest */

    /* A denormal counts units of 2^-24; rounding up to 0x400 of them gives the smallest normal number. */
    uint32_t significand = (magnitude & 0x7fffff) | 0x800000;
    uint32_t shift = 126 - (magnitude >> 23);
    uint32_t units = significand >> shift;
    uint32_t rest = significand & ((1u << shift) - 1), middle = 1u << (shift - 1);
    units += rest > middle || (rest == middle && (units & 1));
    return (uint16_t)(sign | units);
}

float half_to_float(uint16_t half) {
    uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 0x1f, fraction = half & 0x3ff;
    uint32_t bits;
    if (exponent == 0x1f) {
        bits = 0x7f800000 | fraction << 13 | (fraction ? 0x400000 : 0);
    } else if (exponent) {
        bits = (exponent + 112) << 23 | fraction << 13;
    } else {
        float magnitude = (float)fraction * 0x1p-24f;
        memcpy(&bits, &magnitude, sizeof bits);
    }
    bits |= sign;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
