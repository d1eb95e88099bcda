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
    doubles q01 = EXP_Q[0] + r * EXP_Q[1], q23 = EXP_Q[2] + r * EXP_Q[3];
    doubles q45 = EXP_Q[4] + r * EXP_Q[5], q67 = EXP_Q[6] + r * EXP_Q[7];
    doubles q89 = EXP_Q[8] + r * EXP_Q[9];
    doubles q = (q01 + r2 * q23) + r4 * ((q45 + r2 * q67) + r4 * q89);
    doubles power = 1.0 + (r + r2 * q);
    return (doubles)((doubles_bits)power + ((doubles_bits)shifted << 52));
}

#endif
