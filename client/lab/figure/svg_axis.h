/* Axes as a person would number them. */
#ifndef TRIVIUM_SVG_AXIS_H
#define TRIVIUM_SVG_AXIS_H

#include <stddef.h>

enum { SVG_TICKS_MAX = 9 };

/* From 0 on, in steps that are equal. */
typedef struct svg_axis {
    double step;                /* 1, 2 or 5 times a power of ten */
    size_t n_steps;             /* 1 … SVG_TICKS_MAX - 1; n_steps × step ≥ what is shown */
    int n_decimals;             /* that tell the numbers apart */
} svg_axis;

svg_axis svg_axis_to(double max);       /* not above 0: an axis to 1 */
double svg_axis_place(const svg_axis *axis, double number);     /* 0 at its begin, 1 at its end */

/* Logarithmic: equal distances are equal ratios. */
typedef struct svg_log_axis {
    double ticks[SVG_TICKS_MAX];    /* [n_ticks], 1, 2 or 5 times a power of ten, or powers of ten alone; the
                                     * first and the last are its ends */
    size_t n_ticks;             /* 2 at least */
} svg_log_axis;

/* Holds all from min to max. What is not above 0 has no logarithm: without a range an axis from 1 to 10. */
svg_log_axis svg_log_axis_over(double min, double max);
double svg_log_axis_place(const svg_log_axis *axis, double number);     /* as above; below its begin: 0 */

#endif
