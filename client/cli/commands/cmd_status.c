#include <math.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/ask.h"
#include "client/cli/command_table.h"
#include "client/cli/json.h"
#include "client/cli/outcome.h"
#include "client/terminal/columns.h"
#include "client/terminal/table.h"
#include "probe_status.h"
#include "proto/base/clock.h"

/* ---- for a script ---- */

static json_t *daemon_at(const void *from, size_t i) {
    const daemon_report *d = (const daemon_report *)from + i;
    return json_pack("{s: s, s: o, s: I, s: o, s: o, s: o, s: o, s: o, s: o, s: i, s: I}",
                     "role", d->role,
                     "name", json_text(d->name),
                     "pid", (json_int_t)d->pid,
                     "host", json_text(d->host),
                     "uptime_s", json_number(d->uptime_s),
                     "state", json_text(d->state),
                     "model", json_text(d->model),
                     "pool", json_text(d->pool),
                     "semantics", json_text(d->semantics),
                     "outstanding", (int)d->outstanding,
                     "steps", (json_int_t)d->steps);
}

/* While one is replaced there are two of its name, and the first is meant. */
static bool is_default(const status_report *r, const model_summary *m) {
    for (const model_summary *before = r->models; before < m; before++)
        if (strcmp(before->name, m->name) == 0) return false;
    return strcmp(m->name, r->default_model) == 0;
}

static json_t *model_at(const void *from, size_t i) {
    const status_report *r = from;
    const model_summary *m = &r->models[i];
    return json_pack("{s: o, s: b, s: b, s: o, s: i, s: i, s: i, s: i, s: i, s: i, s: i, s: i, s: o}",
                     "name", json_text(m->name),
                     "default", is_default(r, m),
                     "draining", m->is_draining,
                     "fingerprint", json_text(m->fingerprint),
                     "loads", (int)m->loads,
                     "n_vocab", (int)m->n_vocab,
                     "n_ctx", (int)m->n_ctx,
                     "sequences", (int)m->sequences,
                     "waiting", (int)m->waiting,
                     "kv_pages_used", (int)m->kv_pages_used,
                     "kv_pages", (int)m->kv_pages,
                     "kv_page_tokens", (int)m->kv_page_tokens,
                     "tokens_per_s", json_number(m->tokens_per_s));
}

static json_t *report_json(const status_report *r) {
    return json_pack("{s: o, s: o, s: o, s: i, s: i, s: I}",
                     "daemons", json_list(r->n_daemons, daemon_at, r->daemons),
                     "models", json_list(r->n_models, model_at, r),
                     "default_model", *r->default_model ? json_text(r->default_model) : json_null(),
                     "requests", (int)r->requests,
                     "clients", (int)r->clients,
                     "garbage", (json_int_t)r->garbage);
}

/* ---- for a person ---- */

static void heads(table *t, const char *const *names, size_t n) {
    for (size_t i = 0; i < n; i++) table_cell(t, "%s", names[i]);
}

static const char *or_dash(const char *text) {
    return *text ? text : "-";
}

static void daemons_show(const status_report *r) {
    enum { N_COLUMNS = 8, PID = 2, UPTIME = 4 };
    static const char *const names[N_COLUMNS] = {"daemon",   "name",  "pid",   "host",
                                                 "uptime s", "state", "model", "pool"};
    table *t = table_new(N_COLUMNS);
    if (!t) return;
    heads(t, names, N_COLUMNS);
    table_align_right(t, PID);
    table_align_right(t, UPTIME);
    for (size_t i = 0; i < r->n_daemons; i++) {
        const daemon_report *d = &r->daemons[i];
        table_cell(t, "%s", d->role);
        table_cell(t, "%s", or_dash(d->name));
        table_cell(t, "%ld", d->pid);
        table_cell(t, "%s", or_dash(d->host));
        table_cell(t, "%.1f", d->uptime_s);
        table_cell(t, "%s", d->state);
        table_cell(t, "%s", or_dash(d->model));
        table_cell(t, "%s", or_dash(d->pool));
    }
    table_print(t, stdout);
    table_free(&t);
}

static void models_show(const status_report *r) {
    enum { N_COLUMNS = 9 };
    static const char *const names[N_COLUMNS] = {"model",    "loads",         "vocabulary",
                                                 "context",  "sequences",     "waiting",
                                                 "KV pages", "tokens a page", "tok/s"};
    table *t = table_new(N_COLUMNS);
    if (!t) return;
    heads(t, names, N_COLUMNS);
    for (size_t i = 1; i < N_COLUMNS; i++) table_align_right(t, i);
    for (size_t i = 0; i < r->n_models; i++) {
        const model_summary *m = &r->models[i];
        table_cell(t, "%s%s%s", m->name, is_default(r, m) ? " (default)" : "", m->is_draining ? " (draining)" : "");
        table_cell(t, "%u", m->loads);
        table_cell(t, "%u", m->n_vocab);
        table_cell(t, "%u", m->n_ctx);
        table_cell(t, "%u", m->sequences);
        table_cell(t, "%u", m->waiting);
        table_cell(t, "%u of %u", m->kv_pages_used, m->kv_pages);
        table_cell(t, "%u", m->kv_page_tokens);
        table_cell(t, "%.1f", m->tokens_per_s);
    }
    table_print(t, stdout);
    table_free(&t);
}

/* It is waited for, and no other one stands in for it. */
static void default_show(const status_report *r) {
    bool is_here = !*r->default_model;
    for (size_t i = 0; i < r->n_models; i++) is_here |= is_default(r, &r->models[i]);
    char line[NAME_BYTES_MAX + 64];
    snprintf(line, sizeof line, "the default model '%s' is not here", r->default_model);
    if (!is_here) columns_print_text(stdout, line, NULL);
}

static void show(void *context, const answer *a) {
    const common_flags *flags = context;
    const status_report *r = answer_to_status(a);
    if (flags->json) {
        json_print(report_json(r));
        return;
    }
    daemons_show(r);
    putchar('\n');
    if (r->n_models > 0) models_show(r);
    else columns_print_text(stdout, "no model: no modeld has joined", NULL);
    default_show(r);
    char line[128];
    snprintf(line, sizeof line, "\n%u running, %u client%s, %llu unreadable message%s dropped", r->requests, r->clients,
             r->clients == 1 ? "" : "s", (unsigned long long)r->garbage, r->garbage == 1 ? "" : "s");
    columns_print_text(stdout, line, NULL);
}

/* ---- for a probe ---- */

enum {
    PROBE_WAIT_S = 1,           /* whoever probes has a time limit of its own */
    LOOK_US = 100 * 1000,       /* between two looks of one that waits until all is ready */
};

typedef struct status_flags {
    common_flags common;
    bool live, ready;
    const char *model;
    failure missing;            /* STATUS_OK: nothing is */
} status_flags;

static void probe(void *context, const answer *a) {
    status_flags *flags = context;
    flags->missing.code = STATUS_OK;
    if (flags->ready) probe_status_ready(answer_to_status(a), flags->model, &flags->missing);
}

/* With --wait until all is there, at most that long; without it a probe tells what is, and comes again. */
static status look(client *c, status_flags *flags, uint64_t until_ms) {
    failure f;
    for (;;) {
        status st = client_ask(c, &(question){.kind = ASK_STATUS}, probe, flags, &f);
        if (st != STATUS_OK) flags->missing = f;
        if (st != STATUS_OK || flags->missing.code == STATUS_OK || clock_ms() >= until_ms) return st;
        usleep(LOOK_US);
    }
}

static int ask_as_probe(status_flags *flags) {
    client *c = NULL;
    const uint64_t until_ms = flags->common.wait_s < 0 ? 0 : clock_ms() + (uint64_t)lround(flags->common.wait_s * 1000);
    if (flags->common.wait_s < 0) flags->common.wait_s = PROBE_WAIT_S;
    int code = ask_open(&c, &flags->common);
    if (code != EXIT_FINE) return code;
    client_set_waiting(c, NULL, NULL);
    status st = look(c, flags, until_ms);
    client_close(&c);
    if (st == STATUS_CANCELLED) return EXIT_INTERRUPTED;
    const failure *missing = flags->missing.code == STATUS_OK ? NULL : &flags->missing;
    return probe_status_show(flags->live ? "live" : "ready", missing, flags->common.json);
}

int cmd_status(int argc, char **argv) {
    status_flags flags = {0};
    common_flags_init(&flags.common);
    const option_row rows[] = {
        {.name = "live", .kind = OPTION_FLAG, .out = &flags.live, .help = "only: does a tokenizerd answer? exit code 0 or 1"},
        {.name = "ready", .kind = OPTION_FLAG, .out = &flags.ready,
         .help = "only: would a text be served now? exit code 0, or 1 and what is missing"},
        {.name = "model", .kind = OPTION_CALL, .value_name = "NAME", .out = &flags.model, .take = flags_take_name,
         .help = "with --ready: of this model (the default one)"},
        {.name = NULL},
    };
    const options o = {
        .usage = "trivium status [flags]",
        .summary =
            "Show daemons and models: what is there, what state it is in, how busy it is. Or\n"
            "answer a probe: --live and --ready wait one second at most for tokenizerd, and\n"
            "for nothing else; with --wait S up to S seconds, and --ready until all is ready.\n\n"
            "  trivium status --json\n"
            "  trivium status --ready --wait 60",
        .tables = {rows, flags.common.rows},
    };
    size_t n_words;
    int code = flags_parse(&o, argc, argv, NULL, &n_words);
    if (code >= 0) return code;
    if (flags.live && flags.ready) return outcome_wrong_use("--live and --ready are two questions: ask one");
    if (flags.model && !flags.ready) return outcome_wrong_use("--model goes with --ready");
    if (flags.live || flags.ready) return ask_as_probe(&flags);
    return ask(&flags.common, &(question){.kind = ASK_STATUS}, show, &flags.common);
}
