/* How queries and keys turn with their position: the frequency of each pair, the cosines and sines of a
 * position. In words: kernels/ARITHMETIC.md. */
#ifndef TRIVIUM_ROTATION_H
#define TRIVIUM_ROTATION_H

#include <stdbool.h>

#include "proto/base/status.h"
#include "shape.h"

/* Whether angles are position · base^(−2i / rope_dims) and nothing more, or nothing turns. */
bool rotation_is_plain(const model_shape *s);

/* Radians a position of each pair, [rope_dims / 2]. Each is divided by its factor, [rope_dims / 2], where
 * `factors` is not NULL. STATUS_UNSUPPORTED: a frequency is beyond what angles are exact for. */
status rotation_frequencies(const model_shape *s, const float *factors, double *frequencies, failure *f);

/* For kernels.rotate: cosines[rope_dims], each twice; sines[rope_dims], the first of a pair negated. */
void rotation_at(const model_shape *s, const double *frequencies, uint32_t pos, float *cosines,
                 float *sines);

#endif
