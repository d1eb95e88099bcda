/* Rows that wait for a sampler: retries first, then in turns of owners, so that one with many rows does not keep another's
 * waiting; an owner's own rows stay in the order in which they came. Pure.
 *
 * Each row has a turn: one after that of its owner's row before, but not before the turns that are served already, else
 * whoever had nothing for a while could take all turns that it missed. */
#ifndef TRIVIUM_ROW_QUEUE_H
#define TRIVIUM_ROW_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "sequence.h"

typedef struct row_queue {
    TAILQ_HEAD(row_list, sequence) rows;
    uint64_t served; /* the latest turn of those that left for a sampler */
} row_queue;

void row_queue_init(row_queue *q);
void row_queue_join(row_queue *q, sequence *s, bool in_front); /* it is not there yet */
void row_queue_serve(row_queue *q, sequence *s);               /* its rows leave for a sampler */
void row_queue_leave(row_queue *q, sequence *s);               /* it is not to be served any more; not there: fine */

#endif
