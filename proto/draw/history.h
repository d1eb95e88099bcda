/* The ids so far, prompt and generated: which there are, and how often each of them occurs.
 *
 * Both wait until somebody asks: most chains that score or probe never do, and few ask how often. As a text may be long,
 * which there are is a bit for each id: all bits stay in the nearest cache, and give the ids in the order in which
 * candidates are. */
#ifndef TRIVIUM_HISTORY_H
#define TRIVIUM_HISTORY_H

#include <stdint.h>

#include "proto/base/status.h"

typedef struct history {
    const int32_t *ids;         /* [n_ids], borrowed */
    uint32_t n_ids, n_marked, n_counted;    /* of them */
    uint64_t *marks;            /* [n_words], owned: a bit for each of the first n_marked ids */
    uint32_t *counts;           /* [n_vocab], owned: how often each of the first n_counted ids occurs among them */
    uint32_t n_vocab, n_words;
} history;

/* Room for ids below n_vocab. A zeroed history is valid. STATUS_NO_MEMORY. */
status history_reserve(history *h, uint32_t n_vocab);
void history_clear(history *h);             /* frees what it owns; zeroed afterwards */

/* From now on these are the ids; each is below n_vocab, and they stay valid until the next ones. */
void history_follow(history *h, const int32_t *ids, uint32_t n_ids);

/* They go on: of the same ids, in the same place, there are n_ids now, no fewer than before. */
void history_extend(history *h, uint32_t n_ids);

/* Each id that occurs, once, in ascending order. ids: room for n_vocab. Returns how many they are. */
uint32_t history_list(history *h, uint32_t *ids);

/* Fill counts, of all ids. */
void history_count(history *h);

#endif
