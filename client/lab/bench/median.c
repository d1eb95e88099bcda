#include "median.h"

#include <stdlib.h>

status median_add(buffer *numbers, double number) {
    return buffer_add(numbers, &number, sizeof number);
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double median_of(buffer *numbers) {
    double *sorted = (double *)(void *)numbers->bytes;
    size_t n = numbers->n_bytes / sizeof *sorted;
    if (n == 0) return 0;
    qsort(sorted, n, sizeof *sorted, compare);
    return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}
