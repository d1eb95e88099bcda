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
#include "client/terminal/in_place.h"
#include "client/terminal/term.h"
#include "proto/base/buffer.h"
#include "proto/base/text.h"
#include "proto/chain/strategy_json.h"

enum {
    CANDIDATES = 6,             /* shown of each step */
    REDRAW_MS = 100,            /* in place: no faster than an eye follows */
    PENDING_BYTES_MAX = 256 * 1024,     /* not taken by stdout yet: what comes now is not shown */
    TAIL_BYTES = 240, TAIL_CELLS = 80,  /* at most, of the text above the newest step */
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
    bool in_place, colour;
    buffer text;                /* in place: of the steps seen, its end */
    buffer block;               /* in place: the newest step, not drawn yet */
    in_place place;
    int redraw_timer;           /* -1: not set */
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

/* The end of the text on one line, quoted. A token may be half a character, which is shown
 * as U+FFFD, so that it does not make all of the text escapes. */
static void print_tail(FILE *to, const buffer *text, size_t n_columns) {
    size_t n_room = n_columns < TAIL_CELLS ? n_columns : TAIL_CELLS, n_whole;
    char *whole = text_replace_ill_formed((const uint8_t *)text->bytes, text->n_bytes, &n_whole);
    char *line = whole ? term_quote((const uint8_t *)whole, n_whole) : NULL;
    free(whole);
    if (!line) return;
    const char *from = line;
    size_t width = term_width(from), n_cells = 0;
    while (width > n_room - 1) {
        from += term_character(from, &n_cells);
        width -= n_cells;
    }
    fprintf(to, "%s%s\n", from == line ? "" : "\u2026", from);
    free(line);
}

/* The tail, then the newest step: malloc'ed; NULL: no memory. */
static char *lines_of(const view *v, size_t *n_bytes) {
    char *lines = NULL;
    FILE *to = open_memstream(&lines, n_bytes);
    if (to) print_tail(to, &v->text, in_place_columns(&v->place));
    if (to) fwrite(v->block.bytes, 1, v->block.n_bytes, to);
    if (to && fclose(to) == 0) return lines;
    free(lines);
    return NULL;
}

/* Unless the terminal still has to take what was drawn last: then once it has. */
static void redraw(view *v) {
    char *lines, *shown = NULL;
    size_t n_lines_bytes = 0, n_shown = 0;
    if (v->block.n_bytes == 0 || output_pending_bytes(v->out) > 0) return;
    lines = lines_of(v, &n_lines_bytes);
    FILE *to = lines ? open_memstream(&shown, &n_shown) : NULL;
    if (to) in_place_print(&v->place, to, lines);
    bool whole = to && fclose(to) == 0;
    say(v, whole ? output_write(v->out, shown, n_shown) : STATUS_NO_MEMORY);
    buffer_drop(&v->block, v->block.n_bytes);
    free(lines);
    free(shown);
}

static void on_redraw(void *context) {
    view *v = context;
    v->redraw_timer = -1;
    redraw(v);
}

static void show_in_place(view *v, const watch_trace *trace, const char *block, size_t n_block) {
    if (trace->token.step != v->next_step && v->text.n_bytes > 0)
        say(v, buffer_add(&v->text, "\u2026", strlen("\u2026")));
    say(v, buffer_add(&v->text, trace->token.text, trace->token.n_bytes));
    if (v->text.n_bytes > TAIL_BYTES) buffer_drop(&v->text, v->text.n_bytes - TAIL_BYTES);
    while (v->text.n_bytes > 0 && (v->text.bytes[0] & 0xC0) == 0x80) buffer_drop(&v->text, 1);
    buffer_drop(&v->block, v->block.n_bytes);
    say(v, buffer_add(&v->block, block, n_block));
    if (v->redraw_timer < 0)
        v->redraw_timer = loop_once(client_loop(v->client), REDRAW_MS, on_redraw, v);
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
    size_t n_columns = v->in_place ? in_place_columns(&v->place) : term_columns(stdout);
    if (to) candidates_print(to, &trace->token, trace->chain, n_columns, v->colour);
    bool whole = to && fclose(to) == 0;
    if (!whole) {
        say(v, STATUS_NO_MEMORY);
    } else if (v->in_place) {
        show_in_place(v, trace, shown, n_shown);
    } else {
        show_gap(v, trace->token.step);
        say(v, output_write(v->out, shown, n_shown));
    }
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

static void on_begun(void *context, const watch_start *start) {
    view *v = context;
    if (v->begun) return;       /* at another tokenizerd now: the steps go on, or a gap tells */
    v->begun = true;
    v->next_step = start->step;
    if (!v->flags->common.json) {
        fprintf(stderr, "%s: %u prompt ids, from step %u on\n",
                start->model[0] ? start->model : "no model yet", start->n_prompt, start->step);
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
    else if (v->finished || v->redraw_timer < 0) redraw(v);
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
    else if (!v->in_place && end->n_tokens > v->next_step) show_gap(v, end->n_tokens);
    on_progress(v);
}

/* ---- the whole ---- */

/* On stderr, when all that was seen is out. */
static void tell_end(const view *v) {
    fprintf(stderr, "over after %u tokens: %s\n", v->end.n_tokens,
            finish_reason_name(v->end.reason));
}

static int view_run(view *v) {
    static const watch_events events = {.begun = on_begun, .seen = on_seen, .over = on_over};
    failure f;
    v->out = output_new(client_loop(v->client), STDOUT_FILENO, on_progress, v);
    status st = v->out ? client_watch(v->client, &v->request, &events, v, &f)
                       : fail(&f, STATUS_NO_MEMORY, "no memory to watch");
    if (st != STATUS_OK) return outcome_failed(&f);
    if (loop_run(client_loop(v->client))) return EXIT_INTERRUPTED;
    if (v->code == EXIT_FINE && !v->flags->common.json) tell_end(v);
    return v->code;
}

static int watch(const watch_flags *flags, const char *text) {
    view v = {
        .flags = flags,
        .in_place = in_place_works(STDOUT_FILENO) && !flags->all && !flags->common.json,
        .colour = term_has_colour(stdout),
        .place = {.fd = STDOUT_FILENO},
        .redraw_timer = -1,
        .request.n_candidates = (uint32_t)flags->n_candidates,
    };
    int code = ask_open(&v.client, &flags->common);
    if (code == EXIT_FINE) code = request_find(v.client, text, v.request.id);
    if (code == EXIT_FINE) {
        text_hex(v.request.id, REQUEST_BYTES, v.digits);
        code = view_run(&v);
    }
    output_free(&v.out);
    client_close(&v.client);
    buffer_clear(&v.text);
    buffer_clear(&v.block);
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
