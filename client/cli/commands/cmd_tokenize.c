#include "batch.h"
#include "client/cli/ask.h"
#include "client/cli/commands.h"
#include "client/cli/input.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"

typedef struct tokenize_flags {
    common_flags common;
    const char *model, *input;
    bool no_special, bos, keep_newline;
} tokenize_flags;

static void call_init(const tokenize_flags *flags, call *asked) {
    asked->kind = CALL_TOKENIZE;
    asked->model = flags->model;
    asked->special = !flags->no_special;
    asked->bos = flags->bos;
}

/* A conversation: the prompt that its next reply follows. */
static status read_conversation(task *t, failure *f) {
    uint64_t n_ids_max;
    const json_t *form = json_object_get(t->line, "template");
    t->call.kind = CALL_RENDER;
    if (form && !json_is_string(form))
        return fail(f, STATUS_BAD_REQUEST, "\"template\" must be a string");
    t->call.form = json_string_value(form);
    status st = task_uint(t, "max_tokens", UINT32_MAX, 0, &n_ids_max, f);
    t->call.n_ids_max = (uint32_t)n_ids_max;
    return st == STATUS_OK ? task_messages(t, "messages", f) : st;
}

static status read_line(const void *context, task *t, failure *f) {
    call_init(context, &t->call);
    if (json_object_get(t->line, "messages")) return read_conversation(t, f);
    return task_text(t, "text", &t->call.text, &t->call.n_bytes, f);
}

static json_t *answer_json(const answer *a) {
    json_t *ids = ids_to_json(a->ids, a->n_ids);
    if (!a->form) return json_pack("{s: o}", "ids", ids);
    return json_pack("{s: o, s: s, s: I, s: I}", "ids", ids, "template", a->form, "dropped",
                     (json_int_t)a->n_dropped, "cut", (json_int_t)a->n_cut);
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
    if (input_read(&text, word, flags->keep_newline, &f) != STATUS_OK) {
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
         .help = "lines of {\"text\": …} or {\"messages\": …}; \"-\" is stdin; answers are JSON"},
        {.name = "no-special", .kind = OPTION_FLAG, .out = &flags.no_special,
         .help = "special tokens written in the text are plain text, whatever their type"},
        {.name = "bos", .kind = OPTION_FLAG, .out = &flags.bos,
         .help = "put the model's BOS in front, unless the text begins with it"},
         flags_newline_row(&flags.keep_newline),
        {.name = "model", .kind = OPTION_CALL, .value_name = "NAME", .out = &flags.model,
         .take = flags_take_name,
         .help = "whose vocabulary; that of the default model if not given"},
        {.name = NULL},
    };
    const options o = {
        .usage = "trivium tokenize [TEXT|-] [flags]",
        .summary = "Print the token ids of a text.\n\n  trivium tokenize 'Hello, world' --json\n\n"
                   "A line of --input may be a conversation instead of a text:\n\n"
                   "  {\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], "
                   "\"max_tokens\": 512}\n\n"
                   "gives the ids of the prompt that its next reply follows, in the form of the\n"
                   "model's chat template, or of \"template\": "
                   "\"chatml\", \"llama3\" or \"plain\".\n"
                   "What is too long is left out: the oldest messages after a system message,\n"
                   "then the beginning of the last one.",
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
