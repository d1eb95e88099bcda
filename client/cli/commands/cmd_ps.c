#include <stdlib.h>
#include <unistd.h>

#include "client/cli/ask.h"
#include "client/cli/command_table.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/terminal/table.h"
#include "proto/base/text.h"
#include "proto/chain/strategy_json.h"
#include "request.h"

static json_t *request_at(const void *from, size_t i) {
    const request_report *r = (const request_report *)from + i;
    char digits[REQUEST_DIGITS + 1];
    text_hex(r->request, REQUEST_BYTES, digits);
    return json_pack("{s: s, s: i, s: o, s: o, s: o, s: i, s: i, s: o, s: o, s: o, s: o*, s: o*}",
                     "request", digits,
                     "attempt", (int)r->attempt,
                     "session", json_text(r->session),
                     "model", json_text(r->model),
                     "state", json_text(r->state),
                     "prompt_tokens", (int)r->n_prompt,
                     "step", (int)r->step,
                     "tokens_per_s", json_number(r->tokens_per_s),
                     "age_s", json_number(r->age_s),
                     "strategy", strategy_to_json(r->chain),
                     "owner", *r->owner ? json_text(r->owner) : NULL,
                     "owner_name", *r->owner_name ? json_text(r->owner_name) : NULL);
}

/* A terminal has the first digits of the id, which are enough for every command that takes one. */
static void row_show(table *t, const request_report *r, bool with_owner) {
    enum { DIGITS_SHOWN = 8 };
    char digits[REQUEST_DIGITS + 1];
    text_hex(r->request, REQUEST_BYTES, digits);
    char *text = json_strategy_line(r->chain);
    table_cell(t, "%.*s", isatty(STDOUT_FILENO) ? DIGITS_SHOWN : REQUEST_DIGITS, digits);
    if (with_owner) table_cell(t, "%s", *r->owner_name ? r->owner_name : *r->owner ? r->owner : "-");
    table_cell(t, "%s", *r->session ? r->session : "-");
    table_cell(t, "%s", *r->model ? r->model : "-");
    table_cell(t, "%s", r->state);
    table_cell(t, "%u", r->n_prompt);
    table_cell(t, "%u", r->step);
    table_cell(t, "%.1f", r->tokens_per_s);
    table_cell(t, "%.0f", r->age_s);
    table_cell(t, "%s", text ? text : "");
    free(text);
}

/* Only an operator meets texts of others. */
static bool has_others(const list_answer *list) {
    size_t i = 0;
    while (i < list->n_requests && !*list->requests[i].owner) i++;
    return i < list->n_requests;
}

static void table_show(const list_answer *list) {
    enum { N_COLUMNS = 10, OWNER = 1, FIRST_NUMBER = 5, LAST_NUMBER = 8 };
    static const char *const heads[N_COLUMNS] = {"request", "owner", "session", "model", "state",
                                                 "prompt",  "step",  "tok/s",   "age s", "strategy"};
    const bool with_owner = has_others(list);
    table *t = table_new(with_owner ? N_COLUMNS : N_COLUMNS - 1);
    if (!t) return;
    for (size_t i = 0; i < N_COLUMNS; i++)
        if (i != OWNER || with_owner) table_cell(t, "%s", heads[i]);
    for (size_t i = FIRST_NUMBER; i <= LAST_NUMBER; i++) table_align_right(t, with_owner ? i : i - 1);
    for (size_t i = 0; i < list->n_requests; i++) row_show(t, &list->requests[i], with_owner);
    table_print(t, stdout);
    table_free(&t);
}

static void show(void *context, const answer *a) {
    const common_flags *flags = context;
    const list_answer *list = answer_to_list(a);
    if (flags->json)
        json_print(json_pack("{s: o}", "requests",
                             json_list(list->n_requests, request_at, list->requests)));
    else if (list->n_requests == 0) puts("nothing runs");
    else table_show(list);
}

int cmd_ps(int argc, char **argv) {
    common_flags flags;
    common_flags_init(&flags);
    const options o = {
        .usage = "trivium ps [flags]",
        .summary = "List the generations that run: request, session, step, rate, strategy.\n"
                   "Operators see everybody's, and whose each is.\n\n"
                   "  trivium ps --json",
        .tables = {flags.rows},
    };
    size_t n_words;
    int code = flags_parse(&o, argc, argv, NULL, &n_words);
    return code >= 0 ? code : ask(&flags, &(question){.kind = ASK_LIST}, show, &flags);
}
