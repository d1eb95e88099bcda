#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/ask.h"
#include "client/cli/candidates.h"
#include "client/cli/command_table.h"
#include "client/cli/commands/request.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/cli/output.h"
#include "client/terminal/columns.h"
#include "client/terminal/in_place.h"
#include "client/terminal/term.h"
#include "proto/base/text.h"
#include "proto/chain/strategy_json.h"
#include "terminal_changes.h"
#include "watch_screen.h"

enum {
    CANDIDATES = 6,             /* shown of each step */
    REDRAW_MS = 100,            /* in place: no faster than an eye follows */
    PENDING_BYTES_MAX = 256 * 1024,     /* not taken by stdout yet: what comes now is not shown */
};

typedef struct watch_flags {
    common_flags common;
    uint64_t n_candidates;
    bool all;
} watch_flags;

/* What is watched, as it is shown: step after step, or the newest one in place. */
typedef struct view {
    const watch_flags *flags;
    client *client;
    output *out;
    watch_request request;
    char digits[REQUEST_DIGITS + 1];
    bool colour;
    watch_screen *screen;       /* NULL: step after step */
    terminal_changes *changes;  /* beside it */
    timer redraw_timer;
    uint32_t next_step;         /* after the newest that was shown */
    bool begun;
    bool finished;              /* only stdout may still have to take something */
    watch_end end;              /* while `finished`: code and reason, no message */
    int code;
} view;

static void view_fail(view *v, const failure *f) {
    if (v->code == EXIT_FINE) v->code = outcome_failed(f);
    v->finished = true;
    loop_stop(client_loop(v->client));
}

static void say(view *v, status st) {
    failure f;
    fail(&f, st, "cannot show the text: no memory");
    if (st != STATUS_OK) view_fail(v, &f);
}

/* ---- in place ---- */

/* Unless the terminal still has to take what was drawn last: then once it has. */
static void redraw(view *v) {
    char *shown = NULL;
    size_t n_shown = 0;
    terminal_changes_check(v->changes);
    if (!v->screen || !watch_screen_is_due(v->screen) || output_pending_bytes(v->out) > 0) return;
    FILE *to = open_memstream(&shown, &n_shown);
    status st = to ? watch_screen_draw(v->screen, to) : STATUS_NO_MEMORY;
    if (to && fclose(to) != 0) st = STATUS_NO_MEMORY;
    say(v, st == STATUS_OK ? output_write(v->out, shown, n_shown) : st);
    free(shown);
}

static void on_redraw(void *context) {
    view *v = context;
    redraw(v);
}

static void on_resized(void *context) {
    view *v = context;
    watch_screen_resized(v->screen);
    redraw(v);
}

static void on_continued(void *context) {
    view *v = context;
    watch_screen_left(v->screen);
    redraw(v);
}

static void show_in_place(view *v, const watch_trace *trace) {
    say(v, watch_screen_add(v->screen, trace, trace->token.step == v->next_step));
    if (!timer_is_set(&v->redraw_timer)) loop_once(client_loop(v->client), &v->redraw_timer, REDRAW_MS, on_redraw, v);
}

/* ---- step after step ---- */

/* Before the step that comes now, or the end. */
static void show_gap(view *v, uint32_t now) {
    char line[64];
    if (now == v->next_step) return;
    uint32_t n_missing = now - v->next_step;
    int n = now < v->next_step
                ? snprintf(line, sizeof line, "\u2026 drawn anew from step %u on\n", now)
                : snprintf(line, sizeof line, "\u2026 %u step%s not shown\n", n_missing,
                           n_missing == 1 ? "" : "s");
    say(v, output_write(v->out, line, (size_t)n));
}

static void show_step(view *v, const watch_trace *trace) {
    char *shown = NULL;
    size_t n_shown = 0;
    FILE *to = open_memstream(&shown, &n_shown);
    if (to) candidates_print(to, &trace->token, trace->chain, term_columns(stdout), v->colour);
    bool whole = to && fclose(to) == 0;
    show_gap(v, trace->token.step);
    say(v, whole ? output_write(v->out, shown, n_shown) : STATUS_NO_MEMORY);
    free(shown);
}

static void show_json(view *v, const watch_trace *trace) {
    json_t *n_left = json_array();
    for (size_t i = 0; i < trace->token.n_left_items; i++)
        json_array_append_new(n_left, json_integer(trace->token.n_left[i]));
    say(v, output_json(v->out, json_pack("{s: i, s: i, s: o, s: o, s: o, s: o, s: o}",
                                         "step", (int)trace->token.step,
                                         "id", (int)trace->token.id,
                                         "text", json_bytes(trace->token.text, trace->token.n_bytes),
                                         "logprob", json_number(trace->token.logprob),
                                         "candidates", candidates_json(&trace->token, trace->chain),
                                         "n_left", n_left,
                                         "strategy", strategy_to_json(trace->chain))));
}

/* ---- what comes ---- */

static void tell_begin(const watch_start *start) {
    char line[NAME_BYTES_MAX + 80];
    snprintf(line, sizeof line, "%s: %u prompt ids, from step %u on",
             start->model[0] ? start->model : "no model yet", start->n_prompt, start->step);
    columns_print_text(stderr, line, NULL);
}

static void on_begun(void *context, const watch_start *start) {
    view *v = context;
    if (v->begun) return;       /* at another tokenizerd now: the steps go on, or a gap tells */
    v->begun = true;
    v->next_step = start->step;
    if (!v->flags->common.json) {
        tell_begin(start);
        return;
    }
    say(v, output_json(v->out, json_pack("{s: {s: s, s: o, s: i, s: i}}", "watch",
                                         "request", v->digits,
                                         "model", json_text(start->model),
                                         "prompt_tokens", (int)start->n_prompt,
                                         "step", (int)start->step)));
}

static void on_seen(void *context, const watch_trace *trace) {
    view *v = context;
    if (v->finished || output_pending_bytes(v->out) > PENDING_BYTES_MAX) return;
    if (v->flags->common.json) show_json(v, trace);
    else if (v->screen) show_in_place(v, trace);
    else show_step(v, trace);
    v->next_step = trace->token.step + 1;
}

/* stdout took something, or failed. */
static void on_progress(void *context) {
    view *v = context;
    failure f;
    int error = output_error(v->out);
    fail(&f, STATUS_IO, "cannot write to stdout: %s", strerror(error));
    if (error == EPIPE) v->code = EXIT_FAILED;          /* the reader has seen enough */
    if (error) view_fail(v, &f);
    else if (v->finished || !timer_is_set(&v->redraw_timer)) redraw(v);
    if (v->finished && output_pending_bytes(v->out) == 0) loop_stop(client_loop(v->client));
}

static void on_over(void *context, const watch_end *end) {
    view *v = context;
    v->finished = true;
    v->end = (watch_end){.code = end->code, .reason = end->reason, .n_tokens = end->n_tokens};
    failure f;
    if (fail(&f, end->code, "%s", end->message ? end->message : "") != STATUS_OK) {
        view_fail(v, &f);
        return;
    }
    if (v->flags->common.json)
        say(v, output_json(v->out, json_pack("{s: {s: s, s: i}}", "over",
                                             "finish_reason", finish_reason_name(end->reason),
                                             "completion_tokens", (int)end->n_tokens)));
    else if (!v->screen && end->n_tokens > v->next_step) show_gap(v, end->n_tokens);
    on_progress(v);
}

/* ---- the whole ---- */

/* On stderr, when all that was seen is out. */
static void tell_end(const view *v) {
    char line[80];
    snprintf(line, sizeof line, "over after %u tokens: %s", v->end.n_tokens, finish_reason_name(v->end.reason));
    columns_print_text(stderr, line, NULL);
}

/* On a terminal, unless all steps or lines for a program are wanted. */
static status screen_begin(view *v) {
    if (v->flags->all || v->flags->common.json || !in_place_works(STDOUT_FILENO)) return STATUS_OK;
    v->screen = watch_screen_new(STDOUT_FILENO, v->colour);
    if (!v->screen) return STATUS_NO_MEMORY;
    v->changes = terminal_changes_new(client_loop(v->client), on_resized, on_continued, v);
    return STATUS_OK;
}

static int view_run(view *v) {
    static const watch_events events = {.begun = on_begun, .seen = on_seen, .over = on_over};
    failure f;
    v->out = output_new(client_loop(v->client), STDOUT_FILENO, on_progress, v);
    status st = v->out && screen_begin(v) == STATUS_OK
                    ? client_watch(v->client, &v->request, &events, v, &f)
                    : fail(&f, STATUS_NO_MEMORY, "no memory to watch");
    if (st != STATUS_OK) return outcome_failed(&f);
    if (loop_run(client_loop(v->client))) return EXIT_INTERRUPTED;
    if (v->code == EXIT_FINE && !v->flags->common.json) tell_end(v);
    return v->code;
}

static int watch(const watch_flags *flags, const char *text) {
    view v = {
        .flags = flags,
        .colour = term_has_colour(stdout),
        .request.n_candidates = (uint32_t)flags->n_candidates,
    };
    int code = ask_open(&v.client, &flags->common);
    if (code == EXIT_FINE) code = request_find(v.client, text, v.request.id);
    if (code == EXIT_FINE) {
        text_hex(v.request.id, REQUEST_BYTES, v.digits);
        code = view_run(&v);
    }
    terminal_changes_free(&v.changes);
    output_free(&v.out);
    client_close(&v.client);
    watch_screen_free(&v.screen);
    return code;
}

int cmd_watch(int argc, char **argv) {
    watch_flags flags = {.n_candidates = CANDIDATES};
    common_flags_init(&flags.common);
    const option_row rows[] = {
        {.name = "candidates", .kind = OPTION_UINT, .value_name = "N", .out = &flags.n_candidates,
         .min = 1, .max = CANDIDATES_MAX, .help = "shown of each step (6)"},
        {.name = "all", .kind = OPTION_FLAG, .out = &flags.all,
         .help = "step after step on a terminal, too, instead of the newest in place"},
        {.name = NULL},
    };
    const options o = {
        .usage = "trivium watch [REQUEST] [flags]",
        .summary = "See what each step of a running generation has to choose from, what the chain\n"
                   "removed, and what was drawn: where that is none of the candidates shown, it\n"
                   "stands below them. Any number may watch, and none of them slows it:\n"
                   "steps that cannot be shown in time are left out. Without REQUEST, the only one\n"
                   "that runs.\n\n"
                   "  trivium watch 3f2a",
        .tables = {rows, flags.common.rows},
        .n_words_max = 1,
    };
    const char *word;
    int code = request_word(&o, argc, argv, &word);
    return code >= 0 ? code : watch(&flags, word);
}
