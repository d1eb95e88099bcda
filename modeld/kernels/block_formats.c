#include "block_formats.h"

#include <string.h>

#include "proto/numeric/half.h"

static uint16_t half_at(const uint8_t *bytes) {
    uint16_t half;
    memcpy(&half, bytes, sizeof half);
    return half;
}

/* Blocks of 32: scale, minimum, fifth bits (bit i of four bytes for item i), codes. Item i < 16
 * of four-bit codes is the low half of byte i, item 16 + i its high half. */
static void read_block(weight_unit *u, code_form form, const uint8_t *source) {
    uint8_t *codes = u->codes[0];
    u->scale = half_at(source);
    source += sizeof u->scale;
    if (form.has_minimum) {
        u->minimum = half_at(source);
        source += sizeof u->minimum;
    }
    const uint8_t *fifths = source;
    if (form.bits == 5) source += BLOCK / 8;
    for (uint32_t i = 0; i < BLOCK; i++) {
        if (form.bits == 8) codes[i] = source[i] ^ 0x80;        /* adds 128 to a signed code */
        else codes[i] = i < 16 ? source[i] & 15 : source[i - 16] >> 4;
        if (form.bits == 5) codes[i] |= (uint8_t)((fifths[i / 8] >> i % 8 & 1) << 4);
    }
}

/* Twelve bytes with a six-bit scale and minimum for each of eight blocks: the first four lie in
 * the low six bits of a byte; of the others the low four bits share a byte, and the upper two fill up the
 * bytes of the first four. */
static void read_factors(weight_unit *u, const uint8_t *packed) {
    for (uint32_t b = 0; b < 4; b++) {
        uint8_t scale = packed[b], minimum = packed[b + 4], both = packed[b + 8];
        u->factors[b][0] = scale & 63;
        u->factors[b][1] = minimum & 63;
        u->factors[b + 4][0] = (uint8_t)((both & 15) | scale >> 6 << 4);
        u->factors[b + 4][1] = (uint8_t)(both >> 4 | minimum >> 6 << 4);
    }
}

/* Q4_K, Q5_K: scale, the minimum with its sign reversed, factors, fifth bits (bit b of byte i for
 * item i of block b), codes: two blocks in the low and high halves of 32 bytes. */
static void read_k45(weight_unit *u, code_form form, const uint8_t *source) {
    u->scale = half_at(source);
    u->minimum = half_at(source + 2) ^ 0x8000;
    read_factors(u, source + 4);
    const uint8_t *fifths = source + 16, *nibbles = form.bits == 5 ? fifths + BLOCK : fifths;
    for (uint32_t b = 0; b < UNIT_BLOCKS_MAX; b++)
        for (uint32_t i = 0; i < BLOCK; i++) {
            uint32_t code = nibbles[b / 2 * BLOCK + i] >> b % 2 * 4 & 15;
            if (form.bits == 5) code |= (uint32_t)(fifths[i] >> b & 1) << 4;
            u->codes[b][i] = (uint8_t)code;
        }
}

/* Q6_K: low four bits, upper two bits, 16 scales of int8, scale. Of each four blocks the first two
 * have the low halves of 64 bytes, the others the high ones; upper bits of all four share 32. */
static void read_k6(weight_unit *u, const uint8_t *source) {
    const uint8_t *nibbles = source, *uppers = source + 128, *factors = source + 192;
    u->scale = half_at(source + 208);
    u->minimum = 0;
    memcpy(u->factors, factors, sizeof u->factors);
    for (uint32_t b = 0; b < UNIT_BLOCKS_MAX; b++)
        for (uint32_t i = 0; i < BLOCK; i++) {
            uint32_t low = nibbles[b / 4 * 64 + b % 2 * BLOCK + i] >> b % 4 / 2 * 4 & 15;
            uint32_t upper = uppers[b / 4 * BLOCK + i] >> b % 4 * 2 & 3;
            u->codes[b][i] = (uint8_t)(low | upper << 4);
        }
}

void unit_read(weight_unit *u, tensor_type type, const uint8_t *source) {
    code_form form = code_form_of(type);
    if (form.factors == FACTORS_OF_BLOCK) read_k45(u, form, source);
    else if (form.factors == FACTORS_OF_HALVES) read_k6(u, source);
    else read_block(u, form, source);
}

void unit_to_float(float *y, const weight_unit *u, tensor_type type) {
    code_form form = code_form_of(type);
    float unit_scale = half_to_float(u->scale), unit_minimum = half_to_float(u->minimum);
    for (uint32_t b = 0; b < form.unit_blocks; b++)
        for (uint32_t i = 0; i < BLOCK; i++) {
            float scale = unit_scale, minimum = unit_minimum;
            if (form.factors == FACTORS_OF_BLOCK) {
                scale *= (float)u->factors[b][0];
                minimum *= (float)u->factors[b][1];
            }
            if (form.factors == FACTORS_OF_HALVES)
                scale *= (float)(int8_t)u->factors[b][i / 16];
            float value = scale * (float)(u->codes[b][i] - form.offset);
            y[b * BLOCK + i] = form.has_minimum ? value + minimum : value;
        }
}
