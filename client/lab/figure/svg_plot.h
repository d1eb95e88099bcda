/* A figure as a standalone SVG file: curves on a logarithmic scale on the left, bars on the right. Texts can be
 * selected, and the colours follow the viewer's: light unless it says that it prefers dark. */
#ifndef TRIVIUM_SVG_PLOT_H
#define TRIVIUM_SVG_PLOT_H

#include <stddef.h>
#include <stdio.h>

enum { SVG_SERIES_MAX = 2, SVG_BARS_MAX = 8 };

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
    const char *dots_name;      /* what its dots are; NULL: nothing else than its curves */
    const svg_curve *curves;    /* [n_curves] */
    size_t n_curves;
} svg_series;

typedef struct svg_bar {
    const char *name;           /* before it */
    double value;
} svg_bar;

/* Any text may be in any name: what XML cannot hold as it is becomes harmless, and one that is too long for its
 * place is cut with an ellipsis. */
typedef struct svg_plot {
    const char *title, *subtitle, *caption;         /* above and below the panels */
    const char *curves_heading, *curves_x_name;     /* the heading names the unit */
    const svg_series *series;   /* [n_series], at most SVG_SERIES_MAX */
    size_t n_series;
    const char *bars_heading, *bars_names;          /* what the names of the bars are */
    const char *bar_unit;       /* after the number on a bar */
    const svg_bar *bars;        /* [n_bars], at most SVG_BARS_MAX, in the last series' colour */
    size_t n_bars;
} svg_plot;

/* Errors stay in `to`, for ferror. */
void svg_plot_write(const svg_plot *p, FILE *to);

#endif
