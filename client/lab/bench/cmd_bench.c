#include <string.h>

#include "bench_clients.h"
#include "bench_kv_cache.h"
#include "bench_pipeline.h"
#include "bench_prompt.h"
#include "client/cli/command_table.h"
#include "client/cli/items.h"
#include "client/cli/outcome.h"
#include "proto/base/nearest.h"

enum {
    KV_CACHE_TOKENS = 50,       /* with the other defaults some minutes on two cores */
    KV_CACHE_RUNS = 3,
    DECODE_TOKENS = 128,
    PREFILL_TOKENS = 512,
    PREFILL_RUNS = 3,
    CLIENTS_TOKENS = 96,
    CLIENTS_RUNS = 3,
    RUNS_MAX = 1000,
};

static status take_numbers(void *out, const char *name, const char *value, failure *f) {
    bench_numbers *numbers = out;
    numbers->n_values = 0;
    const char *rest = value;
    size_t n = items_count(value);
    do {
        char item[ITEM_BYTES];
        unsigned long long number;
        items_take(&rest, item);
        if (!options_uint(item, &number) || number == 0 || number > numbers->max ||
            numbers->n_values == numbers->n_values_max) {
            return fail(f, STATUS_BAD_REQUEST,
                        "--%s takes up to %zu numbers from 1 to %u between commas, as 1,2,4; "
                        "not %.40s", name, numbers->n_values_max, numbers->max, value);
        }
        numbers->values[numbers->n_values++] = (uint32_t)number;
    } while (numbers->n_values < n);
    return STATUS_OK;
}

/* What is measured: its name and its defaults. */
typedef struct bench_row {
    const char *name;
    int (*run)(const bench_flags *flags);
    char tokens_letter;         /* 'n' where they are new tokens, as everywhere; 0 where they are a prompt */
    uint64_t n_tokens, n_tokens_min, n_tokens_max, n_runs;
    const char *tokens_help, *runs_help;
    options about;              /* without tables */
} bench_row;

static const bench_row benches[] = {
    {"kv-cache", bench_kv_cache, 'n', KV_CACHE_TOKENS, 1, MAX_NEW_TOKENS_MAX, KV_CACHE_RUNS,
     "how many are written after each prompt (50)", "measure so many times: figures are medians (3)",
     {.usage = "trivium bench kv-cache [flags]",
      .summary = "Time texts with the KV-cache and without it, where each token computes all that "
                 "is before it\nanew, after prompts of several lengths that no cache holds, and "
                 "check that the texts are the\nsame. Times are medians of several runs, with the cache and without "
                 "it in turns; a line comes\nas soon as it is known. The spread of a line tells how far its runs lie "
                 "apart.\n\n"
                 "  trivium bench kv-cache --prompts 2,50,200,500 --svg kv-cache.svg"}},
    {"decode", bench_pipeline_decode, 'n', DECODE_TOKENS, 2, MAX_NEW_TOKENS_MAX, 1,
     "how many are written (128)", "write so many texts: figures are medians of all their tokens (1)",
     {.usage = "trivium bench decode [flags]",
      .summary = "Time the tokens of one text after a prompt of 32, as they come to this client: "
                 "medians.\n\n"
                 "  trivium bench decode --tokens 128 --json"}},
    {"prefill", bench_pipeline_prefill, 0, PREFILL_TOKENS, 1, BENCH_PROMPT_IDS_MAX, PREFILL_RUNS,
     "length of the prompt (512)", "measure so many times: figures are medians (3)",
     {.usage = "trivium bench prefill [flags]",
      .summary = "Time from sending a prompt that no cache holds to its first token: the median "
                 "of 3.\n\n"
                 "  trivium bench prefill --tokens 512 --json"}},
    {"clients", bench_pipeline_clients, 'n', CLIENTS_TOKENS, 1, MAX_NEW_TOKENS_MAX, CLIENTS_RUNS,
     "how many each client is written (96)", "measure so many times: figures are medians (3)",
     {.usage = "trivium bench clients [flags]",
      .summary = "Tokens a second that several clients get together, each a process with a "
                 "prompt of 32\ntokens of its own, that one's prefill included.\n\n"
                 "  trivium bench clients --clients 1,2,4,8 --json"}},
};

enum { N_BENCHES = sizeof benches / sizeof *benches };

static int bench_chain(bench_flags *flags) {
    failure f;
    if (stage_flags_check(&flags->stages, &f) == STATUS_OK &&
        stage_flags_strategy(&flags->stages, START_DEFAULTS, &flags->chain, &f) == STATUS_OK) {
        return EXIT_FINE;
    }
    return outcome_wrong_use("%s", f.message);
}

static int bench_parse(const bench_row *bench, int argc, char **argv, bench_flags *flags) {
    const option_row rows[] = {
        {.name = "tokens", .letter = bench->tokens_letter, .kind = OPTION_UINT, .value_name = "N",
         .out = &flags->n_tokens,
         .min = (double)bench->n_tokens_min, .max = (double)bench->n_tokens_max,
         .help = bench->tokens_help},
        {.name = "runs", .kind = OPTION_UINT, .value_name = "N", .out = &flags->n_runs, .min = 1,
         .max = RUNS_MAX, .help = bench->runs_help},
        flags_model_row(&flags->model),
        flags_pool_row(&flags->pool),
        {.name = NULL},
    };
    const option_row counts[] = {
        {.name = "clients", .kind = OPTION_CALL, .value_name = "N,N", .out = &flags->clients,
         .take = take_numbers, .help = "how many at once (1,2,4,8)"},
        {.name = NULL},
    };
    const option_row lengths[] = {
        {.name = "prompts", .kind = OPTION_CALL, .value_name = "N,N", .out = &flags->prompts,
         .take = take_numbers, .help = "their lengths in tokens (2,50,200,500)"},
        {.name = "svg", .kind = OPTION_TEXT, .value_name = "FILE", .out = &flags->svg,
         .help = "draw the times into it"},
        {.name = NULL},
    };
    options o = bench->about;
    const option_row *tables[] = {rows, flags->stages.rows, flags->common.rows, NULL};
    if (bench->run == bench_pipeline_clients) tables[3] = counts;
    if (bench->run == bench_kv_cache) tables[3] = lengths;
    memcpy(o.tables, tables, sizeof tables);
    size_t n_words;
    return flags_parse(&o, argc, argv, NULL, &n_words);
}

static int bench_run(const bench_row *bench, int argc, char **argv) {
    bench_flags flags = {.n_tokens = bench->n_tokens, .n_runs = bench->n_runs,
                         .clients = {{1, 2, 4, 8}, 4, BENCH_NUMBERS_MAX, BENCH_CLIENTS_MAX},
                         .prompts = {{2, 50, 200, 500}, 4, KV_CACHE_PROMPTS_MAX,
                                     BENCH_PROMPT_IDS_MAX}};
    common_flags_init(&flags.common);
    stage_flags_init(&flags.stages);
    strategy_init(&flags.chain);
    int code = bench_parse(bench, argc, argv, &flags);
    if (code < 0) {
        code = bench_chain(&flags);
        if (code == EXIT_FINE) code = bench->run(&flags);
    }
    stage_flags_clear(&flags.stages);
    strategy_clear(&flags.chain);
    return code;
}

static int bench_unknown(const char *name) {
    static const char names[] = "kv-cache, decode, prefill, clients";
    if (!name) return outcome_wrong_use("bench what? There are %s", names);
    nearest meant = nearest_begin(name, strlen(name));
    for (int i = 0; i < N_BENCHES; i++) nearest_try(&meant, benches[i].name);
    return meant.name
               ? outcome_wrong_use("there is no bench %.40s: did you mean %s?", name, meant.name)
               : outcome_wrong_use("there is no bench %.40s: there are %s", name, names);
}

int cmd_bench(int argc, char **argv) {
    static const options o = {
        .usage = "trivium bench kv-cache|decode|prefill|clients [flags]",
        .summary = "Measure what runs. trivium bench kv-cache --help tells more.\n\n"
                   "  trivium bench decode --json",
    };
    const char *name = argc > 1 ? argv[1] : NULL;
    for (int i = 0; name && i < N_BENCHES; i++) {
        if (strcmp(name, benches[i].name) == 0) return bench_run(&benches[i], argc - 1, argv + 1);
    }
    int code = name && name[0] == '-' ? flags_parse(&o, 2, argv, NULL, &(size_t){0}) : -1;
    return code >= 0 ? code : bench_unknown(name);
}
