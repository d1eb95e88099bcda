/* A row of logits after the first stages of its strategy: what they left of it, which as a rule is little. Whoever has
 * the row runs these stages, chain_cut; whoever draws begins with the next one, and draws the same, to the bit.
 *
 * As bytes, of n_left candidates in ascending order of ids: their ids (int32), their logits as they came (float32), their
 * logits after those stages (float64), one array after the other. */
#ifndef TRIVIUM_CUT_ROW_H
#define TRIVIUM_CUT_ROW_H

#include <stdint.h>

#include "proto/base/status.h"

enum { CUT_ROW_BYTES = sizeof(int32_t) + sizeof(float) + sizeof(double) };     /* a candidate */

/* What the raw log-probability of one id takes of its row. As bytes, the same. */
typedef struct scored_row {
    uint64_t raw_total;         /* of the row as it came: the sum of all weights, */
    float raw_max;              /* the largest logit, */
    float raw;                  /* and that of the id; -inf, too, and where there is no id */
} scored_row;
_Static_assert(sizeof(scored_row) == sizeof(uint64_t) + 2 * sizeof(float), "without gaps");

typedef struct cut_row {
    uint32_t n_stages;          /* that are done */
    uint32_t n_left;            /* at least one */
    const int32_t *ids;         /* [n_left] */
    const float *raw;           /* [n_left], as they came; NULL until they are gathered from the row */
    const double *logits;       /* [n_left], after those stages; finite */
    float raw_max;              /* the largest logit of the row as it came, */
    uint64_t raw_total;         /* and the sum of all weights */
} cut_row;

/* Write its arrays into bytes [CUT_ROW_BYTES · n_left]; those of `raw` come from the whole row. */
void cut_row_pack(const cut_row *row, const float *whole, void *bytes);
/* Its arrays lie in bytes [CUT_ROW_BYTES · n_left], which are aligned for a double and borrowed. */
void cut_row_point(cut_row *row, const void *bytes);

/* What chain_cut may have left of a row of n_vocab logits: STATUS_BAD_ID where an id is outside it,
 * STATUS_BAD_MESSAGE for anything else. There are n_left items in each array. */
status cut_row_check(const cut_row *row, uint32_t n_vocab, failure *f);

/* What chain_score may have made of a row of n_vocab logits, or else STATUS_BAD_MESSAGE. */
status scored_row_check(const scored_row *row, uint32_t n_vocab, failure *f);

/* The raw logit of candidate `id`, which must be one. */
float cut_row_raw(const cut_row *row, int32_t id);

#endif
