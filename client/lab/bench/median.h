/* Figures that one slow moment does not spoil. */
#ifndef TRIVIUM_MEDIAN_H
#define TRIVIUM_MEDIAN_H

#include "proto/base/buffer.h"

/* One number more. STATUS_NO_MEMORY. */
status median_add(buffer *numbers, double number);

/* The median of those that were added, sorted here; the mean of the two in the middle when they are
 * even in number, 0 for none. */
double median_of(buffer *numbers);

#endif
