#include "grow.h"

#include <stdint.h>
#include <stdlib.h>

enum { CAPACITY_FIRST = 16 };

void *grow(void *items, size_t *capacity, size_t n_wanted, size_t item_bytes) {
    if (items && n_wanted <= *capacity) return items;
    size_t n_max = SIZE_MAX / 2 / item_bytes, n = CAPACITY_FIRST;
    if (n_wanted > n_max || *capacity > n_max / 2) return NULL;
    if (n < *capacity * 2) n = *capacity * 2;
    if (n < n_wanted) n = n_wanted;
    void *grown = realloc(items, n * item_bytes);
    if (grown) *capacity = n;
    return grown;
}
