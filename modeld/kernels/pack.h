/* Weights repacked for the kernels: panels of 16 outputs side by side, so that one vector register
 * holds the same input of 16 outputs. The outputs of a last, partial panel are filled with zeros.
 *
 *   F32, F16, BF16   [n_inputs][16] items as in the file
 *   Q4_0, Q4_1       a block of 32 inputs: 256 bytes of codes, 16 scales, for Q4_1 16 minimums
 *                    (float16); byte 64·v + 4·o + b has input 4·v + b of output o in its low four
 *                    bits and input 16 + 4·v + b in its high ones (v < 4, b < 4)
 *   Q8_0             a block: 512 bytes of codes + 128, 16 scales; byte 64·g + 4·o + b has input
 *                    4·g + b of output o (g < 8)
 */
#ifndef TRIVIUM_PACK_H
#define TRIVIUM_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../gguf.h"

enum { PANEL = 16, BLOCK = 32, PANEL_ALIGNMENT = 64 };

/* y[o] = Σ over i of W[o, i] · x[i]: W as panels, borrowed from who packed it. */
typedef struct matrix {
    tensor_type type;
    uint32_t n_outputs, n_inputs;
    size_t panel_bytes;         /* from one panel to the next: a multiple of PANEL_ALIGNMENT */
    const uint8_t *panels;
} matrix;

static inline bool type_is_quantized(tensor_type type) {
    return type == TENSOR_Q4_0 || type == TENSOR_Q4_1 || type == TENSOR_Q8_0;
}

/* Bytes of the codes at the beginning of a panel's block, and of the whole block. */
static inline size_t panel_code_bytes(tensor_type type) {
    return type == TENSOR_Q8_0 ? PANEL * BLOCK : PANEL * BLOCK / 2;
}

static inline size_t panel_block_bytes(tensor_type type) {
    return panel_code_bytes(type) + (type == TENSOR_Q4_1 ? 2u : 1u) * PANEL * sizeof(uint16_t);
}

uint32_t matrix_n_panels(const matrix *m);

/* Bytes that the packed form takes; 0 when they do not fit a size_t. n_inputs of a quantized
 * type is a multiple of 32. */
size_t matrix_bytes(tensor_type type, uint32_t n_outputs, uint32_t n_inputs);

/* Pack rows [n_outputs][n_inputs] of a file into `panels` (matrix_bytes, aligned, owned by the
 * caller for as long as the matrix is used). */
matrix matrix_pack(tensor_type type, uint32_t n_outputs, uint32_t n_inputs, const uint8_t *rows,
                   uint8_t *panels);

/* Values of one row of a file's tensor as float32: each is exact, or rounded once. */
void row_to_float(float *y, tensor_type type, const uint8_t *row, uint32_t n);

#endif
