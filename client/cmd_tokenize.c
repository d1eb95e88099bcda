#include "ask.h"
#include "batch.h"
#include "commands.h"
#include "input.h"
#include "json.h"
#include "outcome.h"

typedef struct tokenize_flags {
    common_flags common;
    const char *model, *input;
    bool no_special, bos;
} tokenize_flags;

static void call_init(const tokenize_flags *flags, call *asked) {
    asked->kind = CALL_TOKENIZE;
    asked->model = flags->model;
    asked->special = !flags->no_special;
    asked->bos = flags->bos;
}

static status read_line(const void *context, task *t, failure *f) {
    call_init(context, &t->call);
    return task_text(t, "text", &t->call.text, &t->call.n_bytes, f);
}

static json_t *answer_json(const answer *a) {
    return json_pack("{s: o}", "ids", ids_to_json(a->ids, a->n_ids));
}

static void show(void *context, const answer *a) {
    const tokenize_flags *flags = context;
    if (flags->common.json) {
        json_print(answer_json(a));
        return;
    }
    for (size_t i = 0; i < a->n_ids; i++) printf("%s%d", i ? "," : "", a->ids[i]);
    putchar('\n');
}

static int tokenize_one(tokenize_flags *flags, const char *word) {
    buffer text = {0};
    failure f;
    if (input_read(&text, word, &f) != STATUS_OK) {
        buffer_clear(&text);
        return outcome_failed(&f);
    }
    call asked = {.text = (const uint8_t *)text.bytes, .n_bytes = text.n_bytes};
    call_init(flags, &asked);
    int code = ask(&flags->common, &asked, show, flags);
    buffer_clear(&text);
    return code;
}

int cmd_tokenize(int argc, char **argv) {
    tokenize_flags flags = {0};
    common_flags_init(&flags.common);
    const option_row rows[] = {
        {.name = "input", .kind = OPTION_TEXT, .value_name = "F.jsonl", .out = &flags.input,
         .help = "lines of {\"text\": …}, \"-\" for stdin; the answers are JSON"},
        {.name = "no-special", .kind = OPTION_FLAG, .out = &flags.no_special,
         .help = "special tokens written in the text are plain text"},
        {.name = "bos", .kind = OPTION_FLAG, .out = &flags.bos,
         .help = "put the model's BOS in front"},
        {.name = "model", .kind = OPTION_CALL, .value_name = "NAME", .out = &flags.model,
         .take = flags_take_name, .help = "whose vocabulary; the only one if not given"},
        {.name = NULL},
    };
    const options o = {
        .usage = "trivium tokenize [TEXT|-] [flags]",
        .summary = "Print the token ids of a text.\n\n  trivium tokenize 'Hello, world' --json",
        .tables = {rows, flags.common.rows},
        .n_words_max = 1,
    };
    const char *words[1] = {NULL};
    size_t n_words;
    int code = flags_parse(&o, argc, argv, words, &n_words);
    if (code >= 0) return code;
    if (!flags.input) return tokenize_one(&flags, words[0]);
    if (n_words > 0) return outcome_wrong_use("--input and a text exclude each other");
    static const batch_rules rules = {.read = read_line, .show = answer_json};
    return batch_run(&flags.common, flags.input, &rules, &flags);
}
