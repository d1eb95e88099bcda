#include "client/cli/command_table.h"
#include "client/cli/input.h"
#include "client/cli/outcome.h"
#include "client/lib/random.h"
#include "generate_batch.h"
#include "generate_flags.h"
#include "writing.h"

enum { PARALLEL = TINY_LIMITS ? 2 : 16 };        /* texts of --input under way at once */

typedef struct command_flags {
    common_flags common;
    generate_flags text;
    bool timings, verbose, keep_newline, as_completed;
    const char *input;          /* NULL: one text */
    uint64_t n_parallel;        /* 0: not given */
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

static int generate_lines(const command_flags *flags) {
    const generate_batch_options how = {
        .common = &flags->common, .flags = &flags->text, .path = flags->input,
        .n_parallel = flags->n_parallel > 0 ? flags->n_parallel : PARALLEL,
        .as_completed = flags->as_completed, .timings = flags->timings,
    };
    strategy chain;
    strategy_init(&chain);
    failure f;
    status st = generate_flags_chain(&flags->text, &chain, &f);
    strategy_clear(&chain);
    return st == STATUS_OK ? generate_batch_run(&how) : outcome_wrong_use("%s", f.message);
}

/* Lines, or one text; a flag of the one says nothing to the other. */
static int generate_asked(const command_flags *flags, const char *word) {
    if (flags->input && word) return outcome_wrong_use("--input and a prompt exclude each other");
    const char *only_one = flags->verbose        ? "verbose"
                           : flags->keep_newline ? "keep-newline"
                                                 : NULL;
    if (flags->input && only_one) return outcome_wrong_use("--%s is for one text: lines do without it", only_one);
    if (flags->input) return generate_lines(flags);
    const char *only = flags->as_completed       ? "as-completed"
                       : flags->n_parallel > 0   ? "parallel"
                       : flags->text.form != NULL ? "chat-template"
                                                 : NULL;
    if (only) return outcome_wrong_use("--%s is for lines: it needs --input F.jsonl", only);
    return generate_from(flags, word);
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
        {.name = "input", .kind = OPTION_TEXT, .value_name = "F.jsonl", .out = &flags.input,
         .help = "a text for each line, as above; \"-\" is stdin; the answers are JSON"},
        {.name = "as-completed", .kind = OPTION_FLAG, .out = &flags.as_completed,
         .help = "with --input: each answer as soon as it is there, not in the order of the lines"},
        {.name = "parallel", .kind = OPTION_UINT, .value_name = "N", .out = &flags.n_parallel, .min = 1,
         .max = GENERATIONS_MAX, .help = "with --input: at most so many texts under way at once (16)"},
        {.name = NULL},
    };
    const options o = {
        .usage = "trivium generate [PROMPT|-|--input F.jsonl] [flags]",
        .summary = "Write the text that goes on from a prompt. Ctrl-C ends it and keeps what was\n"
                   "written. An empty prompt is BOS alone, where the model puts that before a text.\n\n"
                   "  trivium generate 'Once upon a time' --max-new-tokens 100 --temperature 0.7\n\n"
                   "With --show-probs, token lines of --json have \"candidates\": [{\"id\", \"text\",\n"
                   "\"logprob\" (raw), \"probability\" (after the chain, 0: removed), \"removed_by\"\n"
                   "(the step that removed it, or null)}, …], likeliest first.\n\n"
                   "A line of --input is {\"prompt\": …}, {\"messages\": [{\"role\", \"content\"}, …]} or\n"
                   "{\"ids\": […]}, with any flag listed before --keep-newline or of the strategy as a key:\n\n"
                   "  {\"prompt\": \"Once\", \"max_new_tokens\": 50, \"top_k\": 40, \"stop\": [\"\\n\"]}\n\n"
                   "Such keys win over flags of the command line, and add to those that may be\n"
                   "repeated; a \"chain\" takes the place of all that it says of the strategy, and\n"
                   "steps take what they take in a chain. Line N without \"seed\" gets --seed + N - 1.\n"
                   "An \"id\" of any kind stands in the answer again: {\"line\", \"id\", \"text\",\n"
                   "\"finish_reason\", \"prompt_tokens\", \"completion_tokens\", \"seed\", \"request\",\n"
                   "\"model\", \"timings\"}, or {\"line\", \"id\", \"error\": {\"code\", \"message\"}}: the\n"
                   "lines after one that fails go on. After messages also \"dropped\", how many of the\n"
                   "oldest did not fit, and \"cut\", how many tokens of the last one.",
        .tables = {flags.text.rows, rows, flags.text.stages.rows, flags.common.rows},
        .n_words_max = 1,
    };
    const char *words[1] = {NULL};
    size_t n_words;
    int code = flags_parse(&o, argc, argv, words, &n_words);
    if (code < 0) code = generate_asked(&flags, words[0]);
    generate_flags_clear(&flags.text);
    return code;
}
