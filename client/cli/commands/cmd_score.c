#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "client/cli/ask.h"
#include "client/cli/commands.h"
#include "client/cli/input.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/terminal/term.h"
#include "proto/numeric/fmath.h"

typedef struct score_flags {
    common_flags common;
    const char *model, *pool, *input;
    bool no_special, bos, keep_newline;
    uint64_t n_top;
} score_flags;

static void call_init(const score_flags *flags, call *asked) {
    asked->kind = CALL_SCORE;
    asked->model = flags->model;
    asked->pool = flags->pool;
    asked->special = !flags->no_special;
    asked->bos = flags->bos;
    asked->n_top = (uint32_t)flags->n_top;
}

/* Ids win over a text. */
static status read_line(const void *context, task *t, failure *f) {
    call_init(context, &t->call);
    t->call.has_ids = json_object_get(t->line, "ids") != NULL;
    if (t->call.has_ids) return task_ids(t, "ids", f);
    return task_text(t, "text", &t->call.text, &t->call.n_bytes, f);
}

/* exp of the mean surprise of the ids after the first; NaN when there is none after it. */
static double perplexity(const double *logprobs, size_t n) {
    double sum = 0;
    for (size_t i = 1; i < n; i++) sum -= logprobs[i];
    return n > 1 ? fmath_exp(sum / (double)(n - 1)) : NAN;
}

static json_t *candidate_at(const void *from, size_t i) {
    const candidate *one = (const candidate *)from + i;
    return json_pack("[i, o]", (int)one->id, json_number(one->logprob));
}

static json_t *answer_json(const answer *a) {
    return json_pack("{s: o, s: o, s: o, s: o}",
                     "ids", ids_to_json(a->ids, a->n_ids),
                     "logprobs", json_numbers(a->numbers, a->n_numbers),
                     "perplexity", json_number(perplexity(a->numbers, a->n_numbers)),
                     "top", json_list(a->n_candidates, candidate_at, a->candidates));
}

/* ---- for a person: a table, token by token ---- */

typedef struct scored {
    int32_t *ids;               /* [n], owned */
    double *logprobs;           /* [n], owned */
    size_t n;
    candidate *top;             /* [n_top], owned */
    size_t n_top;
} scored;

static void *copy(const void *from, size_t n_bytes) {
    void *to = malloc(n_bytes ? n_bytes : 1);
    if (to && n_bytes) memcpy(to, from, n_bytes);
    return to;
}

static void keep(void *context, const answer *a) {
    scored *kept = context;
    kept->n = a->n_ids;
    kept->n_top = a->n_candidates;
    kept->ids = copy(a->ids, a->n_ids * sizeof *a->ids);
    kept->logprobs = copy(a->numbers, a->n_ids * sizeof *a->numbers);
    kept->top = copy(a->candidates, a->n_candidates * sizeof *a->candidates);
}

static void quote(void *context, const answer *a) {
    *(char **)context = term_quote(a->text, a->n_bytes);
}

/* A row: place, id, text, log-probability and probability. */
static int row_show(client *c, const score_flags *flags, table *t, const char *place, int32_t id,
                    double logprob) {
    char *text = NULL;
    const call asked = {.kind = CALL_DETOKENIZE, .model = flags->model, .ids = &id, .n_ids = 1};
    int code = ask_on(c, &asked, quote, &text);
    table_cell(t, "%s", place);
    table_cell(t, "%d", id);
    table_cell(t, "%s", text ? text : "");
    if (isnan(logprob)) table_cell(t, "%s", "");
    else table_cell(t, "%.4f", logprob);
    if (isnan(logprob)) table_cell(t, "%s", "");
    else table_cell(t, "%.4f", fmath_exp(logprob));
    free(text);
    return code;
}

static int rows_show(client *c, const score_flags *flags, table *t, const scored *kept) {
    static const char *const heads[] = {"#", "id", "token", "logprob", "probability"};
    for (size_t i = 0; i < 5; i++) {
        table_cell(t, "%s", heads[i]);
        if (i != 2) table_align_right(t, i);
    }
    int code = EXIT_FINE;
    for (size_t i = 0; i < kept->n && code == EXIT_FINE; i++) {
        char place[24];
        snprintf(place, sizeof place, "%zu", i);
        code = row_show(c, flags, t, place, kept->ids[i], kept->logprobs[i]);
    }
    for (size_t i = 0; i < kept->n_top && code == EXIT_FINE; i++) {
        code = row_show(c, flags, t, "next", kept->top[i].id, kept->top[i].logprob);
    }
    return code;
}

static int table_show(client *c, const score_flags *flags, const scored *kept) {
    table *t = table_new(5);
    failure f;
    if (!t || !kept->ids || !kept->logprobs || !kept->top) {
        fail(&f, STATUS_NO_MEMORY, "no memory for the answer");
        table_free(&t);
        return outcome_failed(&f);
    }
    int code = rows_show(c, flags, t, kept);
    if (code == EXIT_FINE) table_print(t, stdout);
    double x = perplexity(kept->logprobs, kept->n);
    if (code == EXIT_FINE && !isnan(x)) printf("perplexity %.4f\n", x);
    table_free(&t);
    return code;
}

static int score_for_a_person(const score_flags *flags, const call *asked) {
    client *c = NULL;
    scored kept = {0};
    int code = ask_open(&c, &flags->common);
    if (code == EXIT_FINE) code = ask_on(c, asked, keep, &kept);
    if (code == EXIT_FINE) code = table_show(c, flags, &kept);
    client_close(&c);
    free(kept.ids);
    free(kept.logprobs);
    free(kept.top);
    return code;
}

static void show_json(void *context, const answer *a) {
    (void)context;
    json_print(answer_json(a));
}

static int score_one(score_flags *flags, const char *word) {
    buffer text = {0};
    failure f;
    if (input_read(&text, word, flags->keep_newline, &f) != STATUS_OK) {
        buffer_clear(&text);
        return outcome_failed(&f);
    }
    call asked = {.text = (const uint8_t *)text.bytes, .n_bytes = text.n_bytes};
    call_init(flags, &asked);
    int code = flags->common.json ? ask(&flags->common, &asked, show_json, NULL)
                                  : score_for_a_person(flags, &asked);
    buffer_clear(&text);
    return code;
}

int cmd_score(int argc, char **argv) {
    score_flags flags = {0};
    common_flags_init(&flags.common);
    const option_row rows[] = {
        {.name = "input", .kind = OPTION_TEXT, .value_name = "F.jsonl", .out = &flags.input,
         .help = "lines of {\"text\": …} or {\"ids\": […]}, \"-\" for stdin; the answers are JSON"},
        {.name = "top", .kind = OPTION_UINT, .value_name = "N", .out = &flags.n_top,
         .max = CANDIDATES_MAX, .help = "also the N likeliest next tokens"},
        {.name = "no-special", .kind = OPTION_FLAG, .out = &flags.no_special,
         .help = "special tokens written in the text are plain text, whatever their type"},
        {.name = "bos", .kind = OPTION_FLAG, .out = &flags.bos,
         .help = "put the model's BOS in front, unless the text begins with it"},
         flags_newline_row(&flags.keep_newline),
        {.name = "model", .kind = OPTION_CALL, .value_name = "NAME", .out = &flags.model,
         .take = flags_take_name, .help = "the default model if not given"},
        {.name = "sampler", .kind = OPTION_CALL, .value_name = "POOL", .out = &flags.pool,
         .take = flags_take_name, .help = "pool of the samplerd that computes the softmax"},
        {.name = NULL},
    };
    const options o = {
        .usage = "trivium score [TEXT|-] [flags]",
        .summary = "Print the log-probability of each token of a text, given those before it, and\n"
                   "the perplexity.\n\n"
                   "  trivium score 'The sky is blue' --top 5",
        .tables = {rows, flags.common.rows},
        .n_words_max = 1,
    };
    const char *words[1] = {NULL};
    size_t n_words;
    int code = flags_parse(&o, argc, argv, words, &n_words);
    if (code >= 0) return code;
    if (!flags.input) return score_one(&flags, words[0]);
    if (n_words > 0) return outcome_wrong_use("--input and a text exclude each other");
    static const batch_rules rules = {.read = read_line, .show = answer_json};
    return batch_run(&flags.common, flags.input, &rules, &flags);
}
