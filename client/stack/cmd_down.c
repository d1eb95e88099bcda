#include <stdio.h>
#include <string.h>

#include "client/cli/command_table.h"
#include "client/cli/flags.h"
#include "client/cli/outcome.h"
#include "daemon.h"
#include "proto/base/model_name.h"
#include "proto/base/options.h"
#include "proto/base/process/paths.h"
#include "roster.h"

/* End those of all[n] that have not ended yet. How many. */
static size_t stop(const char *runtime, const daemon_process *all, size_t n) {
    daemon_process list[DAEMONS_MAX];
    size_t n_alive = 0;
    for (size_t i = 0; i < n; i++) {
        if (daemon_alive(&all[i])) list[n_alive++] = all[i];
    }
    if (n_alive > 0) daemons_stop(runtime, list, n_alive);
    for (size_t i = 0; i < n_alive; i++)
        printf("ended %s (pid %d)\n", daemon_is_supervisor(&list[i]) ? "up --keep" : list[i].name,
               (int)list[i].pid);
    return n_alive;
}

/* Those that keep first: each would start again what ends. They end their daemons themselves, one
 * after the other, so that none is told twice by two. */
static int stop_all(const char *runtime, const roster *r) {
    if (r->n == 0) puts(*r->others ? "nothing runs here that is ours to end" : "nothing runs here");
    for (size_t i = 0; i < r->n; i++) {
        if (daemon_is_supervisor(&r->all[i])) stop(runtime, &r->all[i], 1);
    }
    stop(runtime, r->all, r->n);
    daemons_forget_gone(runtime, NULL);
    if (*r->others) printf("left running: %s\n", r->others);
    return EXIT_FINE;
}

/* The models that run here, each once: "a, b". */
static void list_models(const roster *r, char *out, size_t out_bytes) {
    *out = '\0';
    for (size_t i = 0; i < r->n; i++) {
        const char *model = r->all[i].model;
        bool again = !*model;
        for (size_t k = 0; k < i && !again; k++) again = strcmp(r->all[k].model, model) == 0;
        size_t n_bytes = strlen(out);
        if (!again) snprintf(out + n_bytes, out_bytes - n_bytes, "%s%s", n_bytes ? ", " : "", model);
    }
}

static int stop_model(const char *runtime, const roster *r, const char *model) {
    failure f;
    char models[sizeof f.message / 2];
    daemon_process its[DAEMONS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (roster_serves(&r->all[i], model)) its[n++] = r->all[i];
    }
    size_t n_ended = stop(runtime, its, n);
    /* What has ended by itself is not started again, either. */
    bool was_kept = daemons_forget_gone(runtime, model) > 0 && daemons_supervisors(runtime) > 0;
    if (was_kept && n_ended == 0) printf("%s is kept no more\n", model);
    if (was_kept || n_ended > 0) return EXIT_FINE;
    list_models(r, models, sizeof models);
    fail(&f, STATUS_NOT_FOUND, "no model %s runs here: %s%s", model, *models ? "there is " : "none does",
         models);
    return outcome_failed(&f);
}

static int down(const char *model, double wait_s) {
    char runtime[FOLDER_BYTES];
    int lock;
    failure f;
    if (paths_ensure_runtime(runtime, sizeof runtime, &f) != STATUS_OK ||
        daemons_lock(runtime, wait_s, &lock, &f) != STATUS_OK) {
        return outcome_failed(&f);
    }
    roster r;
    roster_take(&r, runtime);
    int code = model ? stop_model(runtime, &r, model) : stop_all(runtime, &r);
    daemons_unlock(runtime, &lock);
    return code;
}

int cmd_down(int argc, char **argv) {
    double wait_s = WAIT_MS / 1000.0;
    const option_row rows[] = {
        {.name = "wait", .kind = OPTION_REAL, .value_name = "S", .out = &wait_s,
         .max = WAIT_MS_MAX / 1000.0, .help = "seconds to wait for an `up` that is at work (10)"},
        {.name = NULL},
    };
    const options o = {
        .usage = "trivium down [MODEL] [flags]",
        .summary = "End the daemons of this runtime folder, and return when they have ended. With\n"
                   "the name of a model, its modeld and samplerds alone: the rest goes on. A daemon\n"
                   "that was started by hand is of this folder when it has a socket there or joins\n"
                   "one. What is left running is said: samplers of your own, daemons on other hosts,\n"
                   "and those of which only their settings file may say where they join.\n\n"
                   "  trivium down\n"
                   "  trivium down SmolLM2-135M-Instruct.Q4_1",
        .tables = {rows},
        .n_words_max = 1,
    };
    const char *model = NULL;
    size_t n_words;
    failure f;
    int code = flags_parse(&o, argc, argv, &model, &n_words);
    if (code >= 0) return code;
    if (model && model_name_check(model, &f) != STATUS_OK) return outcome_wrong_use("%s", f.message);
    return down(model, wait_s);
}
