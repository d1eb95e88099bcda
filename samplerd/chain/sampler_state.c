#include "sampler_state.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "proto/numeric/fmath.h"
#include "candidates.h"

enum { VERSION = 1, KIND_MIROSTAT = 1, KIND_ADAPTIVE_P = 2 };

#define LN_2 0x1.62e42fefa39efp-1
#define DECAY_MAX 0.99

/* ---- the state ---- */

static double read_double(const uint8_t *bytes) {
    uint64_t bits = 0;
    double value;
    for (int i = 7; i >= 0; i--) bits = bits << 8 | bytes[i];
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void write_double(uint8_t *bytes, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(bits >> 8 * i);
}

status memory_read(memory *m, const uint8_t *bytes, size_t n_bytes, failure *f) {
    *m = (memory){.kind = STEP_KINDS};
    if (n_bytes == 0) return STATUS_OK;
    bool known = n_bytes == MEMORY_BYTES && bytes[0] == VERSION &&
                 (bytes[1] == KIND_MIROSTAT || bytes[1] == KIND_ADAPTIVE_P);
    if (known) {
        m->kind = bytes[1] == KIND_MIROSTAT ? STEP_MIROSTAT : STEP_ADAPTIVE_P;
        for (int i = 0; i < 2; i++) m->values[i] = read_double(bytes + 2 + 8 * i);
    }
    known = known && isfinite(m->values[0]) && isfinite(m->values[1]);
    if (known && (m->kind == STEP_MIROSTAT || m->values[1] > 0)) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "the state of %zu bytes is not a memory of ours", n_bytes);
}

size_t memory_write(const memory *m, uint8_t *bytes) {
    if (!m->ruler) return 0;
    bytes[0] = VERSION;
    bytes[1] = m->kind == STEP_MIROSTAT ? KIND_MIROSTAT : KIND_ADAPTIVE_P;
    for (int i = 0; i < 2; i++) write_double(bytes + 2 + 8 * i, m->values[i]);
    return MEMORY_BYTES;
}

/* Its own memory, or the beginning. */
static void take_over(memory *m, const step *one, double first, double second) {
    if (m->kind != one->kind) *m = (memory){.kind = one->kind, .values = {first, second}};
    m->ruler = one;
}

/* ---- mirostat ---- */

static double surprise_bits(const row *r, uint32_t at) {
    return -fmath_log((double)r->weights[at] / (double)r->total) / LN_2;
}

/* What a state holds is finite, however large tau and eta are. */
static double kept_finite(double value) {
    return value > DBL_MAX ? DBL_MAX : value < -DBL_MAX ? -DBL_MAX : value;
}

void memory_mirostat(row *r, const step *one) {
    row_weigh(r);
    take_over(r->memory, one, kept_finite(2 * one->numbers[0]), 0);
    if (r->n == 0) return;
    double log_total = fmath_log((double)r->total / (double)WEIGHT_ONE);
    double lowest = r->max + log_total - r->memory->values[0] * LN_2 - SHARE_TOLERANCE;
    if (lowest > r->max) row_keep(r, row_kth(r, 1));
    else row_keep(r, (row_rank){lowest, INT32_MAX});
}

static void mirostat_drawn(const row *r, uint32_t at) {
    double tau = r->memory->ruler->numbers[0], eta = r->memory->ruler->numbers[1];
    double *mu = &r->memory->values[0];
    *mu = kept_finite(*mu - eta * (surprise_bits(r, at) - tau));
}

/* ---- adaptive_p ---- */

static double decay_of(const step *one) {
    return one->numbers[1] < DECAY_MAX ? one->numbers[1] : DECAY_MAX;
}

void memory_adaptive_p(row *r, const step *one) {
    double target = one->numbers[0], rest = 1 - decay_of(one);
    row_drop_banned(r);
    row_weigh(r);
    take_over(r->memory, one, target / rest, 1 / rest);
    double wanted = 2 * target - r->memory->values[0] / r->memory->values[1];
    wanted = wanted < 0 ? 0 : wanted > 1 ? 1 : wanted;
    for (uint32_t i = 0; i < r->n; i++) {
        r->keys[i] = (double)r->weights[i] / (double)r->total;      /* for the update */
        double z = fabs(r->keys[i] - wanted) / 0.3;
        r->logits[i] = 5 - 10 * z * z / (1 + z);
    }
    row_changed(r);
}

static void adaptive_p_drawn(const row *r, uint32_t at) {
    double *values = r->memory->values, decay = decay_of(r->memory->ruler);
    values[0] = r->keys[at] + decay * values[0];
    values[1] = 1 + decay * values[1];
}

void memory_drawn(const row *r, uint32_t at) {
    if (!r->memory->ruler) return;
    if (r->memory->kind == STEP_MIROSTAT) mirostat_drawn(r, at);
    else adaptive_p_drawn(r, at);
}
