/* One stage of a chain, for strategy.c: what it owns, and whether its values are allowed. */
#ifndef TRIVIUM_STAGE_H
#define TRIVIUM_STAGE_H

#include "strategy.h"

void stage_clear(stage *one);                           /* frees what it owns; zeroed afterwards */
/* `to` is overwritten, not freed. STATUS_NO_MEMORY: it owns nothing. */
status stage_copy(stage *to, const stage *from);

/* STATUS_BAD_REQUEST, with a sentence that names stage, value and range. numbers: as many as the stage has
 * fields; lists: as in a stage. */
status stage_check_numbers(stage_kind kind, const double *numbers, failure *f);
status stage_check_lists(const stage_row *row, const int32_t *lists, size_t n_list_ids, failure *f);
/* STATUS_BAD_ID: an id of 0 or more that is not below n_vocab. */
status stage_check_ids(const stage *one, uint32_t n_vocab, failure *f);

/* Add entries to those that `one` has: in ascending order of id, one an id. Like the next, on failure `one`
 * is as it was. */
status stage_add_biases(stage *one, const int32_t *ids, const double *biases, size_t n, failure *f);
/* `to` gets the value of `one`, or its biases on top of its own. */
status stage_take(stage *to, const stage *one, failure *f);

bool stage_equal(const stage *a, const stage *b);

#endif
