#include "bench_pipeline.h"

#include "bench_clients.h"
#include "client/cli/ask.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/terminal/table.h"
#include "median.h"

enum { DECODE_PROMPT_IDS = 32 };        /* before a text that is timed */

/* ---- what is shown ---- */

typedef struct figure {
    const char *name;           /* in a table */
    double value;
    int n_decimals;
    const char *unit;
} figure;

static int figures_show(const figure *figures, size_t n) {
    table *t = table_new(3);
    if (!t) return EXIT_FAILED;
    table_align_right(t, 1);
    for (size_t i = 0; i < n; i++) {
        table_cell(t, "%s", figures[i].name);
        table_cell(t, "%.*f", figures[i].n_decimals, figures[i].value);
        table_cell(t, "%s", figures[i].unit);
    }
    table_print(t, stdout);
    table_free(&t);
    return EXIT_FINE;
}

static double per_second(double n, double ms) {
    return ms > 0 ? n * 1000 / ms : 0;
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
        st = text_time(c, rules, run, times, ttft_ms, &f);
    }
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
    return figures_show(figures, sizeof figures / sizeof *figures);
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

static int prefill_show(const bench_flags *flags, double ttft_ms) {
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
    return figures_show(figures, sizeof figures / sizeof *figures);
}

int bench_pipeline_prefill(const bench_flags *flags) {
    const bench_rules rules = rules_of(flags, (uint32_t)flags->n_tokens, 1);
    buffer ttft_ms = {0};
    int code = texts_time(flags, &rules, NULL, &ttft_ms);
    if (code == EXIT_FINE) code = prefill_show(flags, median_of(&ttft_ms));
    buffer_clear(&ttft_ms);
    return code;
}

/* ---- several clients ---- */

static int crowd_time(const bench_flags *flags, uint32_t n_clients, double *tokens_per_s) {
    const bench_rules rules = rules_of(flags, DECODE_PROMPT_IDS, (uint32_t)flags->n_tokens);
    buffer rates = {0};
    int code = EXIT_FINE;
    for (uint64_t run = 0; code == EXIT_FINE && run < flags->n_runs; run++) {
        bench_crowd crowd;
        code = bench_clients(&flags->common, &rules, n_clients, &crowd);
        if (code != EXIT_FINE) break;
        if (median_add(&rates, per_second((double)crowd.n_tokens, crowd.seconds * 1000)) !=
            STATUS_OK) {
            code = outcome_failed(&(failure){STATUS_NO_MEMORY, "no memory for the times"});
        }
    }
    *tokens_per_s = median_of(&rates);
    buffer_clear(&rates);
    return code;
}

static int crowd_json(uint32_t n_clients, double tokens_per_s) {
    return json_print(
        json_pack("{s: i, s: o}", "clients", (int)n_clients, "tok_s", json_number(tokens_per_s)));
}

static void crowd_row(table *t, uint32_t n_clients, double tokens_per_s) {
    table_cell(t, "%u", n_clients);
    table_cell(t, "%.1f", tokens_per_s);
    table_cell(t, "%.1f", tokens_per_s / n_clients);
}

static table *crowd_table(void) {
    static const char *const names[] = {"clients", "tok/s", "tok/s each"};
    table *t = table_new(3);
    for (size_t column = 0; t && column < 3; column++) {
        table_align_right(t, column);
        table_cell(t, "%s", names[column]);
    }
    return t;
}

int bench_pipeline_clients(const bench_flags *flags) {
    table *t = crowd_table();
    int code = t ? EXIT_FINE : EXIT_FAILED;
    for (size_t i = 0; code == EXIT_FINE && i < flags->clients.n_values; i++) {
        double tokens_per_s;
        code = crowd_time(flags, flags->clients.values[i], &tokens_per_s);
        if (code != EXIT_FINE) break;
        if (flags->common.json) code = crowd_json(flags->clients.values[i], tokens_per_s);
        else crowd_row(t, flags->clients.values[i], tokens_per_s);
    }
    if (code == EXIT_FINE && !flags->common.json) table_print(t, stdout);
    table_free(&t);
    return code;
}
