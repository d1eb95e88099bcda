/* exp, log, sin, cos, tanh, pow whose bits are the same on every machine, compiler and instruction set.
 *
 * Built only from + − × ÷ and explicit fma, without contraction; the vector kernels repeat exactly the
 * float32 chains below, lane by lane. Accuracy: at most 2 units in the last place over the stated range.
 * Special values follow C's Annex F unless stated. */
#ifndef TRIVIUM_FMATH_H
#define TRIVIUM_FMATH_H

float fmath_expf(float x);          /* results below the smallest normal number are 0 */
float fmath_tanhf(float x);
double fmath_exp(double x);         /* results below the smallest normal number are 0 */
double fmath_log(double x);         /* log(0) = -inf, log(negative) = NaN */
double fmath_sin(double x);         /* |x| ≤ 2^30 */
double fmath_cos(double x);         /* |x| ≤ 2^30 */
double fmath_tanh(double x);
double fmath_pow(double x, double y);   /* x > 0 */

/* Rounding to nearest even, denormals kept: call it first in each thread that computes. */
void fmath_thread_start(void);

#endif
