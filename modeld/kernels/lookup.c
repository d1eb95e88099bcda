#include "lookup.h"

#include <assert.h>

void lookup_row(const lookup *l, uint32_t row, float *y) {
    assert(row < l->n_rows);
    row_to_float(y, l->type, l->rows + row * l->row_bytes, l->n_items);
}
