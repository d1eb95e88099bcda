/* The passes over a whole row, as a table. passes.c is the specification in plain C; passes_avx2.c
 * and passes_avx512.c give the same bits faster. All are pure: no allocation, no state, cannot fail;
 * no array needs alignment. */
#ifndef TRIVIUM_PASSES_H
#define TRIVIUM_PASSES_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/numeric/cpu.h"

#define WEIGHT_ONE ((uint64_t)1 << 44)      /* the weight of the largest logit */
#define WEIGHTLESS (-32.0)                  /* e^-32 · 2^44 rounds to 0 */

typedef struct passes {
    /* z = logits, widened; *max: the largest. logits, z: [n], n ≥ 1. False: one is not finite, and
     * then z and *max may hold anything. */
    bool (*widen)(double *z, const float *logits, uint32_t n, double *max);

    /* The largest of z: [n]; +inf where one is NaN; -inf of none. */
    double (*largest)(const double *z, uint32_t n);

    /* z = (z − shift) / divisor; z: [n]. */
    void (*scale)(double *z, double shift, double divisor, uint32_t n);

    /* weights = fmath_exp(z − max) · 2^44, rounded to even; 0 where z − max ≤ WEIGHTLESS. Returns
     * their sum. weights, z: [n], no z above max, none NaN; max is finite. */
    uint64_t (*weigh)(uint64_t *weights, const double *z, double max, uint32_t n);

    /* The i, ascending, whose z[i] is not below `lowest` (a NaN never is below). Returns how many there
     * are. indices: [n]; those after the last one may be written, too. */
    uint32_t (*select)(uint32_t *indices, const double *z, double lowest, uint32_t n);
} passes;

/* Fill the table with the best that `best` allows; the machine has it (cpu_isa). */
void passes_init(passes *p, isa best);

void passes_fill_ref(passes *p);
void passes_fill_avx2(passes *p);
void passes_fill_avx512(passes *p);

#endif
