#include "client/cli/command_table.h"
#include "client/cli/input.h"
#include "client/cli/outcome.h"
#include "client/lib/random.h"
#include "generate_flags.h"
#include "writing.h"

typedef struct command_flags {
    common_flags common;
    generate_flags text;
    bool timings, verbose, keep_newline;
} command_flags;

static int generate(const command_flags *flags, const buffer *prompt, const strategy *chain) {
    const generation_piece piece = {(const uint8_t *)prompt->bytes, prompt->n_bytes,
                                    !flags->text.no_special};
    const writing_options how = {.common = &flags->common, .verbose = flags->verbose,
                                 .timings = flags->timings,
                                 .seed_matters = !flags->text.seed.given &&
                                                 !strategy_has(chain, STAGE_GREEDY)};
    generation_request request = generate_flags_request(&flags->text, chain);
    request.pieces = &piece;
    request.n_pieces = 1;
    failure f;
    if (random_bytes(request.id, REQUEST_BYTES, &f) != STATUS_OK ||
        seed_choose(&flags->text.seed, &request.seed, &f) != STATUS_OK) {
        return outcome_failed(&f);
    }
    return writing_run(&how, &request);
}

static int generate_from(const command_flags *flags, const char *word) {
    buffer prompt = {0};
    strategy chain;
    strategy_init(&chain);
    failure f;
    int code;
    if (generate_flags_chain(&flags->text, &chain, &f) != STATUS_OK) {
        code = outcome_wrong_use("%s", f.message);
    } else if (input_read(&prompt, "the prompt", word, flags->keep_newline, &f) != STATUS_OK) {
        code = outcome_failed(&f);
    } else {
        code = generate(flags, &prompt, &chain);
    }
    strategy_clear(&chain);
    buffer_clear(&prompt);
    return code;
}

int cmd_generate(int argc, char **argv) {
    command_flags flags = {0};
    common_flags_init(&flags.common);
    generate_flags_init(&flags.text);
    const option_row rows[] = {
        flags_newline_row(&flags.keep_newline),
        {.name = "verbose", .letter = 'v', .kind = OPTION_FLAG, .out = &flags.verbose,
         .help = "before the text, on stderr: the request's id, its seed and its model"},
        {.name = "timings", .kind = OPTION_FLAG, .out = &flags.timings,
         .help = "at the end, one line on stderr: model, tokens, tokens a second"},
        {.name = NULL},
    };
    const options o = {
        .usage = "trivium generate [PROMPT|-] [flags]",
        .summary = "Write the text that goes on from a prompt. Ctrl-C ends it and keeps what was\n"
                   "written. An empty prompt is BOS alone, where the model puts that before a text.\n\n"
                   "  trivium generate 'Once upon a time' --max-new-tokens 100 --temperature 0.7\n\n"
                   "With --show-probs, token lines of --json have \"candidates\": [{\"id\", \"text\",\n"
                   "\"logprob\" (raw), \"probability\" (after the chain, 0: removed), \"removed_by\"\n"
                   "(the step that removed it, or null)}, …], likeliest first.",
        .tables = {flags.text.rows, rows, flags.text.stages.rows, flags.common.rows},
        .n_words_max = 1,
    };
    const char *words[1] = {NULL};
    size_t n_words;
    int code = flags_parse(&o, argc, argv, words, &n_words);
    if (code < 0) code = generate_from(&flags, words[0]);
    generate_flags_clear(&flags.text);
    return code;
}
