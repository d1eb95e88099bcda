#include <string.h>

#include "ask.h"
#include "bench_clients.h"
#include "bench_prompt.h"
#include "commands.h"
#include "json.h"
#include "median.h"
#include "outcome.h"
#include "term.h"

enum {
    DECODE_PROMPT_IDS = 32,     /* before a text that is timed */
    DECODE_TOKENS = 128,
    PREFILL_TOKENS = 512,
    PREFILL_RUNS = 3,
    CLIENTS_TOKENS = 96,
    RUNS_MAX = 1000,
    COUNTS_MAX = 16,            /* of --clients */
};

typedef struct bench_flags {
    common_flags common;
    step_flags steps;
    strategy chain;
    const char *model, *pool;
    uint64_t n_tokens, n_runs;
    uint32_t counts[COUNTS_MAX];
    size_t n_counts;
} bench_flags;

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

static int decode(const bench_flags *flags) {
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

static int prefill(const bench_flags *flags) {
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

static int clients(const bench_flags *flags) {
    table *t = crowd_table();
    int code = t ? EXIT_FINE : EXIT_FAILED;
    for (size_t i = 0; code == EXIT_FINE && i < flags->n_counts; i++) {
        double tokens_per_s;
        code = crowd_time(flags, flags->counts[i], &tokens_per_s);
        if (code != EXIT_FINE) break;
        if (flags->common.json) code = crowd_json(flags->counts[i], tokens_per_s);
        else crowd_row(t, flags->counts[i], tokens_per_s);
    }
    if (code == EXIT_FINE && !flags->common.json) table_print(t, stdout);
    table_free(&t);
    return code;
}

/* ---- flags ---- */

static status take_counts(void *out, const char *name, const char *value, failure *f) {
    bench_flags *flags = out;
    flags->n_counts = 0;
    for (const char *from = value;; from++) {
        char digits[8] = "";
        size_t n_digits = strcspn(from, ",");
        unsigned long long count = 0;
        if (n_digits < sizeof digits) memcpy(digits, from, n_digits);
        if (!options_uint(digits, &count) || count == 0 || count > BENCH_CLIENTS_MAX ||
            flags->n_counts == COUNTS_MAX) {
            return fail(f, STATUS_BAD_REQUEST,
                        "--%s takes up to %d numbers from 1 to %d between commas, as 1,2,4; "
                        "not %.40s", name, COUNTS_MAX, BENCH_CLIENTS_MAX, value);
        }
        flags->counts[flags->n_counts++] = (uint32_t)count;
        from += n_digits;
        if (*from == '\0') return STATUS_OK;
    }
}

/* What is measured: its name and its defaults. */
typedef struct bench_row {
    const char *name;
    int (*run)(const bench_flags *flags);
    uint64_t n_tokens, n_tokens_min, n_tokens_max, n_runs;
    const char *tokens_help;
    options about;              /* without tables */
} bench_row;

static const bench_row benches[] = {
    {"decode", decode, DECODE_TOKENS, 2, MAX_NEW_TOKENS_MAX, 1,
     "how many are written (128)",
     {.usage = "trivium bench decode [flags]",
      .summary = "Time the tokens of one text after a prompt of 32, as they come to this client: "
                 "medians.\n\n"
                 "  trivium bench decode --tokens 128 --json"}},
    {"prefill", prefill, PREFILL_TOKENS, 1, BENCH_PROMPT_IDS_MAX, PREFILL_RUNS,
     "length of the prompt (512)",
     {.usage = "trivium bench prefill [flags]",
      .summary = "Time from sending a prompt that no cache holds to its first token: the median "
                 "of 3.\n\n"
                 "  trivium bench prefill --tokens 512 --json"}},
    {"clients", clients, CLIENTS_TOKENS, 1, MAX_NEW_TOKENS_MAX, 1,
     "how many each client is written (96)",
     {.usage = "trivium bench clients [flags]",
      .summary = "Tokens a second that several clients get together, each a process with a "
                 "prompt of 32\ntokens of its own, that one's prefill included.\n\n"
                 "  trivium bench clients --clients 1,2,4,8 --json"}},
};

enum { N_BENCHES = sizeof benches / sizeof *benches };

static int bench_chain(bench_flags *flags) {
    failure f;
    if (step_flags_check(&flags->steps, &f) == STATUS_OK &&
        step_flags_strategy(&flags->steps, START_DEFAULTS, &flags->chain, &f) == STATUS_OK) {
        return EXIT_FINE;
    }
    return outcome_wrong_use("%s", f.message);
}

static int bench_parse(const bench_row *bench, int argc, char **argv, bench_flags *flags) {
    const option_row rows[] = {
        {.name = "tokens", .kind = OPTION_UINT, .value_name = "N", .out = &flags->n_tokens,
         .min = (double)bench->n_tokens_min, .max = (double)bench->n_tokens_max,
         .help = bench->tokens_help},
        {.name = "runs", .kind = OPTION_UINT, .value_name = "N", .out = &flags->n_runs, .min = 1,
         .max = RUNS_MAX, .help = "measure so many times: figures are medians"},
        {.name = "model", .kind = OPTION_CALL, .value_name = "NAME", .out = &flags->model,
         .take = flags_take_name, .help = "the only one if not given"},
        {.name = "sampler", .kind = OPTION_CALL, .value_name = "POOL", .out = &flags->pool,
         .take = flags_take_name, .help = "pool of samplerds that draws"},
        {.name = NULL},
    };
    const option_row counts[] = {
        {.name = "clients", .kind = OPTION_CALL, .value_name = "N,N", .out = flags,
         .take = take_counts, .help = "how many at once (1,2,4,8)"},
        {.name = NULL},
    };
    options o = bench->about;
    const option_row *tables[] = {rows, flags->steps.rows, flags->common.rows,
                                  bench->run == clients ? counts : NULL};
    memcpy(o.tables, tables, sizeof tables);
    size_t n_words;
    return flags_parse(&o, argc, argv, NULL, &n_words);
}

static int bench_run(const bench_row *bench, int argc, char **argv) {
    bench_flags flags = {.n_tokens = bench->n_tokens, .n_runs = bench->n_runs,
                         .counts = {1, 2, 4, 8}, .n_counts = 4};
    common_flags_init(&flags.common);
    step_flags_init(&flags.steps);
    strategy_init(&flags.chain);
    int code = bench_parse(bench, argc, argv, &flags);
    if (code < 0) {
        code = bench_chain(&flags);
        if (code == EXIT_FINE) code = bench->run(&flags);
    }
    step_flags_clear(&flags.steps);
    strategy_clear(&flags.chain);
    return code;
}

static int bench_unknown(const char *name) {
    return name ? outcome_wrong_use("there is no bench %.40s: there are decode, prefill, clients",
                                    name)
                : outcome_wrong_use("bench what? There are decode, prefill, clients");
}

int cmd_bench(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : NULL;
    for (int i = 0; name && i < N_BENCHES; i++) {
        if (strcmp(name, benches[i].name) == 0) return bench_run(&benches[i], argc - 1, argv + 1);
    }
    if (!name || strcmp(name, "--help") != 0) return bench_unknown(name);
    puts("usage: trivium bench decode|prefill|clients [flags]\n\n"
         "Measure what runs. trivium bench decode --help tells more.\n\n"
         "  trivium bench decode --json");
    return EXIT_FINE;
}
