/* Stages that remember what was drawn: mirostat and adaptive_p. Each comes last in its chain, so that a chain
 * has one state at most.
 *
 * It travels in the request's `state` and back in the reply: a version (1), a kind (1 mirostat, 2
 * adaptive_p), then two numbers, little-endian float64 (mirostat: μ, 0; adaptive_p: W, Z). No state, or that
 * of another rule, which a change of strategy left, is the beginning. */
#ifndef TRIVIUM_SAMPLER_STATE_H
#define TRIVIUM_SAMPLER_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/status.h"
#include "proto/chain/strategy.h"

enum { SAMPLER_STATE_BYTES = 18 };

struct candidates;

typedef struct sampler_state {
    stage_kind kind;            /* whose it is; STAGE_KINDS: nobody's */
    double values[2];
    const stage *ruler;         /* the stage of this draw that updates it; NULL: none */
} sampler_state;

/* What the last draw wrote, borrowed for the call; 0 bytes are nobody's. STATUS_BAD_REQUEST: it is none of ours. */
status sampler_state_read(sampler_state *s, const uint8_t *bytes, size_t n_bytes, failure *f);

/* What the next draw is to know, into bytes [SAMPLER_STATE_BYTES]. Returns how many it wrote: all, or 0 when no
 * stage remembers. */
size_t sampler_state_write(const sampler_state *s, uint8_t *bytes);

/* Drop candidates with −log₂ p > μ, whose p does not reach the share 2^−μ, but never the first; μ begins at
 * 2·tau. After the draw of x, with p among those left: μ − eta · (−log₂ p(x) − tau). Basu et al. 2021, version 2. */
void mirostat_apply(struct candidates *c, const stage *one);
/* The same where that was dropped already. */
void mirostat_follow(struct candidates *c, const stage *one);

/* g = 2·target − W / Z, within 0 … 1; z = |p − g| / 0.3; the new logit is 5 − 10 z² / (1 + z). With decay d
 * (at most 0.99), W begins at target / (1 − d), Z at 1 / (1 − d). After the draw of x: W = p(x) + d·W,
 * Z = 1 + d·Z, with the p from before. */
void adaptive_p_apply(struct candidates *c, const stage *one);

/* Candidate `at` was drawn; they are weighed. */
void sampler_state_drawn(const struct candidates *c, uint32_t at);

#endif
