#include <string.h>

#include "client/cli/command_table.h"
#include "client/cli/input.h"
#include "client/cli/items.h"
#include "client/cli/outcome.h"
#include "explore.h"
#include "proto/base/nearest.h"

enum { TEMPERATURE_TOKENS = 60, TOP_P_TOKENS = 40, TOKENS_MAX = 4096, SAMPLES = 3, SEED = 1 };

/* What is explored: its name and its defaults. */
typedef struct explore_row {
    const char *name;
    int (*run)(const explore_flags *flags, const char *prompt, size_t n_prompt);
    uint64_t n_tokens;
    const char *tokens_help, *seed_help;
    options about;              /* without tables */
} explore_row;

static const explore_row explorers[] = {
    {"temperature", explore_temperature, TEMPERATURE_TOKENS,
     "of each text, at most (60)",
     "of the first sample, at every temperature; the next has the next one (1)",
     {.usage = "trivium explore temperature [PROMPT|-] [flags]",
      .summary =
          "Texts that go on from a prompt at several temperatures, side by side. The same seeds "
          "are used at each, so a second run shows the same.\n\n"
          "  trivium explore temperature 'The future of artificial intelligence'\n\n"
          "Under each temperature stand, of all its samples together: how many different tokens "
          "there are of all; how much is repeated: of all pairs of tokens in a row, the share that "
          "was there before, in the same sample or in another one; the mean log-probability, before "
          "the chain; how many texts differ. A text that stands there already, at another "
          "temperature or as an earlier sample, is named instead of being shown again. The chain is "
          "that of generate but for top-p, which is 0.95; flags of steps change it.\n\n"
          "A line of --json is a sample, with its own figures: {\"temperature\", \"sample\", "
          "\"seed\", \"text\", \"completion_tokens\", \"finish_reason\", \"distinct_tokens\", "
          "\"repeated\" (the share, 0 to 1), \"mean_logprob\"}. Those of a temperature are followed "
          "by what they are together: {\"together\": {\"temperature\", \"samples\", \"texts\", "
          "\"completion_tokens\", \"distinct_tokens\", \"repeated\", \"mean_logprob\"}}.",
      .n_words_max = 1}},
    {"top-p", explore_top_p, TOP_P_TOKENS,
     "of each text, at most (40)",
     "of both texts (1)",
     {.usage = "trivium explore top-p [PROMPT|-] [flags]",
      .summary =
          "A text by top-k, then top-p, beside one by top-p alone, and how many tokens each step "
          "left to draw from.\n\n"
          "  trivium explore top-p 'The future of artificial intelligence' --top-k 50\n\n"
          "Both have the same prompt and seed. Once they drew different tokens they are different "
          "texts: their steps are no longer like for like, which a line marks. Where they never "
          "do, a sentence says that both are the same. A bar is half a cell "
          "longer each time that one token doubles. The chain is that of generate, with a "
          "top-k of 50; flags of steps change it.\n\n"
          "A line of --json is a step: {\"step\", \"comparable\", \"top_k_top_p\": {\"id\", "
          "\"text\", \"top_k\", \"left\"}, \"top_p\": {\"id\", \"text\", \"left\"}}, where a text "
          "that has ended is null; the last is {\"done\": {\"seed\", \"parted_at\" (a step or "
          "null), \"top_k_top_p\", \"top_p\" (the texts)}}.",
      .n_words_max = 1}},
};

enum { N_EXPLORERS = sizeof explorers / sizeof *explorers };

static status take_temperatures(void *out, const char *name, const char *value, failure *f) {
    explore_flags *flags = out;
    flags->n_temperatures = 0;
    const char *rest = value;
    size_t n = items_count(value);
    do {
        char item[ITEM_BYTES];
        double number;
        items_take(&rest, item);
        if (!options_real(item, &number) || number <= 0 ||
            flags->n_temperatures == TEMPERATURES_MAX) {
            return fail(f, STATUS_BAD_REQUEST,
                        "--%s takes up to %d numbers above 0 between commas, as 0.2,0.8,1.5; "
                        "not %.80s", name, TEMPERATURES_MAX, value);
        }
        flags->temperatures[flags->n_temperatures++] = number;
    } while (flags->n_temperatures < n);
    return STATUS_OK;
}

static int explore_parse(const explore_row *explorer, int argc, char **argv, explore_flags *flags,
                         const char **word) {
    const option_row rows[] = {
        {.name = "max-new-tokens", .letter = 'n', .kind = OPTION_UINT, .value_name = "N",
         .out = &flags->max_new_tokens, .min = 1, .max = TOKENS_MAX, .help = explorer->tokens_help},
        {.name = "seed", .kind = OPTION_UINT, .value_name = "N", .out = &flags->seed,
         .max = (double)(SEED_MAX - SAMPLES_MAX), .help = explorer->seed_help},
        flags_newline_row(&flags->keep_newline),
        flags_model_row(&flags->model),
        flags_pool_row(&flags->pool),
        {.name = NULL},
    };
    const option_row heats[] = {
        {.name = "temperatures", .kind = OPTION_CALL, .value_name = "T,T", .out = flags,
         .take = take_temperatures, .help = "what is compared (0.2,0.5,0.8,1.0,1.5)"},
        {.name = "samples", .kind = OPTION_UINT, .value_name = "N", .out = &flags->n_samples,
         .min = 1, .max = SAMPLES_MAX, .help = "texts at each temperature (3)"},
        {.name = NULL},
    };
    options o = explorer->about;
    bool is_temperature = explorer->run == explore_temperature;
    const option_row *tables[] = {rows, flags->stages.rows, flags->common.rows,
                                  is_temperature ? heats : NULL};
    memcpy(o.tables, tables, sizeof tables);
    size_t n_words;
    return flags_parse(&o, argc, argv, word, &n_words);
}

static int explore_from(const explore_row *explorer, const explore_flags *flags, const char *word) {
    failure f;
    if (stage_flags_check(&flags->stages, &f) != STATUS_OK) return outcome_wrong_use("%s", f.message);
    if (explorer->run == explore_temperature &&
        strategy_has(&flags->stages.stages, STAGE_TEMPERATURE))
        return outcome_wrong_use("several temperatures are compared: give --temperatures instead");
    buffer prompt = {0};
    int code = input_read(&prompt, "the prompt", word, flags->keep_newline, &f) == STATUS_OK
                   ? explorer->run(flags, prompt.bytes, prompt.n_bytes)
                   : outcome_failed(&f);
    buffer_clear(&prompt);
    return code;
}

static int explore_run(const explore_row *explorer, int argc, char **argv) {
    explore_flags flags = {.max_new_tokens = explorer->n_tokens, .n_samples = SAMPLES, .seed = SEED,
                           .temperatures = {0.2, 0.5, 0.8, 1.0, 1.5}, .n_temperatures = 5};
    common_flags_init(&flags.common);
    stage_flags_init(&flags.stages);
    const char *word = NULL;
    int code = explore_parse(explorer, argc, argv, &flags, &word);
    if (code < 0) code = explore_from(explorer, &flags, word);
    stage_flags_clear(&flags.stages);
    return code;
}

static int explore_unknown(const char *name) {
    nearest meant = nearest_begin(name, strlen(name));
    for (int i = 0; i < N_EXPLORERS; i++) nearest_try(&meant, explorers[i].name);
    return meant.name
               ? outcome_wrong_use("there is no explorer %.40s: did you mean %s?", name, meant.name)
               : outcome_wrong_use("there is no explorer %.40s: there are temperature, top-p", name);
}

int cmd_explore(int argc, char **argv) {
    static const options o = {
        .usage = "trivium explore temperature|top-p [PROMPT|-] [flags]",
        .summary = "See side by side what a strategy makes of a prompt.\n"
                   "trivium explore temperature --help tells more.\n\n"
                   "  trivium explore temperature 'The future of artificial intelligence'",
    };
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name) return outcome_wrong_use("explore what? There are temperature, top-p");
    for (int i = 0; i < N_EXPLORERS; i++) {
        if (strcmp(name, explorers[i].name) == 0)
            return explore_run(&explorers[i], argc - 1, argv + 1);
    }
    int code = name[0] == '-' ? flags_parse(&o, 2, argv, NULL, &(size_t){0}) : -1;
    return code >= 0 ? code : explore_unknown(name);
}
