#include "pack.h"

#include <assert.h>
#include <string.h>

#include "../half.h"

uint32_t matrix_n_panels(const matrix *m) {
    return (m->n_outputs + PANEL - 1) / PANEL;
}

static size_t row_bytes(tensor_type type, uint32_t n_inputs) {
    const tensor_layout *layout = tensor_layout_of(type);
    return (size_t)n_inputs / layout->block_items * layout->block_bytes;
}

static size_t panel_bytes_of(tensor_type type, uint32_t n_inputs) {
    size_t bytes = type_is_quantized(type) ? (size_t)n_inputs / BLOCK * panel_block_bytes(type)
                                           : PANEL * row_bytes(type, n_inputs);
    return (bytes + PANEL_ALIGNMENT - 1) / PANEL_ALIGNMENT * PANEL_ALIGNMENT;
}

size_t matrix_bytes(tensor_type type, uint32_t n_outputs, uint32_t n_inputs) {
    size_t n_panels = ((size_t)n_outputs + PANEL - 1) / PANEL, bytes;
    return __builtin_mul_overflow(n_panels, panel_bytes_of(type, n_inputs), &bytes) ? 0 : bytes;
}

/* Blocks as in the file: Q4_0 scale, codes · Q4_1 scale, minimum, codes · Q8_0 scale, codes.
 * Item i < 16 of four-bit codes is the low half of byte i, item 16 + i its high half. */
static void pack_block(uint8_t *block, tensor_type type, const uint8_t *source, uint32_t output) {
    uint8_t *halves = block + panel_code_bytes(type) + output * sizeof(uint16_t);
    memcpy(halves, source, sizeof(uint16_t));
    source += sizeof(uint16_t);
    if (type == TENSOR_Q4_1) {
        memcpy(halves + PANEL * sizeof(uint16_t), source, sizeof(uint16_t));
        source += sizeof(uint16_t);
    }
    uint32_t n_bytes = (uint32_t)panel_code_bytes(type) / PANEL;
    uint8_t flip = type == TENSOR_Q8_0 ? 0x80 : 0;      /* adds 128 to a signed code */
    for (uint32_t i = 0; i < n_bytes; i++)
        block[64 * (i / 4) + 4 * output + i % 4] = source[i] ^ flip;
}

static void pack_row_blocks(uint8_t *panel, tensor_type type, const uint8_t *row, uint32_t n_blocks,
                            uint32_t output) {
    size_t step = panel_block_bytes(type), source_step = tensor_layout_of(type)->block_bytes;
    for (uint32_t b = 0; b < n_blocks; b++)
        pack_block(panel + b * step, type, row + b * source_step, output);
}

static void pack_row_items(uint8_t *panel, size_t item_bytes, const uint8_t *row, uint32_t n_inputs,
                           uint32_t output) {
    for (size_t k = 0; k < n_inputs; k++)
        memcpy(panel + (k * PANEL + output) * item_bytes, row + k * item_bytes, item_bytes);
}

matrix matrix_pack(tensor_type type, uint32_t n_outputs, uint32_t n_inputs, const uint8_t *rows,
                   uint8_t *panels) {
    assert((uintptr_t)panels % PANEL_ALIGNMENT == 0);
    assert(!type_is_quantized(type) || n_inputs % BLOCK == 0);
    matrix m = {.type = type, .n_outputs = n_outputs, .n_inputs = n_inputs, .panels = panels,
                .panel_bytes = panel_bytes_of(type, n_inputs)};
    size_t stride = row_bytes(type, n_inputs);
    memset(panels + (n_outputs - 1) / PANEL * m.panel_bytes, 0, m.panel_bytes);
    for (uint32_t o = 0; o < n_outputs; o++) {
        uint8_t *panel = panels + o / PANEL * m.panel_bytes;
        const uint8_t *row = rows + o * stride;
        if (type_is_quantized(type)) pack_row_blocks(panel, type, row, n_inputs / BLOCK, o % PANEL);
        else pack_row_items(panel, stride / n_inputs, row, n_inputs, o % PANEL);
    }
    return m;
}

static uint16_t half_at(const uint8_t *bytes) {
    uint16_t half;
    memcpy(&half, bytes, sizeof half);
    return half;
}

static void block_to_float(float *y, tensor_type type, const uint8_t *block) {
    float scale = half_to_float(half_at(block));
    if (type == TENSOR_Q8_0) {
        for (int i = 0; i < BLOCK; i++) y[i] = scale * (float)(int8_t)block[2 + i];
        return;
    }
    bool has_minimum = type == TENSOR_Q4_1;
    float minimum = has_minimum ? half_to_float(half_at(block + 2)) : 0.0f;
    const uint8_t *codes = block + (has_minimum ? 4 : 2);
    int offset = has_minimum ? 0 : 8;
    for (int i = 0; i < BLOCK; i++) {
        int code = i < BLOCK / 2 ? codes[i] & 15 : codes[i - BLOCK / 2] >> 4;
        y[i] = scale * (float)(code - offset) + minimum;
    }
}

void row_to_float(float *y, tensor_type type, const uint8_t *row, uint32_t n) {
    if (type == TENSOR_F32) {
        memcpy(y, row, n * sizeof *y);
    } else if (type_is_quantized(type)) {
        size_t step = tensor_layout_of(type)->block_bytes;
        for (uint32_t b = 0; b < n / BLOCK; b++)
            block_to_float(y + b * BLOCK, type, row + b * step);
    } else {
        for (uint32_t i = 0; i < n; i++) {
            uint16_t item = half_at(row + 2 * (size_t)i);
            uint32_t widened = (uint32_t)item << 16;
            if (type == TENSOR_F16) y[i] = half_to_float(item);
            else memcpy(&y[i], &widened, sizeof widened);
        }
    }
}
