#include <stdio.h>

#include "client/cli/ask.h"
#include "client/cli/command_table.h"
#include "client/cli/json.h"
#include "text_command.h"

/* A conversation: the prompt that its next reply follows. */
static status read_conversation(const text_flags *flags, task *t, failure *f) {
    uint64_t n_ids_max;
    const json_t *form = json_object_get(t->line, "template");
    if (form && !json_is_string(form))
        return fail(f, STATUS_BAD_REQUEST, "\"template\" must be a string");
    status st = task_uint(t, "max_tokens", UINT32_MAX, 0, &n_ids_max, f);
    if (st == STATUS_OK) st = task_messages(t, "messages", f);
    t->question = (question){
        .kind = ASK_RENDER,
        .render = {.model = flags->model,
                   .conversation = {.messages = t->messages, .n_messages = t->n_messages,
                                    .form = json_string_value(form), .n_ids_max = (uint32_t)n_ids_max}},
    };
    return st;
}

static status read_line(const void *context, task *t, failure *f) {
    const text_flags *flags = context;
    if (json_object_get(t->line, "messages")) return read_conversation(flags, t, f);
    t->question = (question){
        .kind = ASK_TOKENIZE, .tokenize = {.model = flags->model, .text = text_asked(flags)}};
    return task_text(t, "text", &t->question.tokenize.text, f);
}

static json_t *answer_json(const answer *a) {
    if (a->kind == ASK_TOKENIZE) {
        const tokenize_answer *said = answer_to_tokenize(a);
        return json_pack("{s: o}", "ids", ids_to_json(said->ids, said->n_ids));
    }
    const render_answer *said = answer_to_render(a);
    return json_pack("{s: o, s: s, s: I, s: I}", "ids", ids_to_json(said->ids, said->n_ids),
                     "template", said->made.form, "dropped", (json_int_t)said->made.n_dropped,
                     "cut", (json_int_t)said->made.n_cut);
}

static void show(void *context, const answer *a) {
    const text_flags *flags = context;
    const tokenize_answer *said = answer_to_tokenize(a);
    if (flags->common.json) {
        json_print(answer_json(a));
        return;
    }
    for (size_t i = 0; i < said->n_ids; i++) printf("%s%d", i ? "," : "", said->ids[i]);
    putchar('\n');
}

static int tokenize_one(void *context, const question_text *text) {
    text_flags *flags = context;
    const question asked = {
        .kind = ASK_TOKENIZE, .tokenize = {.model = flags->model, .text = *text}};
    return ask(&flags->common, &asked, show, flags);
}

int cmd_tokenize(int argc, char **argv) {
    text_flags flags = {0};
    common_flags_init(&flags.common);
    const option_row rows[] = {
        {.name = "input", .kind = OPTION_TEXT, .value_name = "F.jsonl", .out = &flags.input,
         .help = "lines of {\"text\": …} or {\"messages\": …}; \"-\" is stdin; answers are JSON"},
        text_special_row(&flags),
        text_bos_row(&flags),
        flags_newline_row(&flags.keep_newline),
        flags_model_row(&flags.model),
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
    static const call_rules rules = {.read = read_line, .show = answer_json};
    return text_command(&o, argc, argv, &flags, tokenize_one, &rules, &flags);
}
