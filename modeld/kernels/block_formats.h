/* The quantized tensor types, as ggml defines them: what the bytes of a file mean, and the form that one
 * kernel for all of them needs. A unit is what shares float16 scales: 32 values, or 256 for the K types. */
#ifndef TRIVIUM_BLOCK_FORMATS_H
#define TRIVIUM_BLOCK_FORMATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modeld/tensors/tensor_type.h"

enum { BLOCK = 32, UNIT_BLOCKS_MAX = 8 };

/* value = scale · (code − offset) + minimum */
typedef enum factor_use {
    FACTORS_NONE,               /* scale and minimum are those of the unit */
    FACTORS_OF_BLOCK,           /* a block's scale and minimum: the unit's · two uint8 */
    FACTORS_OF_HALVES,          /* the scales of the first 16 inputs and of the last 16: the unit's · two int8 */
} factor_use;

typedef struct code_form {
    uint32_t bits;              /* of a code: 4, 5, 6 or 8; 0: not a quantized type */
    int32_t offset;
    uint32_t unit_blocks;       /* 1 or UNIT_BLOCKS_MAX */
    bool has_minimum;
    factor_use factors;
} code_form;

/* A constant wherever the type is one. */
static inline code_form code_form_of(tensor_type type) {
    switch (type) {
    case TENSOR_Q4_0: return (code_form){4, 8, 1, false, FACTORS_NONE};
    case TENSOR_Q4_1: return (code_form){4, 0, 1, true, FACTORS_NONE};
    case TENSOR_Q5_0: return (code_form){5, 16, 1, false, FACTORS_NONE};
    case TENSOR_Q5_1: return (code_form){5, 0, 1, true, FACTORS_NONE};
    case TENSOR_Q8_0: return (code_form){8, 128, 1, false, FACTORS_NONE};
    case TENSOR_Q4_K: return (code_form){4, 0, 8, true, FACTORS_OF_BLOCK};
    case TENSOR_Q5_K: return (code_form){5, 0, 8, true, FACTORS_OF_BLOCK};
    case TENSOR_Q6_K: return (code_form){6, 32, 8, false, FACTORS_OF_HALVES};
    case TENSOR_F32:
    case TENSOR_F16:
    case TENSOR_BF16: break;
    }
    return (code_form){0};
}

static inline bool type_is_quantized(tensor_type type) {
    return code_form_of(type).bits != 0;
}

/* One unit of a row. Scale and minimum are float16; what a type lacks is zero. */
typedef struct weight_unit {
    uint16_t scale, minimum;
    uint8_t codes[UNIT_BLOCKS_MAX][BLOCK];
    uint8_t factors[UNIT_BLOCKS_MAX][2];
} weight_unit;

/* source: layout->block_bytes of a file's tensor of this quantized type. */
void unit_read(weight_unit *u, tensor_type type, const uint8_t *source);

/* y: [unit_blocks · 32], each rounded once. */
void unit_to_float(float *y, const weight_unit *u, tensor_type type);

#endif
