/* One step of a chain, for strategy.c: what it owns, and whether its values are allowed. */
#ifndef TRIVIUM_STAGE_H
#define TRIVIUM_STAGE_H

#include "strategy.h"

void step_clear(step *one);                             /* frees what it owns; zeroed afterwards */
/* `to` is overwritten, not freed. STATUS_NO_MEMORY: it owns nothing. */
status step_copy(step *to, const step *from);

/* STATUS_BAD_REQUEST, with a sentence that names step, value and range. numbers: as many as the step has
 * fields; lists: as in a step. */
status step_check_numbers(step_kind kind, const double *numbers, failure *f);
status step_check_lists(const step_row *row, const int32_t *lists, size_t n_list_ids, failure *f);
/* STATUS_BAD_ID: an id of 0 or more that is not below n_vocab. */
status step_check_ids(const step *one, uint32_t n_vocab, failure *f);

/* Add entries to those that `one` has: in ascending order of id, one an id. Like the next, on failure `one`
 * is as it was. */
status step_add_biases(step *one, const int32_t *ids, const double *biases, size_t n, failure *f);
/* `to` gets the value of `one`, or its biases on top of its own. */
status step_take(step *to, const step *one, failure *f);

bool step_equal(const step *a, const step *b);

#endif
