#include "pack.h"

#include <assert.h>
#include <string.h>

#include "proto/numeric/half.h"

uint32_t matrix_n_panels(const matrix *m) {
    return (m->n_outputs + PANEL - 1) / PANEL;
}

static size_t row_bytes(tensor_type type, uint32_t n_inputs) {
    const tensor_layout *layout = tensor_layout_of(type);
    return (size_t)n_inputs / layout->block_items * layout->block_bytes;
}

static size_t panel_bytes_of(tensor_type type, uint32_t n_inputs) {
    code_form form = code_form_of(type);
    size_t bytes = type_is_quantized(type)
                       ? n_inputs / (form.unit_blocks * BLOCK) * panel_unit_bytes(form)
                       : PANEL * row_bytes(type, n_inputs);
    return (bytes + PANEL_ALIGNMENT - 1) / PANEL_ALIGNMENT * PANEL_ALIGNMENT;
}

size_t matrix_bytes(tensor_type type, uint32_t n_outputs, uint32_t n_inputs) {
    size_t n_panels = ((size_t)n_outputs + PANEL - 1) / PANEL, bytes;
    return __builtin_mul_overflow(n_panels, panel_bytes_of(type, n_inputs), &bytes) ? 0 : bytes;
}

/* Four codes are handled as one number; masks keep the bits of each in its byte. */
static uint32_t in_each_byte(uint32_t bits) {
    return bits * 0x01010101u;
}

static void pack_low_bits(uint8_t *block, code_form form, const uint32_t groups[8],
                          uint32_t output) {
    for (uint32_t v = 0; v < panel_low_bytes(form) / GROUP_BYTES; v++) {
        uint32_t four = groups[v];
        if (form.bits < 8)
            four = (four & in_each_byte(15)) | (groups[v + 4] & in_each_byte(15)) << 4;
        memcpy(block + GROUP_BYTES * v + 4 * output, &four, sizeof four);
    }
}

static void pack_upper_bits(uint8_t *uppers, uint32_t n_bits, const uint32_t groups[8],
                            uint32_t output) {
    for (uint32_t plane = 0; plane < n_bits; plane++) {
        uint32_t n_groups = 8 / n_bits, four = 0;
        for (uint32_t v = 0; v < n_groups; v++)
            four |= (groups[plane * n_groups + v] >> 4 & in_each_byte((1u << n_bits) - 1))
                    << v * n_bits;
        memcpy(uppers + GROUP_BYTES * plane + 4 * output, &four, sizeof four);
    }
}

static void pack_unit(uint8_t *bytes, code_form form, const weight_unit *u, uint32_t output) {
    uint8_t *halves = bytes + output * sizeof u->scale;
    memcpy(halves, &u->scale, sizeof u->scale);
    if (form.has_minimum) memcpy(halves + PANEL * sizeof u->scale, &u->minimum, sizeof u->minimum);
    uint8_t *block = bytes + panel_head_bytes(form);
    for (uint32_t b = 0; b < form.unit_blocks; b++, block += panel_block_bytes(form)) {
        uint32_t groups[8];
        memcpy(groups, u->codes[b], sizeof groups);
        pack_low_bits(block, form, groups, output);
        if (form.bits < 8)
            pack_upper_bits(block + panel_low_bytes(form), form.bits - 4, groups, output);
        if (form.factors == FACTORS_NONE) continue;
        uint8_t *factors = block + panel_code_bytes(form) + output;
        factors[0] = u->factors[b][0];
        factors[PANEL] = u->factors[b][1];
    }
}

static void pack_row_units(uint8_t *panel, tensor_type type, const uint8_t *row, uint32_t n_inputs,
                           uint32_t output) {
    code_form form = code_form_of(type);
    const tensor_layout *layout = tensor_layout_of(type);
    for (uint32_t i = 0; i < n_inputs / layout->block_items; i++) {
        weight_unit u;
        unit_read(&u, type, row + i * (size_t)layout->block_bytes);
        pack_unit(panel + i * panel_unit_bytes(form), form, &u, output);
    }
}

static void pack_row_items(uint8_t *panel, size_t item_bytes, const uint8_t *row, uint32_t n_inputs,
                           uint32_t output) {
    for (size_t k = 0; k < n_inputs; k++)
        memcpy(panel + (k * PANEL + output) * item_bytes, row + k * item_bytes, item_bytes);
}

matrix matrix_pack(tensor_type type, uint32_t n_outputs, uint32_t n_inputs, const uint8_t *rows,
                   uint8_t *panels) {
    assert((uintptr_t)panels % PANEL_ALIGNMENT == 0);
    assert(n_inputs % tensor_layout_of(type)->block_items == 0);
    matrix m = {.type = type, .n_outputs = n_outputs, .n_inputs = n_inputs, .panels = panels,
                .panel_bytes = panel_bytes_of(type, n_inputs)};
    size_t stride = row_bytes(type, n_inputs);
    memset(panels + (n_outputs - 1) / PANEL * m.panel_bytes, 0, m.panel_bytes);
    for (uint32_t o = 0; o < n_outputs; o++) {
        uint8_t *panel = panels + o / PANEL * m.panel_bytes;
        const uint8_t *row = rows + o * stride;
        if (type_is_quantized(type)) pack_row_units(panel, type, row, n_inputs, o % PANEL);
        else pack_row_items(panel, stride / n_inputs, row, n_inputs, o % PANEL);
    }
    return m;
}

static uint16_t half_at(const uint8_t *bytes) {
    uint16_t half;
    memcpy(&half, bytes, sizeof half);
    return half;
}

void row_to_float(float *y, tensor_type type, const uint8_t *row, uint32_t n) {
    if (type == TENSOR_F32) {
        memcpy(y, row, n * sizeof *y);
    } else if (type_is_quantized(type)) {
        const tensor_layout *layout = tensor_layout_of(type);
        for (uint32_t i = 0; i < n; i += layout->block_items, row += layout->block_bytes) {
            weight_unit u;
            unit_read(&u, type, row);
            unit_to_float(y + i, &u, type);
        }
    } else {
        for (uint32_t i = 0; i < n; i++) {
            uint16_t item = half_at(row + 2 * (size_t)i);
            uint32_t widened = (uint32_t)item << 16;
            if (type == TENSOR_F16) y[i] = half_to_float(item);
            else memcpy(&y[i], &widened, sizeof widened);
        }
    }
}
