/* float16 (IEEE 754 binary16), as bits in a uint16_t. Plain C that gives the bits of F16C's instructions, so
 * that a vector kernel which uses those agrees with one that does not. The rounding mode is to nearest. */
#ifndef TRIVIUM_HALF_H
#define TRIVIUM_HALF_H

#include <stddef.h>
#include <stdint.h>

/* Rounds to nearest, ties to even; from 65520 on it is infinity. A NaN stays a NaN: quiet, with its sign
 * and the upper ten bits of its payload. */
uint16_t half_from_float(float x);
void half_from_floats(uint16_t *out, const float *x, size_t n);     /* the same, n times; no overlap */

/* Exact for every value; a NaN becomes quiet. */
float half_to_float(uint16_t half);

#endif
