/* The ids so far, prompt and generated, and how often each of them occurs.
 *
 * Counting waits until somebody asks: most chains that score or probe never do. */
#ifndef TRIVIUM_HISTORY_H
#define TRIVIUM_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/status.h"

typedef struct history {
    const int32_t *ids;         /* [n_ids], borrowed */
    uint32_t n_ids;
    bool counted;
    uint32_t *counts;           /* [n_vocab], owned; all 0 between two histories */
    int32_t *distinct;          /* [n_distinct], owned: the ids with a count, by first use */
    uint32_t n_distinct;
    uint32_t n_vocab;
} history;

/* Room for ids below n_vocab. A zeroed history is valid. STATUS_NO_MEMORY. */
status history_reserve(history *h, uint32_t n_vocab);
void history_clear(history *h);             /* frees what it owns; zeroed afterwards */

/* From now on these are the ids; each is below n_vocab, and they stay valid until the next ones. */
void history_follow(history *h, const int32_t *ids, uint32_t n_ids);

/* Fill distinct and counts; nothing to do the second time. */
void history_count(history *h);

#endif
