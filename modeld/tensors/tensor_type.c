/* The tensor types that are supported, and the names of those that are not. */
#include "tensor_type.h"

#include <stddef.h>

static const tensor_layout layouts[] = {
    {TENSOR_F32, "F32", 1, 4},
    {TENSOR_F16, "F16", 1, 2},
    {TENSOR_BF16, "BF16", 1, 2},
    {TENSOR_Q8_0, "Q8_0", 32, 34},      /* a float16 scale, 32 int8 */
    {TENSOR_Q6_K, "Q6_K", 256, 210},    /* kernels/block_formats.c says what is in the K types */
    {TENSOR_Q5_K, "Q5_K", 256, 176},
    {TENSOR_Q5_1, "Q5_1", 32, 24},      /* a float16 scale and minimum, 32 fifth bits, 32 nibbles */
    {TENSOR_Q5_0, "Q5_0", 32, 22},      /* a float16 scale, 32 fifth bits, 32 nibbles; less 16 */
    {TENSOR_Q4_K, "Q4_K", 256, 144},
    {TENSOR_Q4_0, "Q4_0", 32, 18},      /* a float16 scale, 32 nibbles less 8 */
    {TENSOR_Q4_1, "Q4_1", 32, 20},      /* a float16 scale and minimum, 32 nibbles */
};
enum { N_LAYOUTS = sizeof layouts / sizeof layouts[0] };

/* All that ggml has or had, by number. */
static const char *const type_names[] = {
    /*  0 */ "F32", "F16", "Q4_0", "Q4_1", "Q4_2",
    /*  5 */ "Q4_3", "Q5_0", "Q5_1", "Q8_0", "Q8_1",
    /* 10 */ "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
    /* 15 */ "Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S",
    /* 20 */ "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8",
    /* 25 */ "I16", "I32", "I64", "F64", "IQ1_M",
    /* 30 */ "BF16", "Q4_0_4_4", "Q4_0_4_8", "Q4_0_8_8", "TQ1_0",
    /* 35 */ "TQ2_0", "IQ4_NL_4_4", "IQ4_NL_4_8", "IQ4_NL_8_8", "MXFP4",
    /* 40 */ "NVFP4", "Q1_0", "Q2_0",
};
enum { N_TYPE_NAMES = sizeof type_names / sizeof type_names[0] };
_Static_assert(N_TYPE_NAMES == 43, "one name a number");

const tensor_layout *tensor_layout_of(uint32_t type) {
    for (size_t i = 0; i < N_LAYOUTS; i++)
        if (layouts[i].type == type) return &layouts[i];
    return NULL;
}

const char *tensor_type_name(uint32_t type) {
    return type < N_TYPE_NAMES ? type_names[type] : "unknown";
}
