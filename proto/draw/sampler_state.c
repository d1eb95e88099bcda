#include "sampler_state.h"

#include <float.h>
#include <math.h>

#include "proto/numeric/bits.h"
#include "proto/numeric/fmath.h"
#include "candidates.h"

enum { VERSION = 1, KIND_MIROSTAT = 1, KIND_ADAPTIVE_P = 2 };

#define LN_2 0x1.62e42fefa39efp-1
#define DECAY_MAX 0.99

/* ---- the state ---- */

static double read_double(const uint8_t *bytes) {
    uint64_t bits = 0;
    for (int i = 7; i >= 0; i--) bits = bits << 8 | bytes[i];
    return double_of_bits(bits);
}

static void write_double(uint8_t *bytes, double value) {
    uint64_t bits = double_bits(value);
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(bits >> 8 * i);
}

status sampler_state_read(sampler_state *s, const uint8_t *bytes, size_t n_bytes, failure *f) {
    *s = (sampler_state){.kind = STAGE_KINDS};
    if (n_bytes == 0) return STATUS_OK;
    bool known = n_bytes == SAMPLER_STATE_BYTES && bytes[0] == VERSION &&
                 (bytes[1] == KIND_MIROSTAT || bytes[1] == KIND_ADAPTIVE_P);
    if (known) {
        s->kind = bytes[1] == KIND_MIROSTAT ? STAGE_MIROSTAT : STAGE_ADAPTIVE_P;
        for (int i = 0; i < 2; i++) s->values[i] = read_double(bytes + 2 + 8 * i);
    }
    known = known && isfinite(s->values[0]) && isfinite(s->values[1]);
    if (known && (s->kind == STAGE_MIROSTAT || s->values[1] > 0)) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "the state of %zu bytes is not a memory of ours", n_bytes);
}

size_t sampler_state_write(const sampler_state *s, uint8_t *bytes) {
    if (!s->ruler) return 0;
    bytes[0] = VERSION;
    bytes[1] = s->kind == STAGE_MIROSTAT ? KIND_MIROSTAT : KIND_ADAPTIVE_P;
    for (int i = 0; i < 2; i++) write_double(bytes + 2 + 8 * i, s->values[i]);
    return SAMPLER_STATE_BYTES;
}

/* Its own state, or the beginning. */
static void take_over(sampler_state *s, const stage *one, double first, double second) {
    if (s->kind != one->kind) *s = (sampler_state){.kind = one->kind, .values = {first, second}};
    s->ruler = one;
}

/* ---- mirostat ---- */

static double surprise_bits(const candidates *c, uint32_t at) {
    return -fmath_log((double)c->weights[at] / (double)c->total) / LN_2;
}

/* What a state holds is finite, however large tau and eta are. */
static double kept_finite(double value) {
    return value > DBL_MAX ? DBL_MAX : value < -DBL_MAX ? -DBL_MAX : value;
}

void mirostat_follow(candidates *c, const stage *one) {
    take_over(c->state, one, kept_finite(2 * one->numbers[0]), 0);
}

void mirostat_apply(candidates *c, const stage *one) {
    candidates_weigh(c);
    mirostat_follow(c, one);
    if (c->n == 0) return;
    double log_total = fmath_log((double)c->total / (double)WEIGHT_ONE);
    double lowest = c->max + log_total - c->state->values[0] * LN_2 - SHARE_TOLERANCE;
    if (lowest > c->max) candidates_keep(c, candidates_kth(c, 1));
    else candidates_keep(c, (candidate_rank){lowest, INT32_MAX});
}

static void mirostat_drawn(const candidates *c, uint32_t at) {
    double tau = c->state->ruler->numbers[0], eta = c->state->ruler->numbers[1];
    double *mu = &c->state->values[0];
    *mu = kept_finite(*mu - eta * (surprise_bits(c, at) - tau));
}

/* ---- adaptive_p ---- */

static double decay_of(const stage *one) {
    return one->numbers[1] < DECAY_MAX ? one->numbers[1] : DECAY_MAX;
}

void adaptive_p_apply(candidates *c, const stage *one) {
    double target = one->numbers[0], rest = 1 - decay_of(one);
    candidates_drop_banned(c);
    candidates_weigh(c);
    take_over(c->state, one, target / rest, 1 / rest);
    double wanted = 2 * target - c->state->values[0] / c->state->values[1];
    wanted = wanted < 0 ? 0 : wanted > 1 ? 1 : wanted;
    for (uint32_t i = 0; i < c->n; i++) {
        c->keys[i] = (double)c->weights[i] / (double)c->total;      /* for the update */
        double z = fabs(c->keys[i] - wanted) / 0.3;
        c->logits[i] = 5 - 10 * z * z / (1 + z);
    }
    candidates_changed(c);
}

static void adaptive_p_drawn(const candidates *c, uint32_t at) {
    double *values = c->state->values, decay = decay_of(c->state->ruler);
    values[0] = c->keys[at] + decay * values[0];
    values[1] = 1 + decay * values[1];
}

void sampler_state_drawn(const candidates *c, uint32_t at) {
    if (!c->state->ruler) return;
    if (c->state->kind == STAGE_MIROSTAT) mirostat_drawn(c, at);
    else adaptive_p_drawn(c, at);
}
