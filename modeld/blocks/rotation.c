#include "rotation.h"

#include <math.h>

#include "modeld/kernels/kernels.h"
#include "proto/numeric/fmath.h"

static const double TWO_PI = 6.283185307179586;

/* The pair, as a real number, that turns `n_turns` times within the context before scaling. */
static double pair_of_turns(const rotation *r, double n_turns) {
    return r->n_dims * fmath_log(r->scaling.n_ctx_before / (n_turns * TWO_PI)) / (2.0 * fmath_log(r->base));
}

/* How much of its own frequency a pair keeps: all where it turns fast, nothing where it turns slowly. */
static double kept(const rotation *r, uint32_t pair) {
    const rotation_scaling *s = &r->scaling;
    if (s->yarn_mix == 0.0) return 0.0;
    double first = fmax(0.0, floor(pair_of_turns(r, s->yarn_fast)));
    double last = fmin(r->n_dims - 1.0, ceil(pair_of_turns(r, s->yarn_slow)));
    double way = (pair - first) / fmax(0.001, last - first);
    return (1.0 - fmin(1.0, fmax(0.0, way))) * s->yarn_mix;
}

bool rotation_is_plain(const rotation *r) {
    const rotation_scaling *s = &r->scaling;
    return r->kind == ROTATION_NONE || (!s->by_pair && s->factor == 1.0 && s->magnitude == 1.0);
}

void rotation_frequencies(const rotation *r, const float *factors, double *frequencies) {
    for (uint32_t i = 0; i < r->n_dims / 2; i++) {
        double own = fmath_pow(r->base, -2.0 * i / r->n_dims), keep = kept(r, i);
        own /= factors ? (double)factors[i] : 1.0;
        frequencies[i] = own * (1.0 - keep) / r->scaling.factor + own * keep;
    }
}

/* Each cosine twice, and the first sine of a pair negated. */
static void adjacent_at(const rotation *r, const double *frequencies, uint32_t pos, float *cosines,
                        float *sines) {
    for (uint32_t i = 0; i < r->n_dims / 2; i++) {
        double angle = pos * frequencies[i];
        cosines[2 * i] = cosines[2 * i + 1] = (float)(fmath_cos(angle) * r->scaling.magnitude);
        sines[2 * i + 1] = (float)(fmath_sin(angle) * r->scaling.magnitude);
        sines[2 * i] = -sines[2 * i + 1];
    }
}

void rotation_at(const rotation *r, const double *frequencies, uint32_t pos, float *cosines, float *sines) {
    switch (r->kind) {
    case ROTATION_NONE: break;
    case ROTATION_ADJACENT: adjacent_at(r, frequencies, pos, cosines, sines); break;
    }
}

void rotation_turn(const rotation *r, const kernels *k, const float *cosines, const float *sines,
                   float *heads, uint32_t n_heads, uint32_t head_dim) {
    for (uint32_t h = 0; h < n_heads; h++) {
        switch (r->kind) {
        case ROTATION_NONE: break;
        case ROTATION_ADJACENT: k->rotate(heads + (size_t)h * head_dim, cosines, sines, r->n_dims); break;
        }
    }
}
