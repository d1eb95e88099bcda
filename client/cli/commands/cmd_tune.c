#include <stdlib.h>

#include "client/cli/command_table.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "proto/chain/strategy_json.h"
#include "request.h"

typedef struct tune_flags {
    common_flags common;
    stage_flags stages;
    strategy chain;             /* what is sent */
    char digits[REQUEST_DIGITS + 1];
} tune_flags;

static void show(void *context, const answer *a) {
    const tune_flags *flags = context;
    const tune_answer *tuned = answer_to_tune(a);
    if (flags->common.json) {
        json_print(json_pack("{s: s, s: i, s: o}", "request", flags->digits, "step", (int)tuned->step,
                             "strategy", strategy_to_json(tuned->chain)));
        return;
    }
    char *text = json_strategy_line(tuned->chain);
    printf("from step %u on: %s\n", tuned->step, text ? text : "");
    free(text);
}

static int tune(tune_flags *flags, const char *text) {
    question asked = {
        .kind = ASK_TUNE,
        .tune = {.chain = &flags->chain, .replace = stage_flags_replace(&flags->stages)},
    };
    return request_ask(&flags->common, text, asked.tune.request, flags->digits, &asked, show, flags);
}

static int tune_parsed(tune_flags *flags, const char *text) {
    failure f;
    if (!stage_flags_any(&flags->stages))
        return outcome_wrong_use("tune needs what to change, as --temperature 0.3");
    status st = text ? request_check(text, &f) : STATUS_OK;
    if (st == STATUS_OK) st = stage_flags_check(&flags->stages, &f);
    if (st == STATUS_OK) st = stage_flags_strategy(&flags->stages, START_EMPTY, &flags->chain, &f);
    return st == STATUS_OK ? tune(flags, text) : outcome_wrong_use("%s", f.message);
}

int cmd_tune(int argc, char **argv) {
    tune_flags flags = {0};
    common_flags_init(&flags.common);
    stage_flags_init(&flags.stages);
    strategy_init(&flags.chain);
    const options o = {
        .usage = "trivium tune [REQUEST] [flags]",
        .summary = "Give a running generation another strategy, and print the step from which it\n"
                   "holds. Without REQUEST, the only one that runs. Flags of single steps change those steps; --preset, --chain and\n"
                   "--greedy replace the strategy. What stands before a --mirostat stays, too:\n"
                   "--chain does without it.\n\n"
                   "  trivium tune 3f2a --temperature 0.3",
        .tables = {flags.stages.rows, flags.common.rows},
        .n_words_max = 1,
    };
    const char *words[1] = {NULL};
    size_t n_words;
    int code = flags_parse(&o, argc, argv, words, &n_words);
    if (code < 0) code = tune_parsed(&flags, words[0]);
    stage_flags_clear(&flags.stages);
    strategy_clear(&flags.chain);
    return code;
}
