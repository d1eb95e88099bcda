/* What a flag's value has between its commas, as 5,3,2. */
#ifndef TRIVIUM_ITEMS_H
#define TRIVIUM_ITEMS_H

#include <stddef.h>

enum { ITEM_BYTES = 512 };

/* One more than there are commas; 0 of an empty list. */
size_t items_count(const char *list);

/* The next one, without the blanks around it: *n_bytes of what is returned, which `list` owns. Moves
 * *list past its comma. */
const char *items_next(const char **list, size_t *n_bytes);

/* The same as a text of its own; "" for one that is too long for it, which is no number either. */
void items_take(const char **list, char out[ITEM_BYTES]);

#endif
