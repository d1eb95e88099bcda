#include <string.h>

#include "client/cli/ask.h"
#include "client/cli/batch/call_batch.h"
#include "client/cli/command_table.h"
#include "client/cli/input.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"

typedef struct detokenize_flags {
    common_flags common;
    const char *model, *input, *ids;
} detokenize_flags;

static question question_of(const detokenize_flags *flags, const id_list *ids) {
    return (question){.kind = ASK_DETOKENIZE,
                      .detokenize = {.model = flags->model, .ids = ids->ids, .n_ids = ids->n_ids}};
}

static status read_line(const void *context, task *t, failure *f) {
    const detokenize_flags *flags = context;
    status st = task_ids(t, "ids", f);
    t->question = question_of(flags, &t->ids);
    return st;
}

static json_t *answer_json(const answer *a) {
    const detokenize_answer *said = answer_to_detokenize(a);
    return json_pack("{s: o}", "text", json_bytes(said->text, said->n_bytes));
}

static void show(void *context, const answer *a) {
    const detokenize_flags *flags = context;
    if (flags->common.json) {
        json_print(answer_json(a));
        return;
    }
    const detokenize_answer *said = answer_to_detokenize(a);
    if (said->n_bytes > 0) fwrite(said->text, 1, said->n_bytes, stdout);
    putchar('\n');
}

/* The ids of --ids, or those on stdin. */
static status ids_read(const detokenize_flags *flags, id_list *ids, failure *f) {
    if (flags->ids) return ids_from_text(ids, flags->ids, f);
    buffer text = {0};
    status st = input_read(&text, "the ids", NULL, true, f);
    size_t n_bytes = text.n_bytes;
    if (st == STATUS_OK && buffer_add(&text, "", 1) != STATUS_OK) {
        st = fail(f, STATUS_NO_MEMORY, "no memory for the ids");
    }
    if (st == STATUS_OK && strlen(text.bytes) < n_bytes) {
        st = fail(f, STATUS_BAD_REQUEST, "ids are whole numbers between commas: stdin has a NUL byte");
    }
    if (st == STATUS_OK) st = ids_from_text(ids, text.bytes, f);
    buffer_clear(&text);
    return st;
}

static int detokenize_one(detokenize_flags *flags) {
    id_list ids = {0};
    failure f;
    status st = ids_read(flags, &ids, &f);
    int code = EXIT_FINE;
    if (st == STATUS_OK) {
        const question asked = question_of(flags, &ids);
        code = ask(&flags->common, &asked, show, flags);
    } else {
        code = outcome_failed(&f);
        if (st == STATUS_BAD_REQUEST && flags->ids) code = EXIT_WRONG_USE;
    }
    ids_clear(&ids);
    return code;
}

int cmd_detokenize(int argc, char **argv) {
    detokenize_flags flags = {0};
    common_flags_init(&flags.common);
    const option_row rows[] = {
        {.name = "ids", .kind = OPTION_TEXT, .value_name = "1,2,3", .out = &flags.ids,
         .help = "the ids; without this they are read from stdin"},
        {.name = "input", .kind = OPTION_TEXT, .value_name = "F.jsonl", .out = &flags.input,
         .help = "lines of {\"ids\": […]}, \"-\" for stdin; the answers are JSON"},
        flags_model_row(&flags.model),
        {.name = NULL},
    };
    const options o = {
        .usage = "trivium detokenize [--ids 1,2,3] [flags]",
        .summary = "Print the text of token ids, special tokens written out.\n\n"
                   "  trivium tokenize 'Hello, world' | trivium detokenize",
        .tables = {rows, flags.common.rows},
    };
    size_t n_words;
    int code = flags_parse(&o, argc, argv, NULL, &n_words);
    if (code >= 0) return code;
    if (!flags.input) return detokenize_one(&flags);
    if (flags.ids) return outcome_wrong_use("--input and --ids exclude each other");
    static const call_rules rules = {.read = read_line, .show = answer_json};
    return call_batch_run(&flags.common, flags.input, &rules, &flags);
}
