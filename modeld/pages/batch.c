#include "batch.h"

#include <assert.h>

#include "proto/base/limits.h"

void batch_extend(kv_cache *cache, const batch_row *rows, uint32_t n_rows) {
    int32_t ids[BATCH_ROWS_MAX];
    assert(n_rows <= BATCH_ROWS_MAX);
    for (uint32_t first = 0, end; first < n_rows; first = end) {
        uint32_t n = 0;
        for (end = first; end < n_rows && rows[end].sequence == rows[first].sequence; end++)
            ids[n++] = rows[end].id;
        kv_cache_extend(cache, rows[first].sequence, ids, n);
    }
}
