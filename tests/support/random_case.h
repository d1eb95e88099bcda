/* Random rows of logits and numbers for stages, the same ones after each case_begin of the same seed. */
#ifndef TRIVIUM_RANDOM_CASE_H
#define TRIVIUM_RANDOM_CASE_H

#include <stdint.h>

void case_begin(uint64_t seed);
uint32_t case_below(uint32_t n);
double case_unit(void);       /* above 0, below 1 */
double case_share(void);      /* the same; every third is a decimal as people type it, which rows of many ties meet exactly */
uint64_t case_seed(void);     /* for a draw */

/* Some rows are smooth, some coarse (many ties), some all equal, some of wild magnitudes, some have -inf in them. */
enum { CASE_MANNERS = 5 };
float case_logit(uint32_t manner);
void case_row(float *logits, uint32_t width); /* in any manner; one logit is finite at least */

#endif
