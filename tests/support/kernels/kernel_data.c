#include "kernel_data.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/numeric/half.h"

const tensor_type INT8_TYPES[N_INT8_TYPES] = {TENSOR_Q4_0, TENSOR_Q4_1, TENSOR_Q5_0, TENSOR_Q5_1,
                                              TENSOR_Q8_0, TENSOR_Q4_K, TENSOR_Q5_K, TENSOR_Q6_K};
const tensor_type FLOAT_TYPES[N_FLOAT_TYPES] = {TENSOR_F32, TENSOR_F16, TENSOR_BF16};

static void require(const void *memory) {
    if (!memory) abort();
}

static uint64_t random_state = 1;

static uint32_t random_bits(void) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 32);
}

uint32_t random_below(uint32_t n) {
    return (uint32_t)(((uint64_t)random_bits() * n) >> 32);
}

static float random_float(data_mode m) {
    static const float extremes[] = {0.0f,    -0.0f,    FLT_MIN,  -FLT_MIN / 8, FLT_TRUE_MIN,
                                     FLT_MAX, -FLT_MAX, INFINITY, -INFINITY,    NAN,
                                     1e-37f,  3e38f,    88.8f,    -87.4f,       104.0f};
    enum { N_EXTREMES = sizeof extremes / sizeof extremes[0] };
    if (m == EXTREME && random_below(8) == 0) return extremes[random_below(N_EXTREMES)];
    return ((float)random_bits() * 0x1p-31f - 1.0f) * (random_below(4) == 0 ? 8.0f : 1.0f);
}

float *random_floats(size_t n, data_mode m) {
    float *x = malloc(n * sizeof *x);
    require(x);
    for (size_t i = 0; i < n; i++) x[i] = random_float(m);
    return x;
}

void *copy_of(const void *bytes, size_t n_bytes) {
    void *copy = malloc(n_bytes);
    require(copy);
    memcpy(copy, bytes, n_bytes);
    return copy;
}

bool same_bits(const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]))) return false;
    return true;
}

static uint16_t random_half(data_mode m) {
    if (m == EXTREME && random_below(8) == 0) return (uint16_t)random_bits();
    return half_from_float(random_float(ORDINARY) / 16);
}

size_t scale_at(tensor_type type) {
    return type == TENSOR_Q6_K ? tensor_layout_of(type)->block_bytes - 2 : 0;
}

uint8_t *random_rows(tensor_type type, uint32_t n_outputs, uint32_t n_inputs, data_mode m) {
    const tensor_layout *layout = tensor_layout_of(type);
    size_t n_blocks = (size_t)n_outputs * n_inputs / layout->block_items;
    uint8_t *rows = malloc(n_blocks * layout->block_bytes);
    require(rows);
    for (size_t b = 0; b < n_blocks; b++) {
        uint8_t *block = rows + b * layout->block_bytes;
        for (uint32_t i = 0; i < layout->block_bytes; i++) block[i] = (uint8_t)random_bits();
        uint16_t halves[2] = {random_half(m), random_half(m)};
        float item = random_float(m);
        if (type == TENSOR_F32) memcpy(block, &item, 4);
        else if (type == TENSOR_BF16) memcpy(block, (const uint8_t *)&item + 2, 2);
        else memcpy(block + scale_at(type), halves, code_form_of(type).has_minimum ? 4 : 2);
    }
    return rows;
}

packed pack_rows(tensor_type type, uint32_t n_outputs, uint32_t n_inputs, uint8_t *rows) {
    uint8_t *panels = aligned_alloc(PANEL_ALIGNMENT, matrix_bytes(type, n_outputs, n_inputs));
    require(panels);
    return (packed){matrix_pack(type, n_outputs, n_inputs, rows, panels), rows, panels};
}

packed random_matrix(tensor_type type, uint32_t n_outputs, uint32_t n_inputs, data_mode m) {
    return pack_rows(type, n_outputs, n_inputs, random_rows(type, n_outputs, n_inputs, m));
}

void packed_free(packed *p) {
    free(p->rows);
    free(p->panels);
}

int8_block *quantized(const float *x, uint32_t n_blocks) {
    int8_block *blocks = malloc(n_blocks * sizeof *blocks);
    require(blocks);
    kernels ref;
    kernels_fill_ref(&ref);
    ref.quantize(blocks, x, n_blocks);
    return blocks;
}
