#include "tests/support/percentile.h"

#include <assert.h>
#include <stdlib.h>

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double percentile_of(double *numbers, size_t n, unsigned percent) {
    assert(n > 0 && percent < 100);
    qsort(numbers, n, sizeof *numbers, compare);
    return numbers[n * percent / 100];
}
