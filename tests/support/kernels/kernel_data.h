/* What the tests of kernels feed them: random numbers, extreme ones among them, and matrices of every type.
 * All lies on the heap in exactly the size that is asked for, so that AddressSanitizer sees a read or write
 * beyond it; whoever asks frees. */
#ifndef TRIVIUM_TESTS_KERNEL_DATA_H
#define TRIVIUM_TESTS_KERNEL_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "modeld/kernels/kernels.h"

typedef enum data_mode {
    ORDINARY,                   /* −8 … 8 */
    EXTREME,                    /* some are infinite, NaN, denormal, or where exponentials end */
} data_mode;

enum { N_INT8_TYPES = 8, N_FLOAT_TYPES = 3 };
extern const tensor_type INT8_TYPES[N_INT8_TYPES];
extern const tensor_type FLOAT_TYPES[N_FLOAT_TYPES];

uint32_t random_below(uint32_t n);
float *random_floats(size_t n, data_mode m);
void *copy_of(const void *bytes, size_t n_bytes);

/* Equal bits; any NaN equals any NaN, since it is left open which operand's payload survives. */
bool same_bits(const float *a, const float *b, size_t n);

/* Where a file's block of this quantized type has its scale. */
size_t scale_at(tensor_type type);

/* The rows of a tensor as a file holds them; n_inputs: whole blocks of the type. */
uint8_t *random_rows(tensor_type type, uint32_t n_outputs, uint32_t n_inputs, data_mode m);

typedef struct packed {
    matrix m;
    uint8_t *rows, *panels;     /* owned */
} packed;

packed pack_rows(tensor_type type, uint32_t n_outputs, uint32_t n_inputs, uint8_t *rows);   /* takes rows */
packed random_matrix(tensor_type type, uint32_t n_outputs, uint32_t n_inputs, data_mode m);
void packed_free(packed *p);

/* x: [n_blocks · 32], as int8 by the plain C kernels. */
int8_block *quantized(const float *x, uint32_t n_blocks);

#endif
