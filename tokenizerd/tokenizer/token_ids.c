#include "token_ids.h"

#include "proto/base/grow.h"
#include "proto/base/limits.h"

status token_ids_fit(const token_ids *list, size_t n, failure *f) {
    if (list->n_ids + n <= TOKENIZE_IDS_MAX) return STATUS_OK;
    return fail(f, STATUS_TOO_LONG, "the text has more than %d tokens", (int)TOKENIZE_IDS_MAX);
}

status token_ids_room(token_ids *list, size_t n, failure *f) {
    int32_t *ids = grow(list->ids, &list->capacity, list->n_ids + n, sizeof *ids);
    if (!ids) return fail(f, STATUS_NO_MEMORY, "no memory for %zu ids", list->n_ids + n);
    list->ids = ids;
    return STATUS_OK;
}

status token_ids_add(token_ids *list, int32_t id, failure *f) {
    status st = token_ids_fit(list, 1, f);
    if (st == STATUS_OK) st = token_ids_room(list, 1, f);
    if (st == STATUS_OK) list->ids[list->n_ids++] = id;
    return st;
}
