/* Figures that one slow moment does not spoil. */
#ifndef TRIVIUM_TEST_PERCENTILE_H
#define TRIVIUM_TEST_PERCENTILE_H

#include <stddef.h>

/* The number below which so many percent of them lie, 50 for the median. numbers: [n], n > 0, sorted here. */
double percentile_of(double *numbers, size_t n, unsigned percent);

#endif
