/* Weights repacked for the kernels: panels of 16 outputs side by side, so that one vector register
 * holds the same input of 16 outputs. The outputs of a last, partial panel are filled with zeros.
 *
 *   F32, F16, BF16   [n_inputs][16] items as in the file
 *   quantized        units: 16 scales, 16 minimums where the type has such (float16), blocks
 *
 * A block of 32 inputs is made of what its type has of these (o < 16, b < 4):
 *   codes of 8 bits  512 bytes; byte 64·g + 4·o + b has input 4·g + b of output o (g < 8)
 *   low four bits    256 bytes; byte 64·v + 4·o + b has input 4·v + b of output o in its low half
 *                    and input 16 + 4·v + b in its high one (v < 4)
 *   fifth bits       64 bytes; byte 4·o + b has that of input 4·g + b in bit g (g < 8)
 *   upper two bits   128 bytes; byte 64·h + 4·o + b has those of input 16·h + 4·v + b from bit 2·v
 *                    on (h < 2, v < 4)
 *   factors          16 first ones, 16 second ones
 */
#ifndef TRIVIUM_PACK_H
#define TRIVIUM_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block_formats.h"

enum { PANEL = 16, PANEL_ALIGNMENT = 64, GROUP_BYTES = 4 * PANEL };

/* y[o] = Σ over i of W[o, i] · x[i]: W as panels, borrowed from whoever packed it. */
typedef struct matrix {
    tensor_type type;
    uint32_t n_outputs, n_inputs;
    size_t panel_bytes;         /* from one panel to the next: a multiple of PANEL_ALIGNMENT */
    const uint8_t *panels;
} matrix;

/* Bytes in a panel: of a unit's scales and minimums, of a block's eight or low four bits, of all
 * its bits, of the whole block, of the whole unit. */
static inline size_t panel_head_bytes(code_form form) {
    return (form.has_minimum ? 2u : 1u) * PANEL * sizeof(uint16_t);
}

static inline size_t panel_low_bytes(code_form form) {
    return form.bits == 8 ? PANEL * BLOCK : PANEL * BLOCK / 2;
}

static inline size_t panel_code_bytes(code_form form) {
    return PANEL * BLOCK / 8 * form.bits;
}

static inline size_t panel_block_bytes(code_form form) {
    return panel_code_bytes(form) + (form.factors == FACTORS_NONE ? 0u : 2u) * PANEL;
}

static inline size_t panel_unit_bytes(code_form form) {
    return panel_head_bytes(form) + form.unit_blocks * panel_block_bytes(form);
}

uint32_t matrix_n_panels(const matrix *m);

/* Bytes that the packed form takes; 0 when they do not fit a size_t. n_inputs of a quantized
 * type is a whole number of the file's blocks. */
size_t matrix_bytes(tensor_type type, uint32_t n_outputs, uint32_t n_inputs);

/* Pack rows [n_outputs][n_inputs] of a file into `panels` (matrix_bytes, aligned, owned by the
 * caller for as long as the matrix is used). */
matrix matrix_pack(tensor_type type, uint32_t n_outputs, uint32_t n_inputs, const uint8_t *rows,
                   uint8_t *panels);

/* Values of one row of a file's tensor as float32: each is exact, or rounded once. */
void row_to_float(float *y, tensor_type type, const uint8_t *row, uint32_t n);

#endif
