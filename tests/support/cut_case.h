/* A row after its first stages: what is drawn from it is what is drawn from all of the row, to the bit. */
#ifndef TRIVIUM_CUT_CASE_H
#define TRIVIUM_CUT_CASE_H

#include <stdint.h>

#include "proto/draw/chain.h"

/* Cut the row of `job`, which draws, wherever its stages leave fewer candidates, take it through its bytes, draw, and
 * compare with what came of the whole row. Returns at how many places it was cut. */
uint32_t cut_case_check_by(chain *cutter, chain *drawer, const sample_job *job, status st, const sample_result *whole);
/* The same by the best instructions that this machine has, and drawn by the plain ones. */
uint32_t cut_case_check(const sample_job *job, status st, const sample_result *whole);

#endif
