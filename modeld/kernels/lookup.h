/* A table of rows, such as an embedding. */
#ifndef TRIVIUM_LOOKUP_H
#define TRIVIUM_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#include "pack.h"

/* Rows that are looked up one by one, as they lie in the file. */
typedef struct lookup {
    tensor_type type;
    uint32_t n_rows, n_items;
    size_t row_bytes;
    const uint8_t *rows;
} lookup;

/* y[n_items] = row `row` < n_rows, as float32. */
void lookup_row(const lookup *l, uint32_t row, float *y);

#endif
