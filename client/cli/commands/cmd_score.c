#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/ask.h"
#include "client/cli/command_table.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/terminal/table.h"
#include "client/terminal/term.h"
#include "proto/numeric/fmath.h"
#include "text_command.h"

typedef struct score_flags {
    text_flags text;
    const char *pool, *traceparent;
    uint64_t n_top;
} score_flags;

static question question_of(const score_flags *flags, const question_text *text) {
    return (question){.kind = ASK_SCORE,
                      .score = {.model = flags->text.model, .pool = flags->pool, .text = *text,
                                .n_top = (uint32_t)flags->n_top, .traceparent = flags->traceparent}};
}

/* Ids win over a text. */
static status read_line(const void *context, task *t, failure *f) {
    const score_flags *flags = context;
    const question_text text = text_asked(&flags->text);
    score_question *asked = &t->question.score;
    t->question = question_of(flags, &text);
    asked->has_ids = json_object_get(t->line, "ids") != NULL;
    if (!asked->has_ids) return task_text(t, "text", &asked->text, f);
    status st = task_ids(t, "ids", f);
    asked->ids = t->ids.ids;
    asked->n_ids = t->ids.n_ids;
    return st;
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
    const score_answer *said = answer_to_score(a);
    return json_pack("{s: o, s: o, s: o, s: o}",
                     "ids", ids_to_json(said->ids, said->n_ids),
                     "logprobs", json_numbers(said->logprobs, said->n_ids),
                     "perplexity", json_number(perplexity(said->logprobs, said->n_ids)),
                     "top", json_list(said->n_top, candidate_at, said->top));
}

/* ---- for a person: a table, token by token ---- */

typedef struct scored {
    int32_t *ids;               /* [n], owned */
    double *logprobs;           /* [n], owned */
    size_t n;
    candidate *top;             /* [n_top], owned */
    size_t n_top;
    char model[NAME_BYTES_MAX + 1], fingerprint[NAME_BYTES_MAX + 1];   /* "": not told */
} scored;

static void *copy(const void *from, size_t n_bytes) {
    void *to = malloc(n_bytes ? n_bytes : 1);
    if (to && n_bytes) memcpy(to, from, n_bytes);
    return to;
}

static void keep(void *context, const answer *a) {
    scored *kept = context;
    const score_answer *said = answer_to_score(a);
    kept->n = said->n_ids;
    kept->n_top = said->n_top;
    snprintf(kept->model, sizeof kept->model, "%s", said->model);
    snprintf(kept->fingerprint, sizeof kept->fingerprint, "%s", said->fingerprint);
    kept->ids = copy(said->ids, said->n_ids * sizeof *said->ids);
    kept->logprobs = copy(said->logprobs, said->n_ids * sizeof *said->logprobs);
    kept->top = copy(said->top, said->n_top * sizeof *said->top);
}

static void quote(void *context, const answer *a) {
    const detokenize_answer *said = answer_to_detokenize(a);
    *(char **)context = term_quote(said->text, said->n_bytes);
}

/* A row: place, id, text, log-probability and probability. The text is that of the model that scored it: another one may
 * have its name by now. */
static int row_show(client *c, const score_flags *flags, table *t, const scored *kept, const char *place, int32_t id,
                    double logprob) {
    char *text = NULL;
    const question asked = {
        .kind = ASK_DETOKENIZE,
        .detokenize = {.model = kept->model[0] ? kept->model : flags->text.model,
                       .fingerprint = kept->fingerprint, .ids = &id, .n_ids = 1},
    };
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
        code = row_show(c, flags, t, kept, place, kept->ids[i], kept->logprobs[i]);
    }
    for (size_t i = 0; i < kept->n_top && code == EXIT_FINE; i++) {
        code = row_show(c, flags, t, kept, "next", kept->top[i].id, kept->top[i].logprob);
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

static int score_for_a_person(const score_flags *flags, const question *asked) {
    client *c = NULL;
    scored kept = {0};
    int code = ask_open(&c, &flags->text.common);
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

static int score_one(void *context, const question_text *text) {
    const score_flags *flags = context;
    const question asked = question_of(flags, text);
    return flags->text.common.json ? ask(&flags->text.common, &asked, show_json, NULL)
                                   : score_for_a_person(flags, &asked);
}

int cmd_score(int argc, char **argv) {
    score_flags flags = {0};
    common_flags_init(&flags.text.common);
    const option_row rows[] = {
        {.name = "input", .kind = OPTION_TEXT, .value_name = "F.jsonl", .out = &flags.text.input,
         .help = "lines of {\"text\": …} or {\"ids\": […]}, \"-\" for stdin; the answers are JSON"},
        {.name = "top", .kind = OPTION_UINT, .value_name = "N", .out = &flags.n_top,
         .max = CANDIDATES_MAX, .help = "also the N likeliest next tokens"},
        text_special_row(&flags.text),
        text_bos_row(&flags.text),
        flags_newline_row(&flags.text.keep_newline),
        flags_model_row(&flags.text.model),
        {.name = "sampler", .kind = OPTION_CALL, .value_name = "POOL", .out = &flags.pool,
         .take = flags_take_name, .help = "pool of the samplerd that computes the softmax"},
        flags_traceparent_row(&flags.traceparent),
        {.name = NULL},
    };
    const options o = {
        .usage = "trivium score [TEXT|-] [flags]",
        .summary = "Print the log-probability of each token of a text, given those before it, and\n"
                   "the perplexity.\n\n"
                   "  trivium score 'The sky is blue' --top 5",
        .tables = {rows, flags.text.common.rows},
        .n_words_max = 1,
    };
    static const call_rules rules = {.read = read_line, .show = answer_json};
    return text_command(&o, argc, argv, &flags.text, score_one, &rules, &flags);
}
