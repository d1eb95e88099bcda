#include "svg_plot.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"

enum {
    WIDTH = 880,
    HEIGHT = 444,
    MARGIN = 24,
    TITLE_Y = 36,
    SUBTITLE_Y = 58,
    HEADING_Y = 96,
    TOP = 120,                  /* of both panels */
    BOTTOM = 352,
    TICK_Y = BOTTOM + 20,
    X_NAME_Y = BOTTOM + 44,
    CAPTION_Y = HEIGHT - 20,
    CURVES_LEFT = 64,
    CURVES_RIGHT = 560,
    BARS_LEFT = 632,
    BARS_RIGHT = WIDTH - MARGIN,
    KEY_STROKE = 18,            /* length of a line in the key */
    KEY_GAP = 6,
    LETTER_WIDTH = 7,           /* about, at 13 pixels: whoever shows it brings the font */
};

static const double VALUE_ROOM = 0.07;  /* above the longest bar, of its length, for its number */

/* Without custom properties, which some converters do not know. */
static const char style[] =
    "<style>\n"
    "text{font:13px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#59636e}\n"
    ".title{font-size:18px;font-weight:600}.title,.heading,.value{fill:#1f2328}\n"
    ".heading{font-weight:600}\n"
    ".value{stroke:#fff;stroke-width:4px;paint-order:stroke}\n"  /* grid lines stop at it */
    ".paper{fill:#fff}.grid{stroke:#e4e7eb}.base{stroke:#8c959f}\n"
    ".s0,.s1{fill:none;stroke-width:2.2;stroke-linecap:round;stroke-linejoin:round}\n"
    ".dot{stroke-width:7}\n"
    ".s0{stroke:#c2410c}.s1{stroke:#0969da}.bar{fill:#0969da}\n"
    "@media (prefers-color-scheme:dark){\n"
    "text{fill:#9198a1}.title,.heading,.value{fill:#e6edf3}.value{stroke:#0d1117}\n"
    ".paper{fill:#0d1117}.grid{stroke:#262c36}.base{stroke:#656c76}\n"
    ".s0{stroke:#ff8a4c}.s1{stroke:#58a6ff}.bar{fill:#58a6ff}\n"
    "}\n"
    "</style>\n";

/* ---- numbers to pixels ---- */

svg_axis svg_axis_to(double max) {
    if (!(max > 0)) max = 1;
    double power = pow(10, floor(log10(max / SVG_STEPS_MAX)));
    svg_axis axis = {.step = power};
    static const double roundest[] = {1, 2, 5, 10};
    for (size_t i = 0; i < sizeof roundest / sizeof *roundest; i++) {
        axis.step = roundest[i] * power;
        if (axis.step * SVG_STEPS_MAX >= max * (1 - 1e-9)) break;
    }
    axis.n_steps = (size_t)ceil(max / axis.step - 1e-9);        /* 0.06 / 0.01 is above 6 */
    double n_decimals = -floor(log10(axis.step) + 1e-9);        /* 0.2 needs one, 20 none */
    axis.n_decimals = n_decimals > 0 ? (int)n_decimals : 0;
    return axis;
}

static double axis_end(const svg_axis *axis) {
    return axis->step * (double)axis->n_steps;
}

/* Where a panel's numbers lie. */
typedef struct panel {
    int left, right;
    svg_axis x, y;
} panel;

static double x_of(const panel *in, double x) {
    return in->left + (in->right - in->left) * x / axis_end(&in->x);
}

static double y_of(const panel *in, double y) {
    return BOTTOM - (BOTTOM - TOP) * y / axis_end(&in->y);
}

/* ---- texts ---- */

static void character_write(char c, FILE *to) {
    switch (c) {
    case '&': fputs("&amp;", to); break;
    case '<': fputs("&lt;", to); break;
    case '>': fputs("&gt;", to); break;
    default: fputc((unsigned char)c < ' ' ? ' ' : c, to);       /* XML has no such characters */
    }
}

/* U+FFFE and U+FFFF are well-formed UTF-8, but no characters of XML. */
static bool is_noncharacter(const char *bytes) {
    return memcmp(bytes, "\xef\xbf", 2) == 0 && (uint8_t)bytes[2] >= 0xbe;
}

static void escaped(const char *text, FILE *to) {
    size_t n_bytes;
    char *whole = text_replace_ill_formed((const uint8_t *)text, strlen(text), &n_bytes);
    for (size_t i = 0; whole && i < n_bytes; i++) {
        if (n_bytes - i >= 3 && is_noncharacter(whole + i)) whole[i + 2] = '\xbd';
        character_write(whole[i], to);
    }
    free(whole);
}

static void text_begin(double x, double y, const char *anchor, const char *class, FILE *to) {
    fprintf(to, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"", x, y, anchor);
    if (class) fprintf(to, " class=\"%s\"", class);
    fputc('>', to);
}

static void text_at(double x, double y, const char *anchor, const char *class, const char *text,
                    FILE *to) {
    text_begin(x, y, anchor, class, to);
    escaped(text, to);
    fputs("</text>\n", to);
}

static void number_at(double x, double y, const char *anchor, int n_decimals, double number,
                      FILE *to) {
    text_begin(x, y, anchor, NULL, to);
    fprintf(to, "%.*f</text>\n", n_decimals, number);
}

/* ---- a panel ---- */

static void line_across(const panel *in, double y, const char *class, FILE *to) {
    fprintf(to, "<path class=\"%s\" d=\"M%d,%.1fH%d\"/>\n", class, in->left, y, in->right);
}

static void panel_write(const panel *in, const char *heading, const char *x_name, FILE *to) {
    text_at(in->left, HEADING_Y, "start", "heading", heading, to);
    for (size_t i = 0; i <= in->y.n_steps; i++) {
        double number = in->y.step * (double)i, y = y_of(in, number);
        line_across(in, y, i == 0 ? "base" : "grid", to);
        number_at(in->left - 8, y + 4.5, "end", in->y.n_decimals, number, to);
    }
    text_at((in->left + in->right) / 2.0, X_NAME_Y, "middle", NULL, x_name, to);
}

/* ---- curves ---- */

static void curve_write(const panel *in, const svg_curve *curve, size_t number, FILE *to) {
    if (curve->n_points == 0) return;
    bool is_dot = curve->n_points == 1;         /* its line has no length, but round ends */
    fprintf(to, "<path class=\"s%zu%s\" d=\"", number, is_dot ? " dot" : "");
    for (size_t i = 0; i < curve->n_points; i++) {
        fprintf(to, "%c%.1f,%.1f", i == 0 ? 'M' : 'L', x_of(in, curve->points[i].x),
                y_of(in, curve->points[i].y));
    }
    fputs(is_dot ? "h0\"/>\n" : "\"/>\n", to);
}

/* Which colour is what, ending at the panel's right. */
static void key_write(const panel *in, const svg_plot *p, FILE *to) {
    double right = in->right;
    for (size_t i = p->n_series; i-- > 0;) {
        double left = right - LETTER_WIDTH * (double)strlen(p->series[i].name);
        text_at(left, HEADING_Y, "start", NULL, p->series[i].name, to);
        left -= KEY_GAP + KEY_STROKE;
        fprintf(to, "<path class=\"s%zu\" d=\"M%.1f,%.1fh%d\"/>\n", i, left, HEADING_Y - 4.5,
                KEY_STROKE);
        right = left - 3 * KEY_GAP;
    }
}

static panel curves_panel(const svg_plot *p) {
    double x_max = 0, y_max = 0;
    for (size_t i = 0; i < p->n_series; i++) {
        for (size_t k = 0; k < p->series[i].n_curves; k++) {
            const svg_curve *curve = &p->series[i].curves[k];
            for (size_t n = 0; n < curve->n_points; n++) {
                x_max = fmax(x_max, curve->points[n].x);
                y_max = fmax(y_max, curve->points[n].y);
            }
        }
    }
    return (panel){CURVES_LEFT, CURVES_RIGHT, svg_axis_to(x_max), svg_axis_to(y_max)};
}

static void curves_write(const svg_plot *p, FILE *to) {
    const panel in = curves_panel(p);
    panel_write(&in, p->curves_heading, p->curves_x_name, to);
    for (size_t i = 0; i <= in.x.n_steps; i++) {
        double number = in.x.step * (double)i;
        number_at(x_of(&in, number), TICK_Y, "middle", in.x.n_decimals, number, to);
    }
    for (size_t i = 0; i < p->n_series; i++) {
        for (size_t k = 0; k < p->series[i].n_curves; k++) {
            curve_write(&in, &p->series[i].curves[k], i, to);
        }
    }
    key_write(&in, p, to);
}

/* ---- bars ---- */

static void bar_write(const panel *in, const svg_bar *bar, const char *unit, double middle,
                      double width, FILE *to) {
    double top = y_of(in, bar->value);
    fprintf(to, "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
            middle - width / 2, top, width, BOTTOM - top);
    text_begin(middle, top - 7, "middle", "value", to);
    fprintf(to, "%.*f", bar->value < 100 ? 1 : 0, bar->value);
    escaped(unit, to);
    fputs("</text>\n", to);
    text_at(middle, TICK_Y, "middle", NULL, bar->name, to);
}

static void bars_write(const svg_plot *p, FILE *to) {
    double max = 0;
    for (size_t i = 0; i < p->n_bars; i++) max = fmax(max, p->bars[i].value);
    const panel in = {.left = BARS_LEFT, .right = BARS_RIGHT,
                      .y = svg_axis_to(max * (1 + VALUE_ROOM))};
    panel_write(&in, p->bars_heading, p->bars_x_name, to);
    double room = (double)(in.right - in.left) / (double)(p->n_bars > 0 ? p->n_bars : 1);
    double width = fmin(room * 0.6, 44);
    for (size_t i = 0; i < p->n_bars; i++) {
        bar_write(&in, &p->bars[i], p->bar_unit, in.left + room * ((double)i + 0.5), width, to);
    }
}

void svg_plot_write(const svg_plot *p, FILE *to) {
    assert(p->n_series <= SVG_SERIES_MAX);
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\" role=\"img\">\n<title>",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    escaped(p->title, to);
    fputs("</title>\n<desc>", to);
    escaped(p->caption, to);
    fprintf(to, "</desc>\n%s", style);
    fprintf(to, "<rect class=\"paper\" width=\"%d\" height=\"%d\" rx=\"8\"/>\n", WIDTH, HEIGHT);
    text_at(MARGIN, TITLE_Y, "start", "title", p->title, to);
    text_at(MARGIN, SUBTITLE_Y, "start", NULL, p->subtitle, to);
    text_at(MARGIN, CAPTION_Y, "start", NULL, p->caption, to);
    curves_write(p, to);
    bars_write(p, to);
    fputs("</svg>\n", to);
}
