#include "kv_figure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lab/figure/svg_plot.h"
#include "median.h"
#include "proto/base/limits.h"
#include "proto/base/process/whole_file.h"

enum {
    CURVE_POINTS_MAX = 100,
    NEAREST = 2,                /* tokens on each side */
    PROMPT_CURVES = 3,          /* of each prompt */
    SUBTITLE_BYTES = 2 * NAME_BYTES_MAX,
};

struct kv_figure {
    whole_file *file;
};

status kv_figure_begin(kv_figure **out, const char *path, failure *f) {
    kv_figure *figure = calloc(1, sizeof *figure);
    *out = figure;
    return figure ? whole_file_begin(&figure->file, path, f) : fail(f, STATUS_NO_MEMORY, "no memory for a figure");
}

void kv_figure_free(kv_figure **figure) {
    if (!*figure) return;
    whole_file_drop(&(*figure)->file);
    free(*figure);
    *figure = NULL;
}

/* ---- curves ---- */

static double median_step(const double *step_ms, uint64_t n, failure *f) {
    buffer numbers = {0};
    for (uint64_t i = 0; i < n; i++) {
        if (median_add(&numbers, step_ms[i]) != STATUS_OK) fail(f, STATUS_NO_MEMORY, "no memory for a figure");
    }
    double median = median_of(&numbers);
    buffer_clear(&numbers);
    return median;
}

/* Tokens from `from` to the last over the length of the text that they were drawn after; of many, several share
 * a point. A point is the median of its tokens and their nearest: a client that was held up gets the next one
 * in no time, which on a logarithmic scale is a spike of its own. `points` has room for CURVE_POINTS_MAX. */
static svg_curve curve_of(const kv_times *t, kv_path path, uint64_t from, uint64_t to, svg_point *points,
                          failure *f) {
    uint64_t n = to - from, n_points = n < CURVE_POINTS_MAX ? n : CURVE_POINTS_MAX;
    for (uint64_t i = 0; i < n_points; i++) {
        uint64_t first = from + i * n / n_points, end = from + (i + 1) * n / n_points;
        points[i].x = t->n_prompt + (double)(first + end - 1) / 2;
        first = first > from + NEAREST ? first - NEAREST : from;
        end = to > end + NEAREST ? end + NEAREST : to;
        points[i].y = median_step(t->step_ms[path] + first, end - first, f);
    }
    return (svg_curve){points, (size_t)n_points};
}

static svg_plot plot_of(const char *subtitle, const svg_series *series, const svg_bar *bars, size_t n_bars) {
    return (svg_plot){
        .title = "What the KV-cache saves",
        .subtitle = subtitle,
        .caption = "Without the cache each token computes all before it, with it only the first one does. The texts "
                   "are the same.",
        .curves_heading = "Time of each token, ms (logarithmic scale)",
        .curves_x_name = "tokens before it: prompt and text so far",
        .series = series,
        .n_series = KV_PATHS,
        .bars_heading = "Speed-up of the whole text",
        .bars_names = "by tokens in the prompt",
        .bar_unit = "×",
        .bars = bars,
        .n_bars = n_bars,
    };
}

static void subtitle_of(char *out, const char *model, const kv_times *t) {
    char runs[64] = "";
    if (t->n_runs > 1) snprintf(runs, sizeof runs, " of %llu runs,", (unsigned long long)t->n_runs);
    snprintf(out, SUBTITLE_BYTES, "%s: %llu token%s after each prompt; medians%s of %d tokens in a row", model,
             (unsigned long long)t->n_tokens, t->n_tokens == 1 ? "" : "s", runs, 2 * NEAREST + 1);
}

/* With the cache the first token stands alone, for its prefill. `points` has room for PROMPT_CURVES curves of
 * each prompt. */
static void plot_write(const char *model, const kv_times *times, size_t n_times, svg_point *points, FILE *to,
                       failure *f) {
    svg_curve without[SVG_BARS_MAX], with[2 * SVG_BARS_MAX];
    svg_bar bars[SVG_BARS_MAX];
    char subtitle[SUBTITLE_BYTES], names[SVG_BARS_MAX][16];
    for (size_t i = 0; i < n_times; i++, points += PROMPT_CURVES * CURVE_POINTS_MAX) {
        const kv_times *t = &times[i];
        svg_point *second = points + CURVE_POINTS_MAX, *third = second + CURVE_POINTS_MAX;
        without[i] = curve_of(t, WITHOUT_CACHE, 0, t->n_tokens, points, f);
        with[2 * i] = curve_of(t, WITH_CACHE, 0, 1, second, f);
        with[2 * i + 1] = curve_of(t, WITH_CACHE, 1, t->n_tokens, third, f);
        snprintf(names[i], sizeof names[i], "%u", t->n_prompt);
        bars[i] = (svg_bar){names[i], kv_times_speedup(t)};
    }
    const svg_series series[] = {
        {.name = "without cache", .curves = without, .n_curves = n_times},
        {.name = "with cache", .dots_name = "its first token: the prompt", .curves = with,
         .n_curves = 2 * n_times},
    };
    subtitle_of(subtitle, model, &times[0]);
    const svg_plot plot = plot_of(subtitle, series, bars, n_times);
    svg_plot_write(&plot, to);
}

status kv_figure_finish(kv_figure *figure, const char *model, const kv_times *times, size_t n_times, failure *f) {
    svg_point *points = calloc(n_times * PROMPT_CURVES * CURVE_POINTS_MAX, sizeof *points);
    if (!points) return fail(f, STATUS_NO_MEMORY, "no memory for a figure");
    f->code = STATUS_OK;
    plot_write(model, times, n_times, points, whole_file_stream(figure->file), f);
    free(points);
    return f->code == STATUS_OK ? whole_file_finish(&figure->file, f) : f->code;
}
