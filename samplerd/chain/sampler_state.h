/* Steps that remember what was drawn: mirostat and adaptive_p. Each comes last in its chain, so that a chain
 * has one memory at most.
 *
 * It travels in the request's `state` and back in the reply: a version (1), a kind (1 mirostat, 2
 * adaptive_p), then two numbers, little-endian float64 (mirostat: μ, 0; adaptive_p: W, Z). No state, or that
 * of another rule, which a strategy change leaves behind, is the beginning. */
#ifndef TRIVIUM_MEMORY_H
#define TRIVIUM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "proto/chain/strategy.h"

enum { MEMORY_BYTES = 18 };

struct row;

typedef struct memory {
    step_kind kind;             /* whose it is; STEP_KINDS: nobody's */
    double values[2];
    const step *ruler;          /* the step of this draw that updates it; NULL: none */
} memory;

/* STATUS_BAD_REQUEST: the state is none of ours. n_bytes 0 is nobody's memory. */
status memory_read(memory *m, const uint8_t *bytes, size_t n_bytes, failure *f);

/* What the next draw is to know: [MEMORY_BYTES]; returns the number of bytes, 0 when no step remembers. */
size_t memory_write(const memory *m, uint8_t *bytes);

/* Drop candidates of −log₂ p > μ, whose p does not reach the share 2^−μ, but never the first; μ begins at
 * 2·tau. After the draw of x, with p among those left: μ − eta · (−log₂ p(x) − tau). Basu et al. 2021, version 2. */
void memory_mirostat(struct row *r, const step *one);

/* g = 2·target − W / Z, within 0 … 1; z = |p − g| / 0.3; the new logit is 5 − 10 z² / (1 + z). With decay d
 * (at most 0.99), W begins at target / (1 − d), Z at 1 / (1 − d). After the draw of x: W = p(x) + d·W,
 * Z = 1 + d·Z, with the p from before. */
void memory_adaptive_p(struct row *r, const step *one);

/* Candidate `at` of the weighed row was drawn. */
void memory_drawn(const struct row *r, uint32_t at);

#endif
