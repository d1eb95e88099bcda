#include "writing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/ask.h"
#include "client/cli/candidates.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/cli/output.h"
#include "client/terminal/term.h"
#include "generation_json.h"
#include "proto/base/buffer.h"
#include "proto/base/text.h"

typedef struct writing {
    const writing_options *how;
    const generation_request *request;
    char digits[2 * REQUEST_BYTES + 1];     /* of its id */
    client *client;
    output *out;
    buffer text;                /* all of it so far */
    char model[NAME_BYTES_MAX + 1];
    uint32_t n_prompt, n_tokens;
    double tokens_per_s;        /* decoded */
    bool finished;              /* done came; only stdout may still have to take something */
    bool interrupted, broken;   /* by Ctrl-C; by a stdout that failed or lack of memory */
    int code;
} writing;

/* ---- what is shown ---- */

static void writing_break(writing *w, status code, const char *what, const char *why) {
    failure f;
    fail(&f, code, "%s: %s", what, why);
    if (!w->broken) outcome_failed(&f);
    w->broken = true;
    client_cancel(w->client, w->request->id);
}

static void say(writing *w, status st) {
    if (st != STATUS_OK) writing_break(w, st, "cannot show the text", "no memory");
}

/* Bytes as they are; on a terminal none that it would obey. */
static void show_text(writing *w, const void *bytes, size_t n_bytes) {
    if (!isatty(STDOUT_FILENO)) {
        say(w, output_write(w->out, bytes, n_bytes));
        return;
    }
    char *shown = term_harmless(bytes, n_bytes);
    say(w, shown ? output_write(w->out, shown, strlen(shown)) : STATUS_NO_MEMORY);
    free(shown);
}

static void on_started(void *context, const generation_start *start) {
    writing *w = context;
    w->n_prompt = start->n_prompt;
    snprintf(w->model, sizeof w->model, "%s", start->model);
    if (start->has_own_bos)
        fprintf(stderr, "the prompt begins with the model's BOS: no second one is put before it\n");
    bool has_others = start->n_models > 1 && !w->how->common->json;
    if (w->how->verbose || has_others) fprintf(stderr, "model %s\n", w->model);
    if (!w->how->common->json) return;
    json_t *line = json_pack("{s: {s: s, s: o, s: I, s: i}}", "start",
                             "request", w->digits,
                             "model", json_text(start->model),
                             "seed", (json_int_t)start->seed,
                             "prompt_tokens", (int)start->n_prompt);
    say(w, output_json(w->out, line));
}

/* Text that belongs to no token is a line of its own. */
static void chunk_json(writing *w, const generation_chunk *chunk) {
    for (size_t i = 0; i < chunk->n_tokens; i++) {
        say(w, output_json(w->out, generation_token_json(chunk, i, w->request->n_candidates > 0)));
    }
    if (chunk->n_tokens > 0) return;
    say(w, output_json(w->out, json_pack("{s: i, s: o}", "step", (int)chunk->step, "text",
                                         json_bytes(chunk->text, chunk->n_bytes))));
}

/* Each token of a chunk over its candidates, instead of the bare text. */
static void chunk_candidates(writing *w, const generation_chunk *chunk) {
    char *shown = NULL;
    size_t n_shown = 0;
    FILE *to = open_memstream(&shown, &n_shown);
    bool colour = term_has_colour(stdout);
    for (size_t i = 0; to && i < chunk->n_tokens; i++) {
        candidates_print(to, &chunk->tokens[i], chunk->chain, term_columns(stdout), colour);
    }
    bool whole = to && fclose(to) == 0;
    say(w, whole ? output_write(w->out, shown, n_shown) : STATUS_NO_MEMORY);
    free(shown);
}

static void on_chunk(void *context, const generation_chunk *chunk) {
    writing *w = context;
    say(w, buffer_add(&w->text, chunk->text, chunk->n_bytes));
    if (w->how->common->json) chunk_json(w, chunk);
    else if (w->request->n_candidates > 0) chunk_candidates(w, chunk);
    else show_text(w, chunk->text, chunk->n_bytes);
}

/* ---- the end ---- */

static json_t *done_json(const writing *w, const generation_done *done) {
    json_t *line = json_pack("{s: s, s: o, s: i, s: o}",
                             "finish_reason", finish_reason_name(done->reason),
                             "text", json_bytes(w->text.bytes, w->text.n_bytes),
                             "completion_tokens", (int)done->n_tokens,
                             "timings", generation_timings_json(done, w->n_prompt));
    if (line && done->reason == FINISHED_ERROR) {
        json_object_set_new(line, "error", json_failure(done->code, done->message));
    }
    return line ? json_pack("{s: o}", "done", line) : NULL;
}

/* The exit code that a Done stands for, after its sentence where it needs one. */
static int done_outcome(const writing *w, const generation_done *done) {
    failure f;
    switch (done->reason) {
    case FINISHED_STOP:
    case FINISHED_LENGTH: return EXIT_FINE;
    case FINISHED_CANCELLED:
        if (w->interrupted || w->broken) return EXIT_FAILED;
        fail(&f, STATUS_CANCELLED, "the request was cancelled from elsewhere");
        break;
    case FINISHED_SUPERSEDED:
        fail(&f, STATUS_CANCELLED, "another client went on with the request");
        break;
    case FINISHED_ERROR: fail(&f, done->code, "%s", done->message); break;
    }
    return outcome_failed(&f);
}

/* stdout took something, or failed. */
static void on_progress(void *context) {
    writing *w = context;
    int error = output_error(w->out);
    if (error && !w->broken) {
        if (error == EPIPE) w->broken = true;       /* the reader has seen enough */
        else writing_break(w, STATUS_IO, "cannot write the text", strerror(error));
        client_cancel(w->client, w->request->id);
    }
    if (w->finished && output_pending_bytes(w->out) == 0) loop_stop(client_loop(w->client));
}

static void on_done(void *context, const generation_done *done) {
    writing *w = context;
    bool has_line = w->text.n_bytes > 0 || done->reason != FINISHED_ERROR;
    if (w->how->common->json) say(w, output_json(w->out, done_json(w, done)));
    else if (w->request->n_candidates > 0) show_text(w, w->text.bytes, w->text.n_bytes);
    if (!w->how->common->json && has_line) say(w, output_write(w->out, "\n", 1));
    w->n_tokens = done->n_tokens;
    w->tokens_per_s = generation_decoded_per_second(done);
    w->code = done_outcome(w, done);
    w->finished = true;
    on_progress(w);
}

/* ---- the whole ---- */

/* One line on what ran, when the text is out; where nothing ran, none. */
static void tell_timings(const writing *w) {
    if (!w->model[0]) return;
    fprintf(stderr, "%s: %u tokens, %.1f tok/s\n", w->model, w->n_tokens, w->tokens_per_s);
}

/* How to have the text again: to a person, who sees it below the text. */
static void tell_seed(const writing *w) {
    if (!isatty(STDERR_FILENO) || w->how->common->json || w->how->verbose || w->n_tokens == 0) return;
    bool colour = term_has_colour(stderr);
    term_dim_begin(stderr, colour);
    fprintf(stderr, "seed %llu", (unsigned long long)w->request->seed);
    term_dim_end(stderr, colour);
    fputc('\n', stderr);
}

/* Until everything is written. The first Ctrl-C cancels and waits for the end, a second does not. */
static int writing_end(writing *w) {
    while (loop_run(client_loop(w->client))) {
        if (w->interrupted) return EXIT_INTERRUPTED;
        w->interrupted = true;
        client_cancel(w->client, w->request->id);
    }
    if (w->how->seed_matters && w->finished) tell_seed(w);
    if (w->how->timings && w->finished) tell_timings(w);
    if (w->interrupted) return EXIT_INTERRUPTED;
    return w->broken ? EXIT_FAILED : w->code;
}

static int writing_begin(writing *w) {
    static const generation_events events = {
        .started = on_started, .chunk = on_chunk, .done = on_done};
    failure f;
    int code = ask_open(&w->client, w->how->common);
    if (code != EXIT_FINE) return code;
    w->out = output_new(client_loop(w->client), STDOUT_FILENO, on_progress, w);
    status st = w->out ? client_generate(w->client, w->request, &events, w, &f)
                       : fail(&f, STATUS_NO_MEMORY, "no memory for the text");
    return st == STATUS_OK ? writing_end(w) : outcome_failed(&f);
}

int writing_run(const writing_options *how, const generation_request *request) {
    writing w = {.how = how, .request = request};
    text_hex(request->id, REQUEST_BYTES, w.digits);
    if (how->verbose)
        fprintf(stderr, "request %s\nseed %llu\n", w.digits, (unsigned long long)request->seed);
    int code = writing_begin(&w);
    output_free(&w.out);
    client_close(&w.client);
    buffer_clear(&w.text);
    return code;
}
