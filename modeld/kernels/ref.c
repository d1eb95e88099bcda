/* The kernels in plain C: what they mean, to the bit. */
#include "kernels.h"

#include <math.h>
#include <string.h>

#include "proto/numeric/fmath.h"
#include "proto/numeric/half.h"

/* Lane i takes lane i + 8, then i + 4, i + 2, i + 1. */
static float lanes_sum(float lanes[LANES]) {
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
    return lanes[0];
}

/* The largest |x| as bits: as such a NaN is more than an infinity, and that is more than any number. */
static uint32_t largest_size_bits(const float *x) {
    uint32_t largest = 0;
    for (int i = 0; i < BLOCK; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7fffffffu;
        if (bits > largest) largest = bits;
    }
    return largest;
}

static void quantize_block(int8_block *block, const float *x) {
    const float magic = 0x1.8p23f;      /* adding it and taking it away rounds to nearest even */
    uint32_t bits = largest_size_bits(x);
    float largest;
    memcpy(&largest, &bits, sizeof largest);
    memset(block, 0, sizeof *block);
    if (bits >= 0x7f800000u) block->scale = block->scaled_sum = NAN;
    if (bits >= 0x7f800000u || largest < 0x1p-120f) return;     /* 127 / largest would overflow */
    float inverse = 127.0f / largest;
    for (int i = 0; i < BLOCK; i++) {
        block->codes[i] = (int8_t)((x[i] * inverse + magic) - magic);
        block->sum += block->codes[i];
        if (i < BLOCK / 2) block->low_sum += block->codes[i];
    }
    block->scale = largest / 127.0f;
    block->scaled_sum = block->scale * (float)block->sum;
}

static void quantize(int8_block *blocks, const float *x, uint32_t n_blocks) {
    for (uint32_t b = 0; b < n_blocks; b++) quantize_block(&blocks[b], x + (size_t)b * BLOCK);
}

static float half_at(const uint8_t *bytes) {
    uint16_t half;
    memcpy(&half, bytes, sizeof half);
    return half_to_float(half);
}

/* The unsigned code of input i. */
static int32_t code_at(const uint8_t *block, code_form form, uint32_t output, uint32_t i) {
    uint32_t group = i / 4, byte = 4 * output + i % 4;
    if (form.bits == 8) return block[GROUP_BYTES * group + byte];
    int32_t low = block[GROUP_BYTES * (group % 4) + byte] >> group / 4 * 4 & 15;
    if (form.bits == 4) return low;
    uint32_t n_bits = form.bits - 4, bit = group * n_bits;
    const uint8_t *uppers = block + panel_low_bytes(form) + GROUP_BYTES * (bit / 8);
    return low | (uppers[byte] >> bit % 8 & ((1 << n_bits) - 1)) << 4;
}

/* Inputs first … first + 15 of a block. */
static int32_t half_dot(const uint8_t *block, code_form form, uint32_t output, const int8_block *x,
                        uint32_t first) {
    int32_t dot = 0;
    for (uint32_t i = first; i < first + BLOCK / 2; i++)
        dot += (code_at(block, form, output, i) - form.offset) * x->codes[i];
    return dot;
}

/* Adds one block to an output's chain. head: of the block's unit. */
static float add_block(float sum, const uint8_t *head, const uint8_t *block, code_form form,
                       uint32_t output, const int8_block *x) {
    const uint8_t *halves = head + output * sizeof(uint16_t);
    const uint8_t *factors = block + panel_code_bytes(form) + output;
    float scale = half_at(halves);
    float minimum = form.has_minimum ? half_at(halves + PANEL * sizeof(uint16_t)) : 0.0f;
    int32_t low = half_dot(block, form, output, x, 0);
    int32_t high = half_dot(block, form, output, x, BLOCK / 2);
    if (form.factors == FACTORS_OF_BLOCK) {
        scale *= (float)factors[0];
        minimum *= (float)factors[PANEL];
    }
    if (form.factors == FACTORS_OF_HALVES) {
        low *= (int8_t)factors[0];
        high *= (int8_t)factors[PANEL];
    }
    sum = fmaf(scale * x->scale, (float)(low + high), sum);
    return form.has_minimum ? fmaf(minimum, x->scaled_sum, sum) : sum;
}

static float int8_output(const matrix *w, const uint8_t *panel, uint32_t output,
                         const int8_block *x) {
    code_form form = code_form_of(w->type);
    float sum = 0.0f;
    for (uint32_t b = 0; b < w->n_inputs / BLOCK; b++) {
        const uint8_t *head = panel + b / form.unit_blocks * panel_unit_bytes(form);
        const uint8_t *block = head + panel_head_bytes(form)
                               + b % form.unit_blocks * panel_block_bytes(form);
        sum = add_block(sum, head, block, form, output, &x[b]);
    }
    return sum;
}

static void int8_tile(float *y, size_t y_stride, const matrix *w, uint32_t first, uint32_t n_panels,
                      const int8_block *x, uint32_t n_rows, bool add) {
    uint32_t end = (first + n_panels) * PANEL;
    if (end > w->n_outputs) end = w->n_outputs;
    for (uint32_t r = 0; r < n_rows; r++) {
        const int8_block *row = x + (size_t)r * (w->n_inputs / BLOCK);
        for (uint32_t o = first * PANEL; o < end; o++) {
            float sum = int8_output(w, w->panels + o / PANEL * w->panel_bytes, o % PANEL, row);
            float *out = &y[r * y_stride + o];
            *out = add ? *out + sum : sum;
        }
    }
}

static float float_item(tensor_type type, const void *items, size_t i) {
    const uint8_t *bytes = items;
    float value;
    if (type == TENSOR_F32) {
        memcpy(&value, bytes + 4 * i, sizeof value);
    } else if (type == TENSOR_F16) {
        value = half_at(bytes + 2 * i);
    } else {
        uint8_t widened[4] = {0, 0, bytes[2 * i], bytes[2 * i + 1]};
        memcpy(&value, widened, sizeof value);
    }
    return value;
}

static void float_tile_chains(const float_tile *t) {
    for (uint32_t r = 0; r < t->n_rows; r++)
        for (uint32_t o = 0; o < t->n_panels * PANEL; o++) {
            float *y = &t->y[r * t->y_stride + o];
            float chain = t->resume ? *y : 0.0f;
            for (uint32_t k = 0; k < t->n_k; k++) {
                size_t item = k * t->k_stride + o / PANEL * t->panel_stride + o % PANEL;
                chain = fmaf(float_item(t->type, t->w, item), t->x[r * t->x_stride + k], chain);
            }
            *y = t->resume ? chain : *y + chain;
        }
}

static void rms_norm(float *y, const float *x, const float *weight, uint32_t n, float epsilon) {
    float lanes[LANES] = {0};
    for (uint32_t i = 0; i < n; i++) lanes[i % LANES] = fmaf(x[i], x[i], lanes[i % LANES]);
    float factor = 1.0f / sqrtf(lanes_sum(lanes) / (float)n + epsilon);
    for (uint32_t i = 0; i < n; i++) y[i] = (x[i] * factor) * weight[i];
}

static void layer_norm(float *y, const float *x, const float *weight, const float *bias, uint32_t n,
                       float epsilon) {
    float sums[LANES] = {0}, squares[LANES] = {0};
    for (uint32_t i = 0; i < n; i++) sums[i % LANES] += x[i];
    float mean = lanes_sum(sums) / (float)n;
    for (uint32_t i = 0; i < n; i++) {
        float d = x[i] - mean;
        squares[i % LANES] = fmaf(d, d, squares[i % LANES]);
    }
    float factor = 1.0f / sqrtf(lanes_sum(squares) / (float)n + epsilon);
    for (uint32_t i = 0; i < n; i++) {
        float item = (x[i] - mean) * factor;
        y[i] = bias ? fmaf(item, weight[i], bias[i]) : item * weight[i];
    }
}

static void rotate(float *x, const float *cosines, const float *sines, uint32_t n) {
    for (uint32_t i = 0; i < n; i += 2) {
        float a = x[i], b = x[i + 1];
        x[i] = fmaf(a, cosines[i], b * sines[i]);
        x[i + 1] = fmaf(b, cosines[i + 1], a * sines[i + 1]);
    }
}

static float exponentials(float *x, uint32_t n, float scale) {
    float largest = -INFINITY, lanes[LANES] = {0};
    for (uint32_t i = 0; i < n; i++) {
        x[i] *= scale;
        if (x[i] > largest) largest = x[i];
    }
    for (uint32_t i = 0; i < n; i++) {
        x[i] = fmath_expf(x[i] - largest);
        lanes[i % LANES] += x[i];
    }
    return lanes_sum(lanes);
}

static void divide(float *y, const float *x, float divisor, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) y[i] = x[i] / divisor;
}

static void swiglu(float *gate, const float *up, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) gate[i] = gate[i] / (1.0f + fmath_expf(-gate[i])) * up[i];
}

static void gelu(float *y, const float *x, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        float cubic = x[i] * fmaf(x[i] * x[i], GELU_CUBIC, 1.0f);
        y[i] = x[i] / (1.0f + fmath_expf(cubic * GELU_SCALE));
    }
}

void kernels_fill_ref(kernels *k) {
    *k = (kernels){
        .name = "ref",
        .quantize = quantize,
        .int8_tile = int8_tile,
        .float_tile = float_tile_chains,
        .rms_norm = rms_norm,
        .layer_norm = layer_norm,
        .rotate = rotate,
        .exponentials = exponentials,
        .divide = divide,
        .swiglu = swiglu,
        .gelu = gelu,
    };
}
