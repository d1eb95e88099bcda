/* Rows that a samplerd cannot read where they lie: of most of them it is sent only what the first stages leave
 * (proto/draw/cut_row.h), a few hundred bytes in place of four for each id of the vocabulary; of those that it only scores
 * sixteen bytes. */
#ifndef TRIVIUM_MODELD_ROW_CUTTER_H
#define TRIVIUM_MODELD_ROW_CUTTER_H

#include <stdint.h>

#include "modeld/links/samplerd_link.h"
#include "proto/numeric/cpu.h"

enum { CUT_TURN_US = 20000 };

typedef struct row_cutter row_cutter;

/* For rows of at most n_vocab logits; the machine has `best` (cpu_isa). NULL: no memory. */
row_cutter *row_cutter_new(isa best, uint32_t n_vocab);
void row_cutter_free(row_cutter **c); /* NULL is fine */

/* A turn of the loop begins. Rows stay whole once those before them in the turn have taken CUT_TURN_US. */
void row_cutter_turn(row_cutter *c);

/* Where the draw and all that is told of it are the same without the rest of its row, and the message is half as long or
 * shorter, or where rows are only scored: put into the request what is left. It is the cutter's, until its next use. */
void row_cutter_cut(row_cutter *c, sample_request *r);

#endif
