/* A figure as a standalone SVG file: curves on the left, bars on the right. Texts can be selected,
 * and the colours follow the viewer's: light unless it says that it prefers dark. */
#ifndef TRIVIUM_SVG_PLOT_H
#define TRIVIUM_SVG_PLOT_H

#include <stddef.h>
#include <stdio.h>

enum { SVG_SERIES_MAX = 2 };

/* Numbers are finite and not negative. All is borrowed for the call. */
typedef struct svg_point {
    double x, y;
} svg_point;

typedef struct svg_curve {
    const svg_point *points;    /* [n_points]; a single one is a dot */
    size_t n_points;
} svg_curve;

/* Curves of one colour. */
typedef struct svg_series {
    const char *name;
    const svg_curve *curves;    /* [n_curves] */
    size_t n_curves;
} svg_series;

typedef struct svg_bar {
    const char *name;           /* below it */
    double value;
} svg_bar;

/* Any text may be in any name: what XML cannot hold as it is becomes harmless. */
typedef struct svg_plot {
    const char *title, *subtitle, *caption;         /* above and below the panels */
    const char *curves_heading, *curves_x_name;     /* the heading names the unit */
    const svg_series *series;   /* [n_series], at most SVG_SERIES_MAX */
    size_t n_series;
    const char *bars_heading, *bars_x_name;
    const char *bar_unit;       /* after the number on a bar */
    const svg_bar *bars;        /* [n_bars], in the last series' colour */
    size_t n_bars;
} svg_plot;

/* Errors stay in `to`, for ferror. */
void svg_plot_write(const svg_plot *p, FILE *to);

/* An axis from 0 on, as a person would number it. */
typedef struct svg_axis {
    double step;                /* 1, 2 or 5 times a power of ten */
    size_t n_steps;             /* 1 … SVG_STEPS_MAX; n_steps × step ≥ what is shown */
    int n_decimals;             /* that tell the numbers apart */
} svg_axis;

enum { SVG_STEPS_MAX = 8 };
svg_axis svg_axis_to(double max);       /* not above 0: an axis to 1 */

#endif
