#include "row_queue.h"

void row_queue_init(row_queue *q) {
    TAILQ_INIT(&q->rows);
    q->served = 0;
}

static uint64_t max_u64(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* With one owner alone each turn is after all others, and the row goes to the end. */
static void join_in_turn(row_queue *q, sequence *s) {
    s->sending.turn = s->owner->last_row_turn = max_u64(q->served, s->owner->last_row_turn) + 1;
    sequence *before = TAILQ_LAST(&q->rows, row_list);
    while (before && before->sending.turn > s->sending.turn) before = TAILQ_PREV(before, row_list, sending.queue_link);
    if (before) TAILQ_INSERT_AFTER(&q->rows, before, s, sending.queue_link);
    else TAILQ_INSERT_HEAD(&q->rows, s, sending.queue_link);
}

void row_queue_join(row_queue *q, sequence *s, bool in_front) {
    s->sending.in_queue = true;
    if (!in_front) {
        join_in_turn(q, s);
        return;
    }
    s->sending.turn = 0;
    TAILQ_INSERT_HEAD(&q->rows, s, sending.queue_link);
}

void row_queue_leave(row_queue *q, sequence *s) {
    if (s->sending.in_queue) TAILQ_REMOVE(&q->rows, s, sending.queue_link);
    s->sending.in_queue = false;
}

void row_queue_serve(row_queue *q, sequence *s) {
    row_queue_leave(q, s);
    q->served = max_u64(q->served, s->sending.turn);
}
