#include "svg_axis.h"

#include <math.h>

static const double NEARLY = 1e-9;      /* 0.06 / 0.01 is above 6 */

svg_axis svg_axis_to(double max) {
    if (!(max > 0)) max = 1;
    double power = pow(10, floor(log10(max / (SVG_TICKS_MAX - 1))));
    svg_axis axis = {.step = power};
    static const double roundest[] = {1, 2, 5, 10};
    for (size_t i = 0; i < sizeof roundest / sizeof *roundest; i++) {
        axis.step = roundest[i] * power;
        if (axis.step * (SVG_TICKS_MAX - 1) >= max * (1 - NEARLY)) break;
    }
    axis.n_steps = (size_t)ceil(max / axis.step - NEARLY);
    double n_decimals = -floor(log10(axis.step) + NEARLY);      /* 0.2 needs one, 20 none */
    axis.n_decimals = n_decimals > 0 ? (int)n_decimals : 0;
    return axis;
}

double svg_axis_place(const svg_axis *axis, double number) {
    return number / (axis->step * (double)axis->n_steps);
}

/* ---- logarithmic ---- */

/* 1, 2, 5, 10, 20 …: its number in that row is that of 1 plus three for each power of ten. */
static double round_number(long at) {
    static const double digits[] = {1, 2, 5};
    long power = at >= 0 ? at / 3 : -((2 - at) / 3);
    return digits[at - 3 * power] * pow(10, (double)power);
}

/* The last of that row that is not above the number. */
static long round_below(double number) {
    long at = 3 * (long)floor(log10(number) + NEARLY);
    while (round_number(at + 1) <= number * (1 + NEARLY)) at++;
    return at;
}

svg_log_axis svg_log_axis_over(double min, double max) {
    svg_log_axis axis = {.n_ticks = 0};
    if (!(max > 0)) min = 1, max = 10;
    if (!(min > 0) || min > max) min = max;
    long first = round_below(min), last = round_below(max), step = 1;
    if (round_number(last) < max * (1 - NEARLY) || last == first) last++;
    if (last - first >= SVG_TICKS_MAX) {        /* powers of ten; of very many, some */
        first = 3 * (long)floor((double)first / 3);
        last = 3 * (long)ceil((double)last / 3);
        for (step = 3; (last - first) / step >= SVG_TICKS_MAX; step += 3) {}
        last = first + step * ((last - first + step - 1) / step);
    }
    for (long at = first; at <= last; at += step) axis.ticks[axis.n_ticks++] = round_number(at);
    return axis;
}

double svg_log_axis_place(const svg_log_axis *axis, double number) {
    double begin = axis->ticks[0], end = axis->ticks[axis->n_ticks - 1];
    return number > begin ? log(number / begin) / log(end / begin) : 0;
}
