#include "passes.h"

#include <math.h>

#include "proto/numeric/bits.h"
#include "proto/numeric/fmath.h"

static bool widen(double *z, const float *logits, uint32_t n, double *max) {
    bool finite = true;
    *max = -INFINITY;
    for (uint32_t i = 0; i < n; i++) {
        z[i] = (double)logits[i];
        finite &= fabs(z[i]) < INFINITY;
        if (z[i] > *max) *max = z[i];
    }
    return finite;
}

static double largest(const double *z, uint32_t n) {
    double max = -INFINITY;
    bool ordered = true;
    for (uint32_t i = 0; i < n; i++) {
        ordered &= !isnan(z[i]);
        if (z[i] > max) max = z[i];
    }
    return ordered ? max : INFINITY;
}

static void scale(double *z, double shift, double divisor, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) z[i] = (z[i] - shift) / divisor;
}

/* `below`: z − max. Adding 2^52 rounds to an integer; the low 52 bits hold it. */
static uint64_t weight_of(double below) {
    if (below <= WEIGHTLESS) return 0;
    double shifted = fmath_exp(below) * (double)WEIGHT_ONE + 0x1p52;
    return double_bits(shifted) & (((uint64_t)1 << 52) - 1);
}

static uint64_t weigh(uint64_t *weights, const double *z, double max, uint32_t n) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < n; i++) total += weights[i] = weight_of(z[i] - max);
    return total;
}

static uint32_t select_from(uint32_t *indices, const double *z, double lowest, uint32_t n) {
    uint32_t n_selected = 0;
    for (uint32_t i = 0; i < n; i++) {
        indices[n_selected] = i;
        n_selected += !(z[i] < lowest);
    }
    return n_selected;
}

void passes_fill_ref(passes *p) {
    *p = (passes){widen, largest, scale, weigh, select_from};
}

void passes_init(passes *p, isa best) {
    passes_fill_ref(p);
#ifdef __x86_64__
    if (best >= ISA_AVX2) passes_fill_avx2(p);
    if (best >= ISA_AVX512) passes_fill_avx512(p);
#else
    (void)best;
#endif
}
