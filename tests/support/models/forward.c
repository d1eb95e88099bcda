#include "forward.h"

#include <assert.h>

#include "proto/base/limits.h"

void forward(model *m, kv_cache *cache, const batch_row *rows, uint32_t n_rows, float *logits) {
    float *places[BATCH_ROWS_MAX];
    uint32_t n_wanted = 0;
    assert(n_rows <= BATCH_ROWS_MAX);
    for (uint32_t i = 0; i < n_rows; i++)
        if (rows[i].wants_logits) places[n_wanted] = logits + n_wanted * (size_t)model_shape_of(m)->n_vocab, n_wanted++;
    model_forward(m, cache, rows, n_rows, places);
    batch_extend(cache, rows, n_rows);
}
