/* The rows that one pass computes. */
#ifndef TRIVIUM_BATCH_H
#define TRIVIUM_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "kv_cache.h"

/* One row of a batch: this id at this position of this sequence. */
typedef struct batch_row {
    kv_sequence sequence;
    uint32_t pos;
    int32_t id;
    bool wants_logits;
} batch_row;

/* These rows, at most BATCH_ROWS_MAX, are computed: tells the cache so, sequence by sequence. */
void batch_extend(kv_cache *cache, const batch_row *rows, uint32_t n_rows);

#endif
