#include "generate_batch.h"

#include <stdio.h>
#include <unistd.h>

#include "batch_progress.h"
#include "client/cli/ask.h"
#include "client/cli/outcome.h"
#include "client/terminal/in_place.h"
#include "client/terminal/progress.h"
#include "line_text.h"
#include "proto/base/clock.h"

enum { PROGRESS_MS = 250 };

typedef struct generate_batch {
    line_text_rules rules;
    batch *lines;
    bool gives_way;             /* results go to a terminal, where the line of progress would meet them */
    uint64_t begun_us;
    timer ticks;                /* of the progress */
} generate_batch;

static status on_line(void *context, batch_line *line, const json_t *object, failure *f) {
    generate_batch *g = context;
    return line_text_begin(&g->rules, line, object, f);
}

static void on_mark(void *context, const batch_line *line, const json_t *object, json_t *result) {
    (void)context;
    json_t *id = json_object_get(object, "id");
    json_object_set_new(result, "line", json_integer((json_int_t)batch_line_number(line)));
    if (id) json_object_set(result, "id", id);
}

static void on_cancel(void *context, void *work) {
    (void)context;
    line_text_cancel(work);
}

static void on_drop(void *context, void *work) {
    (void)context;
    line_text_free(work);
}

/* ---- progress ---- */

static batch_figures figures(const generate_batch *g) {
    return (batch_figures){
        .counts = batch_count(g->lines), .n_tokens = g->rules.n_tokens,
        .seconds = (double)(clock_us() - g->begun_us) * 1e-6};
}

static void on_write(void *context) {
    const generate_batch *g = context;
    if (g->gives_way) progress_clear();
}

static void on_tell(void *context) {
    (void)context;
    progress_clear();
}

/* No text stands half written on stdout: here, lines come whole. */
static void on_waiting(void *context, const char *sentence, bool in_text) {
    (void)context, (void)in_text;
    progress_clear();
    fprintf(stderr, "trivium: %s\n", sentence);
}

static void on_tick(void *context) {
    const generate_batch *g = context;
    if (batch_pending_bytes(g->lines) == 0) batch_progress_show(figures(g));
}

/* ---- the whole ---- */

static int batch_write(generate_batch *g, const generate_batch_options *how) {
    loop *l = client_loop(g->rules.client);
    g->begun_us = clock_us();
    const bool is_watched = in_place_works(STDERR_FILENO);
    if (is_watched) loop_every(l, &g->ticks, PROGRESS_MS, on_tick, g);
    int code = batch_run(g->lines);
    if (is_watched) batch_progress_end(figures(g));
    if (how->timings) batch_progress_tell(figures(g));
    return code;
}

int generate_batch_run(const generate_batch_options *how) {
    static const batch_events events = {.begin = on_line, .mark = on_mark, .write = on_write,
                                        .tell = on_tell, .cancel = on_cancel, .drop = on_drop};
    const batch_options lines = {.path = how->path, .n_under_way_max = how->n_parallel,
                                 .as_completed = how->as_completed};
    generate_batch g = {.rules = {.flags = how->flags}, .gives_way = isatty(STDOUT_FILENO)};
    failure f;
    if (seed_choose(&how->flags->seed, &g.rules.seed, &f) != STATUS_OK) return outcome_failed(&f);
    int code = ask_open(&g.rules.client, how->common);
    if (code != EXIT_FINE) return code;
    client_set_waiting(g.rules.client, on_waiting, &g);
    g.lines = batch_new(g.rules.client, &lines, &events, &g, &f);
    code = g.lines ? batch_write(&g, how) : outcome_failed(&f);
    batch_free(&g.lines);
    client_close(&g.rules.client);
    return code;
}
