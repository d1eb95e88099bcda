#include "history.h"

#include <assert.h>
#include <stdlib.h>

status history_reserve(history *h, uint32_t n_vocab) {
    if (n_vocab <= h->n_vocab) return STATUS_OK;
    history_clear(h);
    h->counts = calloc(n_vocab, sizeof *h->counts);
    h->distinct = malloc(n_vocab * sizeof *h->distinct);
    if (!h->counts || !h->distinct) {
        history_clear(h);
        return STATUS_NO_MEMORY;
    }
    h->n_vocab = n_vocab;
    return STATUS_OK;
}

void history_clear(history *h) {
    free(h->counts);
    free(h->distinct);
    *h = (history){0};
}

void history_follow(history *h, const int32_t *ids, uint32_t n_ids) {
    for (uint32_t i = 0; i < h->n_distinct; i++) h->counts[h->distinct[i]] = 0;
    h->n_distinct = 0;
    h->ids = ids;
    h->n_ids = n_ids;
    h->counted = false;
}

void history_count(history *h) {
    if (h->counted) return;
    for (uint32_t i = 0; i < h->n_ids; i++) {
        int32_t id = h->ids[i];
        assert(id >= 0 && (uint32_t)id < h->n_vocab);
        if (h->counts[id]++ == 0) h->distinct[h->n_distinct++] = id;
    }
    h->counted = true;
}
