#include "items.h"

#include <string.h>

size_t items_count(const char *list) {
    size_t n = *list ? 1 : 0;
    for (const char *c = list; *c; c++) n += *c == ',';
    return n;
}

const char *items_next(const char **list, size_t *n_bytes) {
    const char *from = *list + strspn(*list, " "), *end = from + strcspn(from, ",");
    *list = *end ? end + 1 : end;
    while (end > from && end[-1] == ' ') end--;
    *n_bytes = (size_t)(end - from);
    return from;
}

void items_take(const char **list, char out[ITEM_BYTES]) {
    size_t n_bytes;
    const char *item = items_next(list, &n_bytes);
    if (n_bytes >= ITEM_BYTES) n_bytes = 0;
    memcpy(out, item, n_bytes);
    out[n_bytes] = '\0';
}
