#include "bench_kv_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_text.h"
#include "client/cli/ask.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/terminal/table.h"
#include "client/terminal/term.h"
#include "median.h"
#include "client/lab/figure/svg_plot.h"

enum {
    PROGRESS_CELLS = 60,
    CURVE_POINTS_MAX = 100,
    PLOT_CURVES = 3,            /* of each prompt */
    SUBTITLE_BYTES = 2 * NAME_BYTES_MAX,
};

/* Each prompt is continued in both ways. */
typedef enum kv_path { WITH_CACHE, WITHOUT_CACHE, KV_PATHS } kv_path;

/* Of one prompt length: medians over the runs. */
typedef struct kv_times {
    uint32_t n_prompt;
    double seconds[KV_PATHS];   /* of a whole text, its prefill included */
    double *step_ms[KV_PATHS];  /* [n_tokens], owned */
    uint64_t n_same;            /* tokens before the first one that differs; n_tokens: none does */
} kv_times;

typedef struct kv_bench {
    const bench_flags *flags;
    client *client;
    char model[NAME_BYTES_MAX + 1];     /* that writes; known once one text was written */
    uint32_t n_ctx;             /* 0: not known yet */
    int32_t *drawn[KV_PATHS];   /* [n_tokens], of one run */
    double *run_ms[KV_PATHS];   /* [n_runs, n_tokens], of one prompt length */
    kv_times times[KV_CACHE_PROMPTS_MAX];
    size_t n_times;
    char *partial;              /* beside the file that is wanted, until it is whole */
    FILE *svg;
} kv_bench;

/* ---- the measurement ---- */

static void progress_clear(void) {
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\r%*s\r", PROGRESS_CELLS, "");
}

static void progress_run(uint32_t n_prompt, kv_path path, uint64_t run, uint64_t n_runs) {
    if (!isatty(STDERR_FILENO)) return;
    progress_clear();
    fprintf(stderr, "prompt of %u, %s the cache, run %llu of %llu ", n_prompt,
            path == WITH_CACHE ? "with" : "without", (unsigned long long)run + 1,
            (unsigned long long)n_runs);
}

static uint64_t n_equal(const int32_t *a, const int32_t *b, uint64_t n) {
    uint64_t i = 0;
    while (i < n && a[i] == b[i]) i++;
    return i;
}

static bench_rules rules_of(const kv_bench *b, uint32_t n_prompt, uint64_t n_tokens) {
    return (bench_rules){.model = b->flags->model, .pool = b->flags->pool,
                         .chain = &b->flags->chain, .n_prompt = n_prompt,
                         .n_tokens = (uint32_t)n_tokens};
}

/* One prompt, continued with the cache and without it. */
static status run_measure(kv_bench *b, kv_times *out, uint64_t run, failure *f) {
    const uint64_t n_tokens = b->flags->n_tokens;
    const bench_rules rules = rules_of(b, out->n_prompt, n_tokens);
    bench_text text = {0};
    status st = bench_text_prepare(&text, b->client, &rules, run, f);
    for (kv_path path = 0; st == STATUS_OK && path < KV_PATHS; path++) {
        progress_run(out->n_prompt, path, run, b->flags->n_runs);
        text.drawn = b->drawn[path];
        text.step_ms = b->run_ms[path] + run * n_tokens;
        st = bench_text_renew(&text, path == WITHOUT_CACHE, f);
        if (st == STATUS_OK) st = bench_text_run(&text, f);
    }
    bench_text_clear(&text);
    if (st != STATUS_OK) return st;
    out->n_same = n_equal(b->drawn[WITH_CACHE], b->drawn[WITHOUT_CACHE], n_tokens);
    return STATUS_OK;
}

/* What the model's first text costs, such as reading pages of the file for the first time, is no
 * part of either path. It also tells which model that is when none was named. */
static status warm_up(kv_bench *b, failure *f) {
    const bench_rules rules = rules_of(b, 1, 1);
    bench_text text = {0};
    status st = bench_text_prepare(&text, b->client, &rules, 0, f);
    if (st == STATUS_OK) st = bench_text_run(&text, f);
    snprintf(b->model, sizeof b->model, "%s", text.model);
    bench_text_clear(&text);
    return st;
}

static double sum(const double *numbers, uint64_t n) {
    double total = 0;
    for (uint64_t i = 0; i < n; i++) total += numbers[i];
    return total;
}

/* Medians over the n_runs that were done: of each token, and of the whole. */
static status medians_take(kv_times *out, kv_path path, const double *run_ms, uint64_t n_runs,
                           uint64_t n_tokens) {
    buffer numbers = {0};
    status st = STATUS_OK;
    for (uint64_t run = 0; run < n_runs && st == STATUS_OK; run++) {
        st = median_add(&numbers, sum(run_ms + run * n_tokens, n_tokens) / 1000);
    }
    out->seconds[path] = median_of(&numbers);
    for (uint64_t i = 0; i < n_tokens && st == STATUS_OK; i++) {
        buffer_drop(&numbers, numbers.n_bytes);
        for (uint64_t run = 0; run < n_runs && st == STATUS_OK; run++) {
            st = median_add(&numbers, run_ms[run * n_tokens + i]);
        }
        out->step_ms[path][i] = median_of(&numbers);
    }
    buffer_clear(&numbers);
    return st;
}

static status prompt_measure(kv_bench *b, uint32_t n_prompt, failure *f) {
    const uint64_t n_tokens = b->flags->n_tokens;
    kv_times *out = &b->times[b->n_times++];
    *out = (kv_times){.n_prompt = n_prompt, .n_same = n_tokens};
    uint64_t n_runs = 0;
    for (; n_runs < b->flags->n_runs && out->n_same == n_tokens; n_runs++) {
        status st = run_measure(b, out, n_runs, f);
        if (st != STATUS_OK) return st;
    }
    for (kv_path path = 0; path < KV_PATHS; path++) {
        out->step_ms[path] = calloc(n_tokens, sizeof *out->step_ms[path]);
        if (!out->step_ms[path] ||
            medians_take(out, path, b->run_ms[path], n_runs, n_tokens) != STATUS_OK) {
            return fail(f, STATUS_NO_MEMORY, "no memory for the times");
        }
    }
    return STATUS_OK;
}

/* ---- the room in the context ---- */

static void on_status(void *context, const answer *a) {
    kv_bench *b = context;
    const status_report *report = answer_to_status(a);
    for (size_t i = 0; i < report->n_models; i++) {
        const model_summary *m = &report->models[i];
        if (strcmp(m->name, b->model) == 0) b->n_ctx = m->n_ctx;
    }
}

/* Before minutes are spent on shorter prompts. */
static status context_check(kv_bench *b, failure *f) {
    status st = client_ask(b->client, &(question){.kind = ASK_STATUS}, on_status, b, f);
    const bench_numbers *prompts = &b->flags->prompts;
    for (size_t i = 0; st == STATUS_OK && b->n_ctx > 0 && i < prompts->n_values; i++) {
        if (prompts->values[i] + b->flags->n_tokens <= b->n_ctx) continue;
        st = fail(f, STATUS_TOO_LONG,
                  "a prompt of %u and %llu tokens more do not fit the %u tokens of the context of "
                  "%s: ask for less with --prompts or --tokens",
                  prompts->values[i], (unsigned long long)b->flags->n_tokens, b->n_ctx, b->model);
    }
    return st;
}

/* ---- what is shown ---- */

static double speedup(const kv_times *t) {
    return t->seconds[WITH_CACHE] > 0 ? t->seconds[WITHOUT_CACHE] / t->seconds[WITH_CACHE] : 0;
}

static int times_json(const kv_bench *b, const kv_times *t) {
    return json_print(json_pack("{s: i, s: i, s: o, s: o, s: o, s: b}",
                                "prompt_tokens", (int)t->n_prompt,
                                "tokens", (int)b->flags->n_tokens,
                                "with_cache_s", json_number(t->seconds[WITH_CACHE]),
                                "without_cache_s", json_number(t->seconds[WITHOUT_CACHE]),
                                "speedup", json_number(speedup(t)),
                                "same_text", t->n_same == b->flags->n_tokens));
}

static void times_row(table *to, const kv_times *t, uint64_t n_tokens) {
    table_cell(to, "%u", t->n_prompt);
    for (kv_path path = 0; path < KV_PATHS; path++) {
        table_cell(to, "%.3f", t->seconds[path]);
        table_cell(to, "%.2f", t->seconds[path] * 1000 / (double)n_tokens);
    }
    table_cell(to, "%.1f×", speedup(t));
    table_cell(to, "%s", t->n_same == n_tokens ? "yes" : "no");
}

static status table_show(const kv_bench *b, failure *f) {
    static const char *const names[] = {"prompt", "cached, s", "ms/token", "uncached, s",
                                        "ms/token", "speed-up", "same text"};
    enum { N_COLUMNS = sizeof names / sizeof *names };
    table *t = table_new(N_COLUMNS);
    if (!t) return fail(f, STATUS_NO_MEMORY, "no memory for a table");
    for (size_t i = 0; i < N_COLUMNS; i++) {
        table_cell(t, "%s", names[i]);
        if (i + 1 < N_COLUMNS) table_align_right(t, i);
    }
    for (size_t i = 0; i < b->n_times; i++) times_row(t, &b->times[i], b->flags->n_tokens);
    table_print(t, stdout);
    table_free(&t);
    return STATUS_OK;
}

/* The speed-ups, the largest as long as a bar can be. */
static void bars_show(const kv_bench *b) {
    double largest = 0;
    for (size_t i = 0; i < b->n_times; i++) {
        if (speedup(&b->times[i]) > largest) largest = speedup(&b->times[i]);
    }
    puts("\nspeed-up by length of the prompt");
    for (size_t i = 0; largest > 0 && i < b->n_times; i++) {
        printf("%6u  ", b->times[i].n_prompt);
        term_bar(stdout, speedup(&b->times[i]) / largest, BAR_CELLS, term_has_colour(stdout));
        printf(" %.1f×\n", speedup(&b->times[i]));
    }
}

/* ---- the figure ---- */

static status svg_begin(kv_bench *b, failure *f) {
    if (!b->flags->svg) return STATUS_OK;
    if (asprintf(&b->partial, "%s.tmp", b->flags->svg) < 0) {
        b->partial = NULL;
        return fail(f, STATUS_NO_MEMORY, "no memory for a name");
    }
    b->svg = fopen(b->partial, "we");
    if (b->svg) return STATUS_OK;
    fail(f, STATUS_IO, "cannot write %s: %s", b->partial, strerror(errno));
    free(b->partial);           /* not ours: it stays */
    b->partial = NULL;
    return f->code;
}

/* Tokens from `from` to `to` over the length of the text that they were drawn after; of many,
 * several share a point. */
static svg_curve curve_of(const kv_times *t, kv_path path, uint64_t from, uint64_t to,
                          svg_point *points) {
    uint64_t n = to - from, n_points = n < CURVE_POINTS_MAX ? n : CURVE_POINTS_MAX;
    for (uint64_t i = 0; i < n_points; i++) {
        uint64_t first = from + i * n / n_points, end = from + (i + 1) * n / n_points;
        points[i].x = t->n_prompt + (double)(first + end - 1) / 2;
        points[i].y = sum(t->step_ms[path] + first, end - first) / (double)(end - first);
    }
    return (svg_curve){points, (size_t)n_points};
}

static svg_plot plot_of(const char *subtitle, const svg_series *series, const svg_bar *bars,
                        size_t n_bars) {
    return (svg_plot){
        .title = "What the KV-cache saves",
        .subtitle = subtitle,
        .caption = "With the cache only the first token (a dot) computes the whole prompt. Both "
                   "ways write the same text.",
        .curves_heading = "Time of each token, ms",
        .curves_x_name = "tokens before it: prompt and text so far",
        .series = series,
        .n_series = KV_PATHS,
        .bars_heading = "Speed-up of the whole text",
        .bars_x_name = "tokens in the prompt",
        .bar_unit = "×",
        .bars = bars,
        .n_bars = n_bars,
    };
}

/* With the cache the first token stands alone, for its prefill. `points` has room for PLOT_CURVES
 * curves of each prompt. */
static void plot_write(const kv_bench *b, svg_point *points, FILE *to) {
    const uint64_t n_tokens = b->flags->n_tokens;
    svg_curve without[KV_CACHE_PROMPTS_MAX], with[2 * KV_CACHE_PROMPTS_MAX];
    svg_bar bars[KV_CACHE_PROMPTS_MAX];
    char subtitle[SUBTITLE_BYTES], names[KV_CACHE_PROMPTS_MAX][16];
    for (size_t i = 0; i < b->n_times; i++, points += PLOT_CURVES * CURVE_POINTS_MAX) {
        const kv_times *t = &b->times[i];
        svg_point *second = points + CURVE_POINTS_MAX, *third = second + CURVE_POINTS_MAX;
        without[i] = curve_of(t, WITHOUT_CACHE, 0, n_tokens, points);
        with[2 * i] = curve_of(t, WITH_CACHE, 0, 1, second);
        with[2 * i + 1] = curve_of(t, WITH_CACHE, 1, n_tokens, third);
        snprintf(names[i], sizeof names[i], "%u", t->n_prompt);
        bars[i] = (svg_bar){names[i], speedup(t)};
    }
    const svg_series series[] = {{"without cache", without, b->n_times},
                                 {"with cache", with, 2 * b->n_times}};
    snprintf(subtitle, sizeof subtitle, "%s: %llu token%s after each prompt", b->model,
             (unsigned long long)n_tokens, n_tokens == 1 ? "" : "s");
    const svg_plot plot = plot_of(subtitle, series, bars, b->n_times);
    svg_plot_write(&plot, to);
}

/* The file gets its name when it is whole. */
static status svg_end(kv_bench *b, failure *f) {
    if (!b->svg) return STATUS_OK;
    svg_point *points = calloc(b->n_times * PLOT_CURVES * CURVE_POINTS_MAX, sizeof *points);
    if (!points) return fail(f, STATUS_NO_MEMORY, "no memory for a figure");
    plot_write(b, points, b->svg);
    free(points);
    bool whole = !ferror(b->svg);
    whole = fclose(b->svg) == 0 && whole;
    b->svg = NULL;
    if (whole && rename(b->partial, b->flags->svg) == 0) {
        free(b->partial);
        b->partial = NULL;
        return STATUS_OK;
    }
    return fail(f, STATUS_IO, "cannot write %s: %s", b->flags->svg, strerror(errno));
}

/* ---- the whole ---- */

static status room_make(kv_bench *b, failure *f) {
    const size_t n_tokens = b->flags->n_tokens, n_runs = b->flags->n_runs;
    for (kv_path path = 0; path < KV_PATHS; path++) {
        b->drawn[path] = calloc(n_tokens, sizeof *b->drawn[path]);
        b->run_ms[path] = calloc(n_runs * n_tokens, sizeof *b->run_ms[path]);
        if (!b->drawn[path] || !b->run_ms[path]) {
            return fail(f, STATUS_NO_MEMORY, "no memory for the times");
        }
    }
    return STATUS_OK;
}

static void kv_bench_clear(kv_bench *b) {
    for (kv_path path = 0; path < KV_PATHS; path++) {
        free(b->drawn[path]);
        free(b->run_ms[path]);
        for (size_t i = 0; i < b->n_times; i++) free(b->times[i].step_ms[path]);
    }
    if (b->svg) fclose(b->svg);
    if (b->partial) unlink(b->partial);
    free(b->partial);
    client_close(&b->client);
}

/* Until one fails or its two texts differ. JSON is printed as it comes. */
static status prompts_measure(kv_bench *b, failure *f) {
    const bench_numbers *prompts = &b->flags->prompts;
    for (size_t i = 0; i < prompts->n_values; i++) {
        status st = prompt_measure(b, prompts->values[i], f);
        progress_clear();
        if (st != STATUS_OK) return st;
        if (b->flags->common.json) times_json(b, &b->times[i]);
        if (b->times[i].n_same < b->flags->n_tokens) break;
    }
    return STATUS_OK;
}

/* Of the last prompt: no other could follow one whose texts differ. */
static status same_check(const kv_bench *b, failure *f) {
    const kv_times *last = &b->times[b->n_times - 1];
    if (last->n_same == b->flags->n_tokens) return STATUS_OK;
    return fail(f, STATUS_BAD_MESSAGE,
                "after a prompt of %u the texts with and without the KV-cache differ from step "
                "%llu on: please report it",
                last->n_prompt, (unsigned long long)last->n_same);
}

static status kv_bench_run(kv_bench *b, failure *f) {
    status st = svg_begin(b, f);
    if (st == STATUS_OK) st = room_make(b, f);
    if (st == STATUS_OK) st = warm_up(b, f);
    if (st == STATUS_OK) st = context_check(b, f);
    if (st == STATUS_OK) st = prompts_measure(b, f);
    if (st == STATUS_OK && !b->flags->common.json) st = table_show(b, f);
    if (st == STATUS_OK) st = same_check(b, f);
    if (st == STATUS_OK && !b->flags->common.json) bars_show(b);
    return st == STATUS_OK ? svg_end(b, f) : st;
}

int bench_kv_cache(const bench_flags *flags) {
    kv_bench b = {.flags = flags};
    failure f;
    int code = ask_open(&b.client, &flags->common);
    status st = code == EXIT_FINE ? kv_bench_run(&b, &f) : STATUS_OK;
    kv_bench_clear(&b);
    if (st == STATUS_CANCELLED) return EXIT_INTERRUPTED;
    return st == STATUS_OK ? code : outcome_failed(&f);
}
