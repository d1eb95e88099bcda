#include "svg_plot.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

#include "svg_axis.h"
#include "svg_text.h"

enum {
    WIDTH = 880,
    HEIGHT = 464,
    MARGIN = 24,
    TITLE_Y = 36,
    SUBTITLE_Y = 58,
    HEADING_Y = 96,
    KEY_Y = 118,                /* which colour is what; what the bars are named by */
    TOP = 138,                  /* of both panels */
    BOTTOM = 372,
    TICK_Y = BOTTOM + 20,
    X_NAME_Y = BOTTOM + 44,
    CAPTION_Y = HEIGHT - 20,
    CURVES_LEFT = 64,
    CURVES_RIGHT = 560,
    BARS_BEGIN = 608,           /* of their names */
    BARS_RIGHT = WIDTH - MARGIN,
    BAR_NAME_MAX = 84,          /* pixels */
    BAR_VALUE = 64,             /* pixels after the longest bar, for its number */
    BAR_ROOM_MAX = 44,          /* from one bar to the next */
    KEY_STROKE = 18,            /* length of a line in the key */
    KEY_DOT = 8,
    GAP = 8,                    /* between a text and what it belongs to */
};

static const double MINOR_RATIO_MAX = 1e4;

/* Without custom properties, which some converters do not know. */
static const char style[] =
    "<style>\n"
    "text{font:13px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#59636e}\n"
    ".title{font-size:18px;font-weight:600}.title,.heading,.value{fill:#1f2328}\n"
    ".heading{font-weight:600}\n"
    ".paper{fill:#fff}.grid{stroke:#e4e7eb}.minor{stroke:#f0f2f4}.base{stroke:#8c959f}\n"
    ".s0,.s1{fill:none;stroke-width:2.2;stroke-linecap:round;stroke-linejoin:round}\n"
    ".s0{stroke:#c2410c}.s1{stroke:#0969da}.bar{fill:#0969da}\n"
    ".dot{stroke:#fff;stroke-width:1.5;stroke-linecap:butt}.s0.dot{fill:#c2410c}.s1.dot{fill:#0969da}\n"
    "@media (prefers-color-scheme:dark){\n"
    "text{fill:#9198a1}.title,.heading,.value{fill:#e6edf3}\n"
    ".paper{fill:#0d1117}.grid{stroke:#2b323c}.minor{stroke:#1a2028}.base{stroke:#656c76}\n"
    ".s0{stroke:#ff8a4c}.s1{stroke:#58a6ff}.bar{fill:#58a6ff}\n"
    ".dot{stroke:#0d1117}.s0.dot{fill:#ff8a4c}.s1.dot{fill:#58a6ff}\n"
    "}\n"
    "</style>\n";

/* ---- curves ---- */

typedef struct curve_axes {
    svg_axis x;
    svg_log_axis y;
} curve_axes;

static double x_of(const curve_axes *in, double x) {
    return CURVES_LEFT + (CURVES_RIGHT - CURVES_LEFT) * svg_axis_place(&in->x, x);
}

static double y_of(const curve_axes *in, double y) {
    return BOTTOM - (BOTTOM - TOP) * svg_log_axis_place(&in->y, y);
}

static curve_axes axes_of(const svg_plot *p) {
    double x_max = 0, y_min = 0, y_max = 0;
    for (size_t i = 0; i < p->n_series; i++) {
        for (size_t k = 0; k < p->series[i].n_curves; k++) {
            const svg_curve *curve = &p->series[i].curves[k];
            for (size_t n = 0; n < curve->n_points; n++) {
                double y = curve->points[n].y;
                x_max = fmax(x_max, curve->points[n].x);
                y_max = fmax(y_max, y);
                if (y > 0 && (y_min <= 0 || y < y_min)) y_min = y;
            }
        }
    }
    return (curve_axes){svg_axis_to(x_max), svg_log_axis_over(y_min, y_max)};
}

static void line_across(double y, const char *class, FILE *to) {
    fprintf(to, "<path class=\"%s\" d=\"M%d,%.1fH%d\"/>\n", class, CURVES_LEFT, y, CURVES_RIGHT);
}

/* Lines without a number between powers of ten: they crowd towards the next one, which is how a logarithmic
 * scale is known. */
static void minor_lines(const curve_axes *in, FILE *to) {
    double begin = in->y.ticks[0], end = in->y.ticks[in->y.n_ticks - 1];
    if (end > begin * MINOR_RATIO_MAX) return;          /* they would be a grey field */
    for (double power = pow(10, floor(log10(begin) + 1e-9)); power < end; power *= 10) {
        for (int digit = 2; digit < 10; digit++) {
            double number = digit * power;
            if (number > begin && number < end) line_across(y_of(in, number), "minor", to);
        }
    }
}

static void axes_write(const svg_plot *p, const curve_axes *in, FILE *to) {
    const int width = CURVES_RIGHT - CURVES_LEFT;
    char number[32];
    svg_text_at(CURVES_LEFT, HEADING_Y, "start", "heading", p->curves_heading, width, to);
    minor_lines(in, to);
    for (size_t i = 0; i < in->y.n_ticks; i++) {
        double y = y_of(in, in->y.ticks[i]);
        line_across(y, i == 0 ? "base" : "grid", to);
        snprintf(number, sizeof number, "%g", in->y.ticks[i]);
        svg_text_at(CURVES_LEFT - GAP, y + 4.5, "end", NULL, number, CURVES_LEFT - GAP, to);
    }
    for (size_t i = 0; i <= in->x.n_steps; i++) {
        double x = in->x.step * (double)i;
        fprintf(to, "<path class=\"base\" d=\"M%.1f,%dv4\"/>\n", x_of(in, x), BOTTOM);
        snprintf(number, sizeof number, "%.*f", in->x.n_decimals, x);
        svg_text_at(x_of(in, x), TICK_Y, "middle", NULL, number, width, to);
    }
    svg_text_at((CURVES_LEFT + CURVES_RIGHT) / 2.0, X_NAME_Y, "middle", NULL, p->curves_x_name, width, to);
}

static void dot_write(double x, double y, size_t series, FILE *to) {
    fprintf(to, "<circle class=\"s%zu dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"/>\n", series, x, y);
}

static void curve_write(const curve_axes *in, const svg_curve *curve, size_t series, FILE *to) {
    fprintf(to, "<path class=\"s%zu\" d=\"", series);
    for (size_t i = 0; i < curve->n_points; i++) {
        fprintf(to, "%c%.1f,%.1f", i == 0 ? 'M' : 'L', x_of(in, curve->points[i].x), y_of(in, curve->points[i].y));
    }
    fputs("\"/>\n", to);
}

/* Dots lie above all curves. */
static void series_write(const svg_plot *p, const curve_axes *in, bool dots, FILE *to) {
    for (size_t i = 0; i < p->n_series; i++) {
        for (size_t k = 0; k < p->series[i].n_curves; k++) {
            const svg_curve *curve = &p->series[i].curves[k];
            if (curve->n_points == 1 && dots) {
                dot_write(x_of(in, curve->points[0].x), y_of(in, curve->points[0].y), i, to);
            } else if (curve->n_points > 1 && !dots) {
                curve_write(in, curve, i, to);
            }
        }
    }
}

/* A name after its sign. Returns where the next one may begin. */
static double key_name(double x, const char *name, FILE *to) {
    svg_text_at(x, KEY_Y, "start", NULL, name, CURVES_RIGHT - x, to);
    return x + svg_text_width(name) + 2 * GAP;
}

static void key_write(const svg_plot *p, FILE *to) {
    double x = CURVES_LEFT;
    for (size_t i = 0; i < p->n_series; i++) {
        const svg_series *series = &p->series[i];
        fprintf(to, "<path class=\"s%zu\" d=\"M%.1f,%.1fh%d\"/>\n", i, x, KEY_Y - 4.5, KEY_STROKE);
        x = key_name(x + KEY_STROKE + GAP, series->name, to);
        if (!series->dots_name) continue;
        dot_write(x + KEY_DOT / 2.0, KEY_Y - 4.5, i, to);
        x = key_name(x + KEY_DOT + GAP, series->dots_name, to);
    }
}

static void curves_write(const svg_plot *p, FILE *to) {
    const curve_axes in = axes_of(p);
    axes_write(p, &in, to);
    series_write(p, &in, false, to);
    series_write(p, &in, true, to);
    key_write(p, to);
}

/* ---- bars ---- */

static void bar_write(const svg_plot *p, const svg_bar *bar, double left, double middle, double length,
                      double thickness, FILE *to) {
    svg_text_at(left - GAP, middle + 4.5, "end", NULL, bar->name, BAR_NAME_MAX, to);
    fprintf(to, "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", left,
            middle - thickness / 2, length, thickness);
    char value[64];
    snprintf(value, sizeof value, "%.*f%s", bar->value < 100 ? 1 : 0, bar->value, p->bar_unit);
    svg_text_at(left + length + GAP, middle + 4.5, "start", "value", value, BAR_VALUE, to);
}

/* Each on a line of its own: names and numbers of any length have room. */
static void bars_write(const svg_plot *p, FILE *to) {
    double longest = 0, name = 0;
    for (size_t i = 0; i < p->n_bars; i++) {
        longest = fmax(longest, p->bars[i].value);
        name = fmax(name, svg_text_width(p->bars[i].name));
    }
    svg_text_at(BARS_BEGIN, HEADING_Y, "start", "heading", p->bars_heading, BARS_RIGHT - BARS_BEGIN, to);
    svg_text_at(BARS_BEGIN, KEY_Y, "start", NULL, p->bars_names, BARS_RIGHT - BARS_BEGIN, to);
    double left = BARS_BEGIN + fmin(name, BAR_NAME_MAX) + GAP;
    double room = p->n_bars > 0 ? fmin((double)(BOTTOM - TOP) / (double)p->n_bars, BAR_ROOM_MAX) : 0;
    for (size_t i = 0; i < p->n_bars; i++) {
        double share = longest > 0 ? p->bars[i].value / longest : 0;
        bar_write(p, &p->bars[i], left, TOP + room * ((double)i + 0.5), share * (BARS_RIGHT - BAR_VALUE - left),
                  room * 0.55, to);
    }
    fprintf(to, "<path class=\"base\" d=\"M%.1f,%dv%.1f\"/>\n", left, TOP, room * (double)p->n_bars);
}

void svg_plot_write(const svg_plot *p, FILE *to) {
    const int width = WIDTH - 2 * MARGIN;
    assert(p->n_series <= SVG_SERIES_MAX && p->n_bars <= SVG_BARS_MAX);
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "role=\"img\">\n<title>",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    svg_text_escaped(p->title, WIDTH, to);
    fputs("</title>\n<desc>", to);
    svg_text_escaped(p->caption, WIDTH, to);
    fprintf(to, "</desc>\n%s", style);
    fprintf(to, "<rect class=\"paper\" width=\"%d\" height=\"%d\" rx=\"8\"/>\n", WIDTH, HEIGHT);
    svg_text_at(MARGIN, TITLE_Y, "start", "title", p->title, width, to);
    svg_text_at(MARGIN, SUBTITLE_Y, "start", NULL, p->subtitle, width, to);
    svg_text_at(MARGIN, CAPTION_Y, "start", NULL, p->caption, width, to);
    curves_write(p, to);
    bars_write(p, to);
    fputs("</svg>\n", to);
}
