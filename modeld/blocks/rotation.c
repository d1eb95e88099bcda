#include "rotation.h"

#include <math.h>

#include "proto/numeric/fmath.h"

/* Positions stay below 2^20 and fmath_sin's angles within 2^30. */
static const double FREQUENCY_MAX = 1024.0;
static const double TWO_PI = 6.283185307179586;

/* The pair, as a real number, that turns `n_turns` times within the context before. */
static double pair_of_turns(const model_shape *s, double n_turns) {
    return s->rope_dims * fmath_log(s->rope.n_ctx_before / (n_turns * TWO_PI))
           / (2.0 * fmath_log(s->rope_base));
}

/* How much of its own frequency a pair keeps: all where it turns fast, nothing where it turns slowly. */
static double kept(const model_shape *s, uint32_t pair) {
    if (s->rope.yarn_mix == 0.0) return 0.0;
    double first = fmax(0.0, floor(pair_of_turns(s, s->rope.yarn_fast)));
    double last = fmin(s->rope_dims - 1.0, ceil(pair_of_turns(s, s->rope.yarn_slow)));
    double way = (pair - first) / fmax(0.001, last - first);
    return (1.0 - fmin(1.0, fmax(0.0, way))) * s->rope.yarn_mix;
}

bool rotation_is_plain(const model_shape *s) {
    const rope_scaling *r = &s->rope;
    return s->rope_dims == 0 || (!r->by_pair && r->factor == 1.0 && r->magnitude == 1.0);
}

status rotation_frequencies(const model_shape *s, const float *factors, double *frequencies, failure *f) {
    for (uint32_t i = 0; i < s->rope_dims / 2; i++) {
        double own = fmath_pow(s->rope_base, -2.0 * i / s->rope_dims), keep = kept(s, i);
        double factor = factors ? (double)factors[i] : 1.0;
        if (!(factor > 0.0 && isfinite(factor)))
            return fail(f, STATUS_UNSUPPORTED,
                        "the tensor rope_freqs.weight has a factor of %g; finite ones above 0 "
                        "are supported", factor);
        own /= factor;
        frequencies[i] = own * (1.0 - keep) / s->rope.factor + own * keep;
        if (!(frequencies[i] > 0.0 && frequencies[i] <= FREQUENCY_MAX))
            return fail(f, STATUS_UNSUPPORTED,
                        "the keys llama.rope.* and the tensor rope_freqs.weight make a rotation "
                        "of %g radians a position; above 0 and at most %g are supported",
                        frequencies[i], FREQUENCY_MAX);
    }
    return STATUS_OK;
}

void rotation_at(const model_shape *s, const double *frequencies, uint32_t pos, float *cosines,
                 float *sines) {
    for (uint32_t i = 0; i < s->rope_dims / 2; i++) {
        double angle = pos * frequencies[i];
        cosines[2 * i] = cosines[2 * i + 1] = (float)(fmath_cos(angle) * s->rope.magnitude);
        sines[2 * i + 1] = (float)(fmath_sin(angle) * s->rope.magnitude);
        sines[2 * i] = -sines[2 * i + 1];
    }
}
