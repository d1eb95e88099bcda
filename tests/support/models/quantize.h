/* Rows of float32 to and from every supported tensor type, as ggml defines them, in plain C. The tests'
 * own word on what the bytes of a tensor mean: independent of modeld's kernels. */
#ifndef TRIVIUM_TESTS_QUANTIZE_H
#define TRIVIUM_TESTS_QUANTIZE_H

#include <stddef.h>
#include <stdint.h>

#include "modeld/formats/gguf.h"

/* n is a whole number of blocks; `bytes` holds n / block_items × block_bytes. Values are finite and, for
 * types with a float16 scale, small enough for it. */
void quantize_row(const tensor_layout *layout, const float *x, size_t n, uint8_t *bytes);

/* d × q and d × q + m, rounded once; of the K types d and m are products, which are exact. */
void dequantize_row(const tensor_layout *layout, const uint8_t *bytes, size_t n, float *x);

#endif
