/* The types that a tensor's values may have, and how they lie in a file: those of ggml, by its names and
 * numbers. What is in a block of the quantized ones: kernels/block_formats.h. */
#ifndef TRIVIUM_TENSOR_TYPE_H
#define TRIVIUM_TENSOR_TYPE_H

#include <stdint.h>

typedef enum tensor_type {      /* numbers as in GGUF */
    TENSOR_F32 = 0,
    TENSOR_F16 = 1,
    TENSOR_Q4_0 = 2,
    TENSOR_Q4_1 = 3,
    TENSOR_Q5_0 = 6,
    TENSOR_Q5_1 = 7,
    TENSOR_Q8_0 = 8,
    TENSOR_Q4_K = 12,
    TENSOR_Q5_K = 13,
    TENSOR_Q6_K = 14,
    TENSOR_BF16 = 30,
} tensor_type;

typedef struct tensor_layout {
    tensor_type type;
    const char *name;           /* "Q4_1" */
    uint32_t block_items;       /* values in a block: 1, 32 or 256 */
    uint32_t block_bytes;
} tensor_layout;

const tensor_layout *tensor_layout_of(uint32_t type);   /* NULL: not supported */
const char *tensor_type_name(uint32_t type);            /* of any ggml type; "unknown" past the last */
#define TENSOR_TYPES_SUPPORTED "F32, F16, BF16, Q8_0, Q6_K, Q5_K, Q5_1, Q5_0, Q4_K, Q4_1 and Q4_0"

#endif
