/* Memory for arrays that grow as their items come. */
#ifndef TRIVIUM_GROW_H
#define TRIVIUM_GROW_H

#include <stddef.h>

/* Room for at least n_wanted items of item_bytes each; `items` (NULL: none yet) has room for *capacity. Where
 * that is too little it is reallocated for more than is wanted, so that adding n items one by one takes time
 * in proportion to n. Returns the array, which may have moved and is freed with free(), and sets *capacity.
 * NULL: no memory; then `items` and *capacity stay as they are. */
void *grow(void *items, size_t *capacity, size_t n_wanted, size_t item_bytes);

#endif
