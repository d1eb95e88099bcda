#include "bench_pipeline.h"

#include "bench_clients.h"
#include "client/cli/ask.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/terminal/columns.h"
#include "client/terminal/progress.h"
#include "client/terminal/table.h"
#include "client/terminal/term.h"
#include "median.h"

enum { DECODE_PROMPT_IDS = 32 };        /* before a text that is timed */

/* ---- what is shown ---- */

typedef struct figure {
    const char *name;           /* in a table */
    double value;
    int n_decimals;
    const char *unit;
} figure;

/* A terminal that is narrower than the table gets each figure below its name. */
static void figures_narrow(const figure *figures, size_t n) {
    for (size_t i = 0; i < n; i++)
        printf("%s\n  %.*f %s\n", figures[i].name, figures[i].n_decimals, figures[i].value, figures[i].unit);
}

static void figures_print(const figure *figures, size_t n, table *t) {
    table_align_right(t, 1);
    for (size_t i = 0; i < n; i++) {
        table_cell(t, "%s", figures[i].name);
        table_cell(t, "%.*f", figures[i].n_decimals, figures[i].value);
        table_cell(t, "%s", figures[i].unit);
    }
    table_print(t, stdout);
}

/* `remark`: what the figures are medians of. */
static int figures_show(const figure *figures, size_t n, const char *remark) {
    enum { TABLE_CELLS = 40 };
    table *t = table_new(3);
    if (!t) return EXIT_FAILED;
    if (term_room(stdout) < TABLE_CELLS) figures_narrow(figures, n);
    else figures_print(figures, n, t);
    table_free(&t);
    columns_print_text(stdout, remark, NULL);
    return EXIT_FINE;
}

static double per_second(double n, double ms) {
    return ms > 0 ? n * 1000 / ms : 0;
}

/* "medians of 3 runs, from 270 to 300 ms". `numbers` are sorted: their median was taken. */
static void runs_tell(char *out, size_t n_out, const buffer *numbers, const char *unit) {
    const double *sorted = (const double *)(const void *)numbers->bytes;
    size_t n = numbers->n_bytes / sizeof *sorted;
    if (n == 1) snprintf(out, n_out, "of a single run");
    else snprintf(out, n_out, "medians of %zu runs, from %.1f to %.1f %s", n, sorted[0], sorted[n - 1], unit);
}

/* ---- one client ---- */

/* One text on a client that is open; `ttft_ms` gets the time to its first token. */
static status text_time(client *c, const bench_rules *rules, uint64_t seed, buffer *times,
                        buffer *ttft_ms, failure *f) {
    bench_text text = {.times = times};
    status st = bench_text_prepare(&text, c, rules, seed, f);
    if (st == STATUS_OK) st = bench_text_run(&text, f);
    if (st == STATUS_OK &&
        median_add(ttft_ms, (double)(text.first_us - text.sent_us) / 1000) != STATUS_OK) {
        st = fail(f, STATUS_NO_MEMORY, "no memory for the times");
    }
    bench_text_clear(&text);
    return st;
}

static int texts_time(const bench_flags *flags, const bench_rules *rules, buffer *times,
                      buffer *ttft_ms) {
    client *c = NULL;
    int code = ask_open(&c, &flags->common);
    failure f;
    status st = STATUS_OK;
    for (uint64_t run = 0; code == EXIT_FINE && st == STATUS_OK && run < flags->n_runs; run++) {
        progress_tell("run %llu of %llu", (unsigned long long)run + 1, (unsigned long long)flags->n_runs);
        st = text_time(c, rules, run, times, ttft_ms, &f);
    }
    progress_clear();
    client_close(&c);
    if (st == STATUS_CANCELLED) return EXIT_INTERRUPTED;
    return st == STATUS_OK ? code : outcome_failed(&f);
}

static bench_rules rules_of(const bench_flags *flags, uint32_t n_prompt, uint32_t n_tokens) {
    return (bench_rules){.model = flags->model, .pool = flags->pool, .chain = &flags->chain,
                         .n_prompt = n_prompt, .n_tokens = n_tokens};
}

static int decode_show(const bench_flags *flags, buffer times[TOKEN_TIMES]) {
    double tokens_per_s = per_second(1, median_of(&times[TIME_INTERVAL]));
    double forward_ms = median_of(&times[TIME_FORWARD]);
    double hop_ms = median_of(&times[TIME_HOP]), sample_ms = median_of(&times[TIME_SAMPLE]);
    if (flags->common.json) {
        return json_print(json_pack("{s: o, s: o, s: o, s: o}",
                                    "decode_tok_s", json_number(tokens_per_s),
                                    "forward_ms", json_number(forward_ms),
                                    "hop_ms", json_number(hop_ms),
                                    "sample_ms", json_number(sample_ms)));
    }
    const figure figures[] = {
        {"decode", tokens_per_s, 1, "tok/s"},
        {"forward pass", forward_ms, 3, "ms a token"},
        {"between processes", hop_ms, 3, "ms a token"},
        {"sampling", sample_ms, 3, "ms a token"},
    };
    char remark[80];
    snprintf(remark, sizeof remark, "medians of %zu tokens", times[TIME_INTERVAL].n_bytes / sizeof(double));
    return figures_show(figures, sizeof figures / sizeof *figures, remark);
}

int bench_pipeline_decode(const bench_flags *flags) {
    const bench_rules rules = rules_of(flags, DECODE_PROMPT_IDS, (uint32_t)flags->n_tokens);
    buffer times[TOKEN_TIMES] = {0}, ttft_ms = {0};
    int code = texts_time(flags, &rules, times, &ttft_ms);
    if (code == EXIT_FINE) code = decode_show(flags, times);
    for (int k = 0; k < TOKEN_TIMES; k++) buffer_clear(&times[k]);
    buffer_clear(&ttft_ms);
    return code;
}

static int prefill_show(const bench_flags *flags, buffer *times_ms) {
    double ttft_ms = median_of(times_ms);
    double tokens_per_s = per_second((double)flags->n_tokens, ttft_ms);
    if (flags->common.json) {
        return json_print(json_pack("{s: o, s: o}",
                                    "prefill_tok_s", json_number(tokens_per_s),
                                    "ttft_ms", json_number(ttft_ms)));
    }
    const figure figures[] = {
        {"prefill", tokens_per_s, 1, "tok/s"},
        {"first token after", ttft_ms, 3, "ms"},
    };
    char remark[128];
    runs_tell(remark, sizeof remark, times_ms, "ms");
    return figures_show(figures, sizeof figures / sizeof *figures, remark);
}

int bench_pipeline_prefill(const bench_flags *flags) {
    const bench_rules rules = rules_of(flags, (uint32_t)flags->n_tokens, 1);
    buffer ttft_ms = {0};
    int code = texts_time(flags, &rules, NULL, &ttft_ms);
    if (code == EXIT_FINE) code = prefill_show(flags, &ttft_ms);
    buffer_clear(&ttft_ms);
    return code;
}

/* ---- several clients ---- */

/* Rates of each run, sorted afterwards. */
static int crowd_time(const bench_flags *flags, uint32_t n_clients, buffer *rates) {
    const bench_rules rules = rules_of(flags, DECODE_PROMPT_IDS, (uint32_t)flags->n_tokens);
    int code = EXIT_FINE;
    for (uint64_t run = 0; code == EXIT_FINE && run < flags->n_runs; run++) {
        bench_crowd crowd;
        progress_tell("%u client%s, run %llu of %llu", n_clients, n_clients == 1 ? "" : "s",
                      (unsigned long long)run + 1, (unsigned long long)flags->n_runs);
        code = bench_clients(&flags->common, &rules, n_clients, &crowd);
        progress_clear();
        if (code != EXIT_FINE) break;
        if (median_add(rates, per_second((double)crowd.n_tokens, crowd.seconds * 1000)) != STATUS_OK)
            code = outcome_failed(&(failure){STATUS_NO_MEMORY, "no memory for the times"});
    }
    return code;
}

static int crowd_json(uint32_t n_clients, double tokens_per_s) {
    return json_print(
        json_pack("{s: i, s: o}", "clients", (int)n_clients, "tok_s", json_number(tokens_per_s)));
}

/* As soon as it is known. */
static void crowd_row(table *t, uint32_t n_clients, double tokens_per_s, const buffer *rates) {
    const double *sorted = (const double *)(const void *)rates->bytes;
    size_t n = rates->n_bytes / sizeof *sorted;
    table_cell(t, "%u", n_clients);
    table_cell(t, "%.1f", tokens_per_s);
    table_cell(t, "%.1f", tokens_per_s / n_clients);
    if (n > 1 && tokens_per_s > 0) table_cell(t, "%.0f%%", 100 * (sorted[n - 1] - sorted[0]) / tokens_per_s);
    else table_cell(t, "-");
    table_print_new(t, stdout);
}

static table *crowd_table(void) {
    static const char *const names[] = {"clients", "tok/s", "tok/s each", "spread"};
    enum { N_COLUMNS = sizeof names / sizeof *names };
    table *t = table_new(N_COLUMNS);
    for (size_t column = 0; t && column < N_COLUMNS; column++) {
        table_align_right(t, column);
        table_cell(t, "%s", names[column]);
    }
    return t;
}

static int crowd_measure(const bench_flags *flags, uint32_t n_clients, table *t) {
    buffer rates = {0};
    int code = crowd_time(flags, n_clients, &rates);
    double tokens_per_s = median_of(&rates);
    if (code == EXIT_FINE && flags->common.json) code = crowd_json(n_clients, tokens_per_s);
    else if (code == EXIT_FINE) crowd_row(t, n_clients, tokens_per_s, &rates);
    buffer_clear(&rates);
    return code;
}

int bench_pipeline_clients(const bench_flags *flags) {
    table *t = crowd_table();
    int code = t ? EXIT_FINE : EXIT_FAILED;
    for (size_t i = 0; code == EXIT_FINE && i < flags->clients.n_values; i++)
        code = crowd_measure(flags, flags->clients.values[i], t);
    table_free(&t);
    if (code != EXIT_FINE || flags->common.json) return code;
    char remark[160] = "of a single run: --runs 3 makes them medians";
    if (flags->n_runs > 1) {
        snprintf(remark, sizeof remark, "medians of %llu runs; spread: highest rate less lowest, of the median",
                 (unsigned long long)flags->n_runs);
    }
    columns_print_text(stdout, remark, NULL);
    return EXIT_FINE;
}
