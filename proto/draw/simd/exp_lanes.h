/* fmath_exp, lane by lane, in plain C for a vector of any width. To be included after
 *
 *     enum { LANES = … };         how many doubles there are in a vector of this instruction set */
#ifndef TRIVIUM_EXP_LANES_H
#define TRIVIUM_EXP_LANES_H

#include <stdint.h>

#include "proto/numeric/fmath_exp.h"

typedef double doubles __attribute__((vector_size(LANES * sizeof(double))));
typedef uint64_t doubles_bits __attribute__((vector_size(LANES * sizeof(uint64_t))));

/* Where its result is normal. The operations are those of proto/numeric/fmath.c, in the same order. */
static inline doubles exp_lanes(doubles x) {
    doubles shifted = x * LOG2_E + MAGIC;
    doubles n = shifted - MAGIC;
    doubles r = (x - n * LN2_HIGH) - n * LN2_LOW;
    doubles r2 = r * r, r4 = r2 * r2;
    doubles power = 1.0 + (r + r2 * EXP_SERIES(r, r2, r4));
    return (doubles)((doubles_bits)power + ((doubles_bits)shifted << 52));
}

#endif
