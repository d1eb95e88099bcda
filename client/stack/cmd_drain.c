#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/ask.h"
#include "client/cli/command_table.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "daemon.h"
#include "proto/base/clock.h"
#include "roster.h"

enum {
    GONE_MS = 5000,             /* its last word comes a moment before its end */
    LOOK_US = 10 * 1000,
    TIMEOUT_MS = 2 * DRAIN_MS,
    EACH_WAIT_S = 2,            /* for one of several tokenizerds, another of which has answered */
};

typedef struct drain_flags {
    common_flags common;
    const char *host;
    uint64_t pid;
    double timeout_s;
} drain_flags;

/* Its place is free when this returns, if it ran on this host. */
static void await_end(const drain_answer *a) {
    const daemon_report who = {.role = a->role, .name = a->name, .host = a->host, .pid = a->pid};
    daemon_process process;
    if (!report_process(&who, &process)) return;
    uint64_t until_ms = clock_ms() + GONE_MS;
    while (daemon_alive(&process) && clock_ms() < until_ms) usleep(LOOK_US);
}

static void show(void *context, const answer *a) {
    const drain_flags *flags = context;
    const drain_answer *d = answer_to_drain(a);
    await_end(d);
    if (flags->common.json) {
        json_print(json_pack("{s: s, s: o, s: I, s: o, s: i, s: i}", "role", d->role, "name", json_text(d->name), "pid",
                             (json_int_t)d->pid, "host", json_text(d->host), "texts", (int)d->n_texts, "handed_over",
                             (int)d->n_left));
        return;
    }
    printf("drained %s %s (pid %ld)", d->role, d->name, d->pid);
    if (strcmp(d->role, "samplerd") != 0) printf(": %u text%s ended there", d->n_texts, d->n_texts == 1 ? "" : "s");
    if (d->n_left > 0) printf(", %u go%s on elsewhere", d->n_left, d->n_left == 1 ? "es" : "");
    putchar('\n');
}

/* It may hang, or have been started with a longer --drain: which of both is not known here. */
static void say_late(const drain_flags *flags, const char *name, failure *f) {
    fail(f, STATUS_TIMEOUT, "%s has not gone within %g s: it drains on, unless it hangs; --timeout waits longer", name,
         flags->timeout_s);
}

/* -1: that was asked there, and `f` says what came of it; else the exit code. */
static int ask_at(drain_flags *flags, const common_flags *where, const char *name, failure *f) {
    const question asked = {.kind = ASK_DRAIN, .drain = {.name = name, .host = flags->host, .pid = (int32_t)flags->pid}};
    client *c = NULL;
    int code = ask_open(&c, where);
    if (code != EXIT_FINE) return code;
    client_ask_within(c, (uint32_t)lround(flags->timeout_s * 1000), &asked, show, flags, f);
    client_close(&c);
    return f->code == STATUS_CANCELLED ? EXIT_INTERRUPTED : -1;
}

/* Of several tokenizerds not each knows that daemon: whoever answers first is asked, then each of them, until one does. */
static int drain(drain_flags *flags, const char *name) {
    const common_flags *all = &flags->common;
    failure f = {.code = STATUS_OK}, unheard = f;
    int code = ask_at(flags, all, name, &f);
    size_t n_each = all->n_endpoints > 1 && f.code == STATUS_NOT_FOUND ? all->n_endpoints : 0;
    for (size_t i = 0; i < n_each && code < 0 && (f.code == STATUS_NOT_FOUND || f.code == STATUS_NO_TOKENIZERD); i++) {
        common_flags one = *all;
        one.endpoints[0] = all->endpoints[i];
        one.n_endpoints = 1;
        if (one.wait_s < 0) one.wait_s = EACH_WAIT_S;
        code = ask_at(flags, &one, name, &f);
        if (f.code == STATUS_NO_TOKENIZERD) unheard = f;
    }
    if (code >= 0 || f.code == STATUS_OK) return code >= 0 ? code : EXIT_FINE;
    if (f.code == STATUS_TIMEOUT) say_late(flags, name, &f);
    return outcome_failed(f.code == STATUS_NOT_FOUND && unheard.code != STATUS_OK ? &unheard : &f);
}

int cmd_drain(int argc, char **argv) {
    drain_flags flags = {.timeout_s = TIMEOUT_MS / 1000.0};
    common_flags_init(&flags.common);
    const option_row rows[] = {
        {.name = "pid", .kind = OPTION_UINT, .value_name = "N", .out = &flags.pid, .min = 1, .max = INT32_MAX,
         .help = "which one of several of this name"},
        {.name = "host", .kind = OPTION_TEXT, .value_name = "HOST", .out = &flags.host, .help = "the same, of another host"},
        {.name = "timeout", .kind = OPTION_REAL, .value_name = "S", .out = &flags.timeout_s, .min = 1,
         .max = (DRAIN_MS_MAX + TIMEOUT_MS) / 1000.0, .help = "seconds to wait until it is gone (60); longer than its --drain"},
        {.name = NULL},
    };
    const options o = {
        .usage = "trivium drain NAME [flags]",
        .summary = "End a daemon in order, and return when it is gone: it takes nothing new, what it has\n"
                   "goes on to its end, and what is left when its time (the daemon's own\n"
                   "--drain) is over goes on elsewhere. NAME as `trivium status` shows it: a\n"
                   "tokenizerd's, a modeld's or a samplerd's; of several --endpoint each is asked\n"
                   "until one knows it. `up --keep` does not start it again. It is for operators,\n"
                   "such as the user who runs the daemons.\n\n"
                   "  trivium drain SmolLM2-135M-Instruct.Q4_1 --pid 4711",
        .tables = {rows, flags.common.rows},
        .n_words_max = 1,
    };
    const char *name = NULL;
    size_t n_words;
    int code = flags_parse(&o, argc, argv, &name, &n_words);
    if (code >= 0) return code;
    if (!name || !*name) return outcome_wrong_use("NAME is missing: `trivium status` shows which daemons are there");
    return drain(&flags, name);
}
