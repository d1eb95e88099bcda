#include "bench_kv_cache.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench_text.h"
#include "client/cli/ask.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/lab/figure/svg_plot.h"
#include "client/terminal/columns.h"
#include "client/terminal/progress.h"
#include "client/terminal/table.h"
#include "client/terminal/term.h"
#include "kv_figure.h"
#include "kv_times.h"

typedef struct kv_bench {
    const bench_flags *flags;
    client *client;
    char model[NAME_BYTES_MAX + 1];     /* that writes; known once one text was written */
    uint32_t n_ctx;             /* 0: not known yet */
    int32_t *drawn[KV_PATHS];   /* [n_tokens], of one run */
    double *run_ms[KV_PATHS];   /* [n_runs, n_tokens], of one prompt length */
    kv_times times[KV_CACHE_PROMPTS_MAX];
    size_t n_times;
    table *rows;                /* printed as they come */
    kv_figure *figure;          /* NULL: none is wanted */
} kv_bench;

_Static_assert((int)KV_CACHE_PROMPTS_MAX <= (int)SVG_BARS_MAX, "each has a bar");

/* ---- the measurement ---- */

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

/* One prompt, continued with the cache and without it: in turns, so that what slows the machine for a while is
 * no reason why one of them seems slower. */
static status run_measure(kv_bench *b, kv_times *out, uint64_t run, failure *f) {
    const uint64_t n_tokens = b->flags->n_tokens;
    const bench_rules rules = rules_of(b, out->n_prompt, n_tokens);
    bench_text text = {0};
    status st = bench_text_prepare(&text, b->client, &rules, run, f);
    for (kv_path path = 0; st == STATUS_OK && path < KV_PATHS; path++) {
        progress_tell("prompt of %u, %s the cache, run %llu of %llu", out->n_prompt,
                      path == WITH_CACHE ? "with" : "without", (unsigned long long)run + 1,
                      (unsigned long long)b->flags->n_runs);
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

static status prompt_measure(kv_bench *b, uint32_t n_prompt, failure *f) {
    const uint64_t n_tokens = b->flags->n_tokens;
    kv_times *out = &b->times[b->n_times++];
    *out = (kv_times){.n_prompt = n_prompt, .n_tokens = n_tokens, .n_same = n_tokens};
    for (; out->n_runs < b->flags->n_runs && out->n_same == n_tokens; out->n_runs++) {
        status st = run_measure(b, out, out->n_runs, f);
        if (st != STATUS_OK) return st;
    }
    for (kv_path path = 0; path < KV_PATHS; path++) {
        if (kv_times_take(out, path, b->run_ms[path]) != STATUS_OK)
            return fail(f, STATUS_NO_MEMORY, "no memory for the times");
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

static json_t *range_json(const kv_seconds *s) {
    return json_pack("[o, o]", json_number(s->least), json_number(s->most));
}

static int times_json(const kv_times *t) {
    const kv_seconds *with = &t->seconds[WITH_CACHE], *without = &t->seconds[WITHOUT_CACHE];
    return json_print(json_pack("{s: i, s: i, s: i, s: o, s: o, s: o, s: o, s: o, s: b}",
                                "prompt_tokens", (int)t->n_prompt,
                                "tokens", (int)t->n_tokens,
                                "runs", (int)t->n_runs,
                                "with_cache_s", json_number(with->median),
                                "with_cache_range_s", range_json(with),
                                "without_cache_s", json_number(without->median),
                                "without_cache_range_s", range_json(without),
                                "speedup", json_number(kv_times_speedup(t)),
                                "same_text", t->n_same == t->n_tokens));
}

static status table_begin(kv_bench *b, failure *f) {
    static const char *const names[] = {"prompt", "cached, s", "ms/token", "uncached, s", "ms/token", "speed-up",
                                        "spread", "same text"};
    enum { N_COLUMNS = sizeof names / sizeof *names };
    b->rows = table_new(N_COLUMNS);
    if (!b->rows) return fail(f, STATUS_NO_MEMORY, "no memory for a table");
    for (size_t i = 0; i < N_COLUMNS; i++) {
        table_cell(b->rows, "%s", names[i]);
        if (i + 1 < N_COLUMNS) table_align_right(b->rows, i);
    }
    return STATUS_OK;
}

static void row_show(table *to, const kv_times *t) {
    table_cell(to, "%u", t->n_prompt);
    for (kv_path path = 0; path < KV_PATHS; path++) {
        double seconds = t->seconds[path].median;
        table_cell(to, "%.3f", seconds);
        table_cell(to, "%.2f", seconds * 1000 / (double)t->n_tokens);
    }
    table_cell(to, "%.1f×", kv_times_speedup(t));
    if (t->n_runs > 1) table_cell(to, "%.0f%%", 100 * kv_times_spread(t));
    else table_cell(to, "-");
    table_cell(to, "%s", t->n_same == t->n_tokens ? "yes" : "no");
    table_print_new(to, stdout);
}

/* What the times are, since a single one says little. */
static void runs_tell(uint64_t n_runs) {
    char line[160];
    if (n_runs == 1) {
        snprintf(line, sizeof line, "times of a single run: --runs 3 makes them medians");
    } else {
        snprintf(line, sizeof line, "medians of %llu runs; spread: longest less shortest, of the median",
                 (unsigned long long)n_runs);
    }
    columns_print_text(stdout, line, NULL);
}

/* The speed-ups, the largest as long as a bar can be. */
static void bars_show(const kv_bench *b) {
    enum { NAME_CELLS = 8, VALUE_CELLS = 8 };
    size_t n_room = term_room(stdout), n_bar = BAR_CELLS;
    if (n_room < NAME_CELLS + BAR_CELLS + VALUE_CELLS)
        n_bar = n_room > NAME_CELLS + VALUE_CELLS ? n_room - NAME_CELLS - VALUE_CELLS : 0;
    double largest = 0;
    for (size_t i = 0; i < b->n_times; i++) largest = fmax(largest, kv_times_speedup(&b->times[i]));
    columns_print_text(stdout, "\nspeed-up by length of the prompt", NULL);
    for (size_t i = 0; largest > 0 && i < b->n_times; i++) {
        printf("%6u  ", b->times[i].n_prompt);
        term_bar(stdout, kv_times_speedup(&b->times[i]) / largest, n_bar, term_has_colour(stdout));
        printf(" %.1f×\n", kv_times_speedup(&b->times[i]));
    }
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
    }
    for (size_t i = 0; i < b->n_times; i++) kv_times_clear(&b->times[i]);
    table_free(&b->rows);
    kv_figure_free(&b->figure);
    client_close(&b->client);
}

/* Until one fails or its two texts differ. Each is shown as soon as it is known. */
static status prompts_measure(kv_bench *b, failure *f) {
    const bench_numbers *prompts = &b->flags->prompts;
    for (size_t i = 0; i < prompts->n_values; i++) {
        status st = prompt_measure(b, prompts->values[i], f);
        progress_clear();
        if (st != STATUS_OK) return st;
        if (b->flags->common.json) times_json(&b->times[i]);
        else row_show(b->rows, &b->times[i]);
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
    const bool for_people = !b->flags->common.json;
    status st = b->flags->svg ? kv_figure_begin(&b->figure, b->flags->svg, f) : STATUS_OK;
    if (st == STATUS_OK) st = room_make(b, f);
    if (st == STATUS_OK) st = warm_up(b, f);
    if (st == STATUS_OK) st = context_check(b, f);
    if (st == STATUS_OK && for_people) st = table_begin(b, f);
    if (st == STATUS_OK) st = prompts_measure(b, f);
    if (st == STATUS_OK) st = same_check(b, f);
    if (st != STATUS_OK) return st;
    if (for_people) runs_tell(b->flags->n_runs);
    if (for_people) bars_show(b);
    return b->figure ? kv_figure_finish(b->figure, b->model, b->times, b->n_times, f) : STATUS_OK;
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
