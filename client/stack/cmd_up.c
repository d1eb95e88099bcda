#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "client/cli/command_table.h"
#include "client/cli/flags.h"
#include "client/cli/outcome.h"
#include "client/lib/client.h"
#include "supervisor.h"
#include "stack.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/model_name.h"
#include "proto/base/process/paths.h"
#include "proto/base/process/signals.h"
#include "roster.h"

enum { TICK_MS = 20 };

typedef struct up {
    stack_wish wish;
    bool keep;
    double wait_s;
    char runtime[FOLDER_BYTES];
    stack stack;
    client *client;
    bool asking;                /* a status is under way */
    bool planning, planned, ready;
    char away[NAME_BYTES_MAX + 1];  /* the default model, when it does not run */
    failure why;                /* code is not STATUS_OK: it failed */
    bool wrong_use;             /* … for what was given for modeld */
    timer ticks;
    uint64_t deadline_ms;
    char lacks[64];             /* who is not ready, as of the last status; "": nobody answered */
} up;

/* ---- waiting until all is ready ---- */

static void up_fail(up *u, const failure *f) {
    u->why = *f;
    loop_stop(client_loop(u->client));
}

static status start_missing(up *u, failure *f) {
    for (int i = 0; i < N_STACK_DAEMONS; i++) {
        stack_daemon *one = &u->stack.all[i];
        if (one->runs) continue;
        status st = stack_start(&u->stack, one, f);
        if (st != STATUS_OK) return st;
    }
    return STATUS_OK;
}

/* A big file takes its time to be read: that does not count as waiting. */
static status plan(up *u, const status_report *report, failure *f) {
    uint64_t began_ms = clock_ms();
    u->stack.loop = client_loop(u->client);
    u->planning = true;
    status st = stack_plan(&u->stack, &u->wish, report, &u->planned, f);
    u->planning = false;
    u->deadline_ms += clock_ms() - began_ms;
    return st == STATUS_OK && u->planned ? start_missing(u, f) : st;
}

static void on_status(void *context, const answer *a) {
    up *u = context;
    failure f;
    u->asking = false;
    if (a->code != STATUS_OK) {
        fail(&f, a->code, "%s", a->message);
        up_fail(u, &f);
        return;
    }
    const status_report *report = answer_to_status(a);
    if (!u->planned) {
        if (plan(u, report, &f) != STATUS_OK) up_fail(u, &f);
        return;
    }
    u->ready = stack_ready(&u->stack, report);
    stack_not_ready(&u->stack, report, u->lacks, sizeof u->lacks);
    if (!u->ready) return;
    const char *by_default = report->default_model;
    if (!report_find(report, "modeld", by_default)) snprintf(u->away, sizeof u->away, "%s", by_default);
    loop_stop(client_loop(u->client));
}

/* A tokenizerd has the place where modelds join and not that of clients: ours ends for want of it, and what it says of
 * another place leads to one without models. */
static bool fail_unfound(up *u) {
    failure f;
    daemon_process there, found;
    command_line line;
    if (!daemon_find_holder(u->runtime, "models", &there) || daemon_find_holder(u->runtime, "clients", &found)) return false;
    const char *bound = command_line_of(there.pid, &line) ? command_line_value(&line, "bind-clients") : NULL;
    fail(&f, STATUS_BUSY,
         "tokenizerd (pid %d) runs in this folder already, but listens for clients at %.128s, where `up` does not ask: a modeld "
         "and a samplerd that are started by hand join it, and `kill %d` ends it, so that `up` can start one",
         (int)there.pid, bound ? bound : "another place", (int)there.pid);
    up_fail(u, &f);
    return true;
}

/* One of ours has ended: the last line of its log says why. */
static void fail_dead(up *u, const stack_daemon *dead) {
    failure f;
    int ended;
    if (waitpid(dead->process.pid, &ended, WNOHANG) > 0 && WIFEXITED(ended))
        u->wrong_use = WEXITSTATUS(ended) == EXIT_WRONG_USE;
    char words[400];
    if (!u->wrong_use && fail_unfound(u)) return;
    daemon_last_words(u->runtime, dead->process.name, words, sizeof words);
    if (*words) fail(&f, STATUS_IO, "%s ended at once; it says: %s", dead->process.name, words);
    else fail(&f, STATUS_IO, "%s ended at once, without a word", dead->process.name);
    up_fail(u, &f);
}

static void fail_late(up *u) {
    failure f;
    fail(&f, STATUS_TIMEOUT,
         "not ready after %g s: %s; the logs are in %s, --wait waits longer",
         u->wait_s, *u->lacks ? u->lacks : "tokenizerd", u->runtime);
    up_fail(u, &f);
}

static void on_tick(void *context) {
    static const question asked = {.kind = ASK_STATUS};
    up *u = context;
    failure f;
    if (u->planning) return;
    const stack_daemon *dead = stack_find_dead(&u->stack);
    if (dead) {
        fail_dead(u, dead);
    } else if (clock_ms() >= u->deadline_ms) {
        fail_late(u);
    } else if (stack_start_again(&u->stack, &f) != STATUS_OK) {
        up_fail(u, &f);
    } else if (!u->asking) {
        if (client_call(u->client, &asked, on_status, u, &f) == STATUS_OK) u->asking = true;
        else up_fail(u, &f);
    }
}

/* ---- the whole ---- */

static int up_wait(up *u) {
    failure f;
    char endpoint[ENDPOINT_BYTES_MAX];
    const char *endpoints[] = {endpoint};
    const client_options how = {
        .endpoints = endpoints,
        .n_endpoints = 1,
        .wait_ms =
            (uint32_t)(u->wait_s * 1000) + 2 * TICK_MS, /* on_tick is the one that gives up */
    };
    if (paths_endpoint("clients", endpoint, sizeof endpoint, &f) != STATUS_OK ||
        client_open(&u->client, &how, &f) != STATUS_OK) {
        return outcome_failed(&f);
    }
    u->deadline_ms = clock_ms() + (uint64_t)(u->wait_s * 1000);
    int code = EXIT_FINE;
    loop_every(client_loop(u->client), &u->ticks, TICK_MS, on_tick, u);
    if (loop_run(client_loop(u->client))) code = EXIT_INTERRUPTED;
    if (code == EXIT_FINE && u->why.code != STATUS_OK) code = outcome_failed(&u->why);
    if (u->wrong_use) code = EXIT_WRONG_USE;
    client_close(&u->client);
    return code;
}

/* One that runs already keeps the level that it has. */
static void tell_unreached_logs(const up *u) {
    char names[3 * DAEMON_NAME_BYTES + 16] = "";
    size_t n = 0, n_bytes = 0;
    for (int i = 0; i < N_STACK_DAEMONS; i++) {
        const daemon_process *p = &u->stack.all[i].process;
        if (u->stack.all[i].started || settings_logs(&u->wish.settings, p->pid)) continue;
        n_bytes += (size_t)snprintf(names + n_bytes, sizeof names - n_bytes, "%s%s", n++ ? ", " : "", p->name);
    }
    if (n == 0) return;
    fprintf(stderr, "trivium: --log %s does not reach what runs already: %s; after `trivium down` it does\n",
            u->wish.settings.values[SETTING_LOG], names);
}

static void up_tell(const up *u) {
    bool any = false;
    for (int i = 0; i < N_STACK_DAEMONS; i++) {
        const stack_daemon *one = &u->stack.all[i];
        if (one->started) printf("started %s (pid %d)\n", one->process.name, (int)one->process.pid);
        any |= one->started;
    }
    if (!any) printf("everything runs already, with the model %s\n", u->stack.model);
    fflush(stdout);
    tell_unreached_logs(u);
    if (*u->away)
        fprintf(stderr, "trivium: the default model '%s' is not here, and requests without --model wait for it\n",
                u->away);
    if (u->stack.file.stands_in && u->stack.all[STACK_MODELD].started)
        fprintf(stderr, "the embedded model writes, made for the chapter: "
                        "`make model` fetches one that talks\n");
}

/* All of it or nothing: what was started in vain is ended again. */
static int up_start(up *u) {
    failure f;
    stack_daemon *tokenizerd = &u->stack.all[STACK_TOKENIZERD];
    status st = stack_init(&u->stack, u->runtime, &u->wish, &f);
    if (st == STATUS_OK && !tokenizerd->runs) st = stack_start(&u->stack, tokenizerd, &f);
    int code = st == STATUS_OK ? up_wait(u) : outcome_failed(&f);
    if (code == EXIT_FINE) up_tell(u);
    else stack_stop(&u->stack);
    return code;
}

static int up_run(up *u) {
    failure f;
    int lock;
    if (paths_ensure_runtime(u->runtime, sizeof u->runtime, &f) != STATUS_OK ||
        daemons_lock(u->runtime, u->wait_s, &lock, &f) != STATUS_OK) {
        return outcome_failed(&f);
    }
    signals_set(SIGNALS_HOLD);  /* what is started in vain is ended, whenever the Ctrl-C comes */
    int code = up_start(u);
    if (code == EXIT_FINE && u->keep && supervisor_begin(&u->stack, &f) != STATUS_OK) {
        stack_stop(&u->stack);
        code = outcome_failed(&f);
    }
    daemons_unlock(u->runtime, &lock);
    return code == EXIT_FINE && u->keep ? supervisor_run(&u->stack) : code;
}

static status take_name(void *out, const char *flag, const char *value, failure *f) {
    (void)flag;
    *(const char **)out = value;
    return model_name_check(value, f);
}

static status take_level(void *out, const char *flag, const char *value, failure *f) {
    log_level level;
    *(const char **)out = value;
    return log_take_level(&level, flag, value, f);
}

int cmd_up(int argc, char **argv) {
    static up u = {.wait_s = WAIT_MS / 1000.0};
    const char **values = u.wish.settings.values;
    const option_row rows[] = {
        {.name = "model", .letter = 'm', .kind = OPTION_TEXT, .value_name = "PATH",
         .out = &u.wish.path,
         .help = "a GGUF file, or chapter for the embedded model; one that does not run yet is added "
                 "(if not given, $TRIVIUM_MODEL where that is a file or chapter, else the model that runs, else what "
                 "`make model` fetched to $TRIVIUM_CACHE, else chapter)"},
        {.name = "name", .kind = OPTION_CALL, .value_name = "NAME", .out = &u.wish.name,
         .take = take_name, .help = "how requests call the model (the file's name without .gguf)"},
        {.name = "keep", .kind = OPTION_FLAG, .out = &u.keep,
         .help = "stay, start again what ends, end all at Ctrl-C"},
        {.name = "wait", .kind = OPTION_REAL, .value_name = "S", .out = &u.wait_s,
         .max = WAIT_MS_MAX / 1000.0, .help = "seconds until they must be ready (10)"},
        {.name = NULL},
    };
    const option_row for_daemons[] = {
        {.name = "log", .kind = OPTION_CALL, .value_name = "LEVEL", .out = &values[SETTING_LOG],
         .take = take_level, .help = "of the daemons that it starts: quiet, error, info or debug (info); "
                                     "their logs are in the runtime folder"},
        {.name = "default-model", .kind = OPTION_CALL, .value_name = "NAME", .out = &values[SETTING_DEFAULT_MODEL],
         .take = flags_take_name, .help = "tokenizerd's: the model of requests that name none"},
        {.name = "threads", .kind = OPTION_TEXT, .value_name = "N",
         .out = &values[SETTING_THREADS], .help = "this and the next are modeld's, see modeld --help"},
        {.name = "kv-memory", .kind = OPTION_TEXT, .value_name = "SIZE",
         .out = &values[SETTING_KV_MEMORY], .help = "bytes for keys and values"},
        {.name = "n-ctx", .kind = OPTION_TEXT, .value_name = "N", .out = &values[SETTING_N_CTX],
         .help = "positions of the context"},
        {.name = "isa", .kind = OPTION_TEXT, .value_name = "ISA", .out = &values[SETTING_ISA],
         .help = "kernels"},
        {.name = NULL},
    };
    const options o = {
        .usage = "trivium up [FILE] [--name NAME] [--keep] [flags]",
        .summary = "Start what is missing of the three daemons in this runtime folder, and wait\n"
                   "until they are ready.\n\n"
                   "  trivium up SmolLM2-135M-Instruct.Q4_1.gguf\n\n"
                   "Whether a file runs already is seen by what is in it. Another file of the same\n"
                   "name needs a --name; a model that runs keeps the flags that it was started with.",
        .tables = {rows, for_daemons},
        .n_words_max = 1,
    };
    const char *word = NULL;
    size_t n_words;
    int code = flags_parse(&o, argc, argv, &word, &n_words);
    if (code >= 0) return code;
    if (word && u.wish.path)
        return outcome_wrong_use("the model's file is named once: as a word or by --model");
    if (word) u.wish.path = word;
    if (!u.wish.path) u.wish.path = model_file_of_environment();
    return up_run(&u);
}
