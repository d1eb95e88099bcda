/* How queries and keys turn with their position (RoPE, Su et al. 2021): which values of a head make a pair,
 * the frequency of each pair, the cosines and sines of a position. In words: kernels/ARITHMETIC.md. */
#ifndef TRIVIUM_ROTATION_H
#define TRIVIUM_ROTATION_H

#include <stdbool.h>
#include <stdint.h>

struct kernels;

/* Which values of a head turn together: pair i, 0 ≤ i < n_dims / 2. */
typedef enum rotation_kind {
    ROTATION_NONE,              /* nothing turns; positions are learned, and added to the embedding */
    ROTATION_ADJACENT,          /* x[2i] and x[2i + 1] */
    /* Another pairing, such as x[i] and x[i + n_dims / 2], goes here, and has its case in rotation_at and
     * rotation_turn. */
} rotation_kind;

/* How frequencies differ from base^(−2i / n_dims). */
typedef struct rotation_scaling {
    double factor;              /* they are divided by it; 1: none */
    double magnitude;           /* of cosines and sines; 1: none */
    double yarn_mix;            /* part of the fast pairs that is not divided; 0: this is not YaRN */
    double yarn_fast, yarn_slow;    /* turns within n_ctx_before: of pairs kept, of pairs divided */
    uint32_t n_ctx_before;      /* the context before it was stretched */
    bool by_pair;               /* each pair has a factor of its own, too: the tensor rope_freqs */
} rotation_scaling;

typedef struct rotation {
    rotation_kind kind;
    uint32_t n_dims;            /* of each head, from its first value on: even, ≤ head_dim; 0 for NONE */
    double base;
    rotation_scaling scaling;
} rotation;

/* Angles are exact for frequencies above 0 and up to this: positions stay below 2^20, and fmath_sin's angles
 * within 2^30. */
#define ROTATION_FREQUENCY_MAX 1024.0

/* Whether angles are position · base^(−2i / n_dims) and nothing more, or nothing turns. */
bool rotation_is_plain(const rotation *r);

/* Radians per position for each pair, [n_dims / 2]. Each is divided by its factor, [n_dims / 2], where
 * `factors` is not NULL; they are finite and above 0. The caller checks the result: ROTATION_FREQUENCY_MAX. */
void rotation_frequencies(const rotation *r, const float *factors, double *frequencies);

/* For rotation_turn: the cosines and sines of a position, [n_dims] each, in the form that the kernel of this
 * kind wants (for ROTATION_ADJACENT: kernels.rotate). frequencies: [n_dims / 2]. */
void rotation_at(const rotation *r, const double *frequencies, uint32_t pos, float *cosines, float *sines);

/* Turn the heads of one row, [n_heads, head_dim], in place. */
void rotation_turn(const rotation *r, const struct kernels *k, const float *cosines, const float *sines,
                   float *heads, uint32_t n_heads, uint32_t head_dim);

#endif
