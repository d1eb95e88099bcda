#include "parts.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "proto/base/process/paths.h"
#include "roster.h"

enum { SUFFIX_BYTES = 48, SUFFIX_NAME_BYTES = 32 };

static const char *const SETTINGS[N_SETTINGS] = {
    [SETTING_THREADS] = "threads",
    [SETTING_KV_MEMORY] = "kv-memory",
    [SETTING_N_CTX] = "n-ctx",
    [SETTING_ISA] = "isa",
};

/* ---- what runs ---- */

static void name_set(part *one, const char *program, const char *suffix) {
    snprintf(one->process.name, sizeof one->process.name, "%s%s", program, suffix);
}

static status program_set(part *one, const char *program, failure *f) {
    char path[PATH_MAX];
    one->line.n_bytes = 0;
    status st = paths_program(program, path, sizeof path, f);
    return st == STATUS_OK ? command_line_add(&one->line, f, "%s", path) : st;
}

/* Found by its pid file? Then it was started as it would be again. */
static bool part_find(parts *p, part *one) {
    daemon_process found;
    if (!daemon_find(p->runtime, one->process.name, &found)) return false;
    command_line line;
    one->process = found;
    one->runs = true;
    if (command_line_of(found.pid, &line)) one->line = line;
    return true;
}

/* By pid file, or because it has joined. */
static void part_look(parts *p, part *one, const daemon_report *joined) {
    daemon_process found;
    if (part_find(p, one) || !joined) return;
    one->runs = true;
    if (!report_process(joined, &found)) return;
    one->process.pid = found.pid;
    one->process.started = found.started;
}

status parts_init(parts *p, const char *runtime, failure *f) {
    memset(p, 0, sizeof *p);
    p->runtime = runtime;
    part *one = &p->all[PART_TOKENIZERD];
    name_set(one, "tokenizerd", "");
    status st = program_set(one, "tokenizerd", f);
    if (!part_find(p, one)) one->runs = daemon_find_holder(runtime, "clients", &one->process);
    return st;
}

static bool is_modeld(const daemon_process *p) {
    return strncmp(p->name, "modeld", strlen("modeld")) == 0;
}

/* The model that is meant when no file is named: the one that runs under this name; without one the default,
 * else any that runs. False: none does. */
static bool model_running(parts *p, const char *name, const status_report *report) {
    const daemon_report *joined = report_find(report, "modeld", *name ? name : report->default_model);
    if (!joined) joined = report_find(report, "modeld", name);
    daemon_process list[DAEMONS_MAX];
    if (joined) {
        snprintf(p->model, sizeof p->model, "%s", joined->name);
        return true;
    }
    for (size_t i = 0, n = daemons_list(p->runtime, list); i < n; i++) {
        if (!is_modeld(&list[i]) || (*name && strcmp(list[i].model, name) != 0)) continue;
        memcpy(p->model, list[i].model, sizeof p->model);
        return true;
    }
    return false;
}

/* ---- names of files ---- */

/* "-NAME" where that is short and a name for a file; else its beginning, and a number made of all of it. */
static void suffix_of(const char *model, char out[SUFFIX_BYTES]) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t n = strlen(model), n_kept = n < SUFFIX_NAME_BYTES ? n : SUFFIX_NAME_BYTES;
    bool is_whole = n_kept == n && strspn(model, letters) == n;
    snprintf(out, SUFFIX_BYTES, "-%.*s", (int)n_kept, model);
    for (char *c = out; *c; c++) {
        if (!strchr(letters, *c)) *c = '_';
    }
    if (!is_whole) snprintf(out + 1 + n_kept, SUFFIX_BYTES - 1 - n_kept, "-%08x", XXH32(model, n, 0));
}

/* A modeld that runs under this name, or one that has ended and is about to be started again by who keeps it. */
static bool has_place(const parts *p, const char *name, daemon_process *out) {
    return daemon_find(p->runtime, name, out) ||
           (daemon_last(p->runtime, name, out) && daemons_keepers(p->runtime) > 0);
}

/* The first model's sampler socket is "samplers"; another one has one of its own, and names to
 * match. */
static void suffix_choose(const parts *p, char out[SUFFIX_BYTES]) {
    char own[DAEMON_NAME_BYTES];
    daemon_process found;
    suffix_of(p->model, out);
    snprintf(own, sizeof own, "modeld%s", out);
    if (has_place(p, own, &found)) return;
    bool is_taken = has_place(p, "modeld", &found) ||
                    daemon_find_holder(p->runtime, "samplers", &found);
    if (!is_taken || strcmp(found.model, p->model) == 0) *out = '\0';
}

/* ---- is it the one that is wanted? ---- */

static const model_summary *summary_find(const status_report *r, const char *model) {
    for (size_t i = 0; i < r->n_models; i++) {
        if (strcmp(r->models[i].name, model) == 0) return &r->models[i];
    }
    return NULL;
}

/* A model that runs and was started from this file, as it is now; its own name is preferred. */
static bool find_by_state(parts *p) {
    daemon_process list[DAEMONS_MAX];
    bool found = false;
    for (size_t i = 0, n = daemons_list(p->runtime, list); i < n; i++) {
        if (!is_modeld(&list[i]) || strcmp(list[i].file, p->file.state) != 0) continue;
        bool is_own = strcmp(list[i].model, p->file.name) == 0;
        if (!found || is_own) memcpy(p->model, list[i].model, sizeof p->model);
        found = true;
    }
    return found;
}

/* A model that has joined and is of the same bytes; its own name is preferred. */
static void find_by_fingerprint(parts *p, const status_report *report) {
    bool found = false;
    for (size_t i = 0; i < report->n_models; i++) {
        const model_summary *m = &report->models[i];
        if (strcmp(m->fingerprint, p->file.fingerprint) != 0) continue;
        if (!report_find(report, "modeld", m->name)) continue;      /* it has ended */
        bool is_own = strcmp(m->name, p->file.name) == 0;
        if (!found || is_own) snprintf(p->model, sizeof p->model, "%s", m->name);
        found = true;
    }
}

/* A file that runs already, whatever it is called there, is that model, unless it is given a name, or
 * has that of the default model, which is away: nothing else ends that. */
static status model_of_file(parts *p, const parts_wish *wish, const status_report *report,
                            failure *f) {
    memcpy(p->model, p->file.name, sizeof p->model);
    bool is_called_back = strcmp(report->default_model, p->file.name) == 0 &&
                          !report_find(report, "modeld", p->file.name);
    if (!wish->path || wish->name || is_called_back || find_by_state(p) || report->n_models == 0)
        return STATUS_OK;
    if (model_file_ask(&p->file, p->loop, f) != STATUS_OK) return f->code;
    find_by_fingerprint(p, report);
    return STATUS_OK;
}

static status refuse_file(const parts *p, failure *f) {
    pid_t pid = p->all[PART_MODELD].process.pid;
    command_line line;
    bool is_known = pid > 0 && command_line_of(pid, &line);
    const char *path = is_known ? command_line_value(&line, "model") : NULL;
    bool has_changed = path && strcmp(path, p->file.path) == 0;
    return fail(f, STATUS_BUSY,
                "the model %s runs already, and %.120s is not %s%.120s: --name gives it a name of "
                "its own, `trivium down %s` ends that model",
                p->model, p->file.path,
                has_changed ? "what it was then" : path ? "its file, " : "its file",
                path && !has_changed ? path : "", p->model);
}

/* Does the modeld that runs under this name serve the file that is wanted? *known: false until it
 * has joined. */
static status check_file(parts *p, const status_report *report, bool *known, failure *f) {
    const model_summary *running = summary_find(report, p->model);
    const char *state = p->all[PART_MODELD].process.file;
    *known = true;
    if (*state && strcmp(state, p->file.state) == 0) return STATUS_OK;
    *known = running != NULL;
    if (!running) return STATUS_OK;
    if (model_file_ask(&p->file, p->loop, f) != STATUS_OK) return f->code;
    return strcmp(running->fingerprint, p->file.fingerprint) == 0 ? STATUS_OK : refuse_file(p, f);
}

/* What was asked for must be what it was started with: nothing is said to hold that does not. */
static status check_settings(const parts *p, const parts_wish *wish, failure *f) {
    const part *modeld = &p->all[PART_MODELD];
    command_line line;
    bool is_known = modeld->process.pid > 0 && command_line_of(modeld->process.pid, &line);
    for (int i = 0; i < N_SETTINGS; i++) {
        const char *asked = wish->settings[i];
        const char *holds = is_known ? command_line_value(&line, SETTINGS[i]) : NULL;
        if (!asked || (holds && strcmp(asked, holds) == 0)) continue;
        return fail(f, STATUS_BUSY,
                    "the model %s runs already, with%s --%s%s%.40s: `trivium down %s` ends it, so "
                    "that it can be started with --%s %.40s",
                    p->model, holds ? "" : "out", SETTINGS[i], holds ? " " : "", holds ? holds : "",
                    p->model, SETTINGS[i], asked);
    }
    return STATUS_OK;
}

/* ---- the plan ---- */

static status modeld_line(parts *p, const parts_wish *wish, const char *suffix, failure *f) {
    part *one = &p->all[PART_MODELD];
    status st = program_set(one, "modeld", f);
    if (st == STATUS_OK) st = command_line_add(&one->line, f, "--model=%s", p->file.path);
    if (st == STATUS_OK) st = command_line_add(&one->line, f, "--name=%s", p->model);
    if (st == STATUS_OK)
        st = command_line_add(&one->line, f, "--bind-samplers=ipc://%s/samplers%s", p->runtime,
                              suffix);
    for (int i = 0; i < N_SETTINGS && st == STATUS_OK; i++) {
        if (wish->settings[i])
            st = command_line_add(&one->line, f, "--%s=%s", SETTINGS[i], wish->settings[i]);
    }
    memcpy(one->process.model, p->model, sizeof p->model);
    memcpy(one->process.file, p->file.state, sizeof p->file.state);
    return st;
}

/* It joins where the modeld binds that runs, or will. */
static status samplerd_line(parts *p, const char *suffix, failure *f) {
    part *one = &p->all[PART_SAMPLERD];
    const part *modeld = &p->all[PART_MODELD];
    command_line by_hand = {0};
    if (modeld->line.n_bytes == 0 && modeld->process.pid > 0)
        command_line_of(modeld->process.pid, &by_hand);
    const char *bound = command_line_value(modeld->line.n_bytes ? &modeld->line : &by_hand,
                                           "bind-samplers");
    status st = program_set(one, "samplerd", f);
    if (st == STATUS_OK && bound) st = command_line_add(&one->line, f, "--join=%s", bound);
    else if (st == STATUS_OK)
        st = command_line_add(&one->line, f, "--join=ipc://%s/samplers%s", p->runtime, suffix);
    memcpy(one->process.model, p->model, sizeof p->model);
    return st;
}

/* One that an earlier model of this socket left behind serves this one from now on. */
static status samplerd_adopt(parts *p, failure *f) {
    daemon_process *found = &p->all[PART_SAMPLERD].process;
    if (strcmp(found->model, p->model) == 0 || !daemon_recorded(p->runtime, found)) return STATUS_OK;
    memcpy(found->model, p->model, sizeof p->model);
    return daemon_record(p->runtime, found, f);
}

/* The default model of tokenizerd is away, and its file is the one that is meant when none is named. */
static bool default_is_away(parts *p, const status_report *report) {
    failure f;
    model_file file;
    const char *name = report->default_model;
    if (!*name || report_find(report, "modeld", name)) return false;
    if (model_file_find(&file, NULL, NULL, &f) != STATUS_OK || strcmp(file.name, name) != 0) return false;
    p->file = file;
    return true;
}

/* p->model, and p->file unless one runs and no other was asked for. */
static status choose_model(parts *p, const parts_wish *wish, const status_report *report,
                           failure *f) {
    bool is_away = !wish->path && !wish->name && !*p->file.path && default_is_away(p, report);
    if (!wish->path && !is_away && model_running(p, wish->name ? wish->name : "", report))
        return STATUS_OK;
    status st = *p->file.path ? STATUS_OK : model_file_find(&p->file, wish->path, wish->name, f);
    return st == STATUS_OK ? model_of_file(p, wish, report, f) : st;
}

static void look(parts *p, const char *suffix, const status_report *report) {
    part *modeld = &p->all[PART_MODELD], *samplerd = &p->all[PART_SAMPLERD];
    memset(modeld, 0, sizeof *modeld);
    memset(samplerd, 0, sizeof *samplerd);
    name_set(modeld, "modeld", suffix);
    name_set(samplerd, "samplerd", suffix);
    part_look(p, modeld, report_find(report, "modeld", p->model));
    part_look(p, samplerd, report_find(report, "samplerd", p->model));
    daemon_process holder;
    if (modeld->runs || *suffix || !daemon_find_holder(p->runtime, "samplers", &holder)) return;
    modeld->runs = true;        /* by hand, and about to join */
    modeld->process = holder;
}

status parts_plan(parts *p, const parts_wish *wish, const status_report *report, bool *decided,
                  failure *f) {
    char suffix[SUFFIX_BYTES];
    part *modeld = &p->all[PART_MODELD], *samplerd = &p->all[PART_SAMPLERD];
    *decided = false;
    if (choose_model(p, wish, report, f) != STATUS_OK) return f->code;
    suffix_choose(p, suffix);
    look(p, suffix, report);
    /* not one that has ended this moment */
    bool known = modeld->runs || (*p->file.path && !report_lags(report, p->model));
    status st = STATUS_OK;
    if (modeld->runs && wish->path) st = check_file(p, report, &known, f);
    if (st != STATUS_OK || !known) return st;
    if (modeld->runs) st = check_settings(p, wish, f);
    if (st == STATUS_OK && !modeld->line.n_bytes && *p->file.path)
        st = modeld_line(p, wish, suffix, f);
    if (st == STATUS_OK && samplerd->runs) st = samplerd_adopt(p, f);
    if (st == STATUS_OK && !samplerd->line.n_bytes) st = samplerd_line(p, suffix, f);
    *decided = st == STATUS_OK;
    return st;
}

/* ---- doing it ---- */

status part_start(parts *p, part *one, failure *f) {
    const char *argv[COMMAND_LINE_WORDS_MAX + 1];
    command_line_words(&one->line, argv);
    status st = daemon_start(p->runtime, argv, &one->process, f);
    one->started = one->runs = st == STATUS_OK;
    return st;
}

static bool is_ready(const daemon_report *d) {
    return d && strcmp(d->state, "ready") == 0;
}

bool parts_ready(const parts *p, const status_report *report) {
    return *report->default_model && is_ready(report_find(report, "tokenizerd", "")) &&
           is_ready(report_find(report, "modeld", p->model)) &&
           is_ready(report_find(report, "samplerd", p->model));
}

const part *parts_find_dead(const parts *p) {
    for (int i = 0; i < N_PARTS; i++) {
        if (p->all[i].started && !daemon_alive(&p->all[i].process)) return &p->all[i];
    }
    return NULL;
}

status parts_start_again(parts *p, failure *f) {
    for (int i = 0; i < N_PARTS; i++) {
        part *one = &p->all[i];
        bool found = one->runs && !one->started && one->process.pid != 0;
        if (!found || one->line.n_bytes == 0 || daemon_alive(&one->process)) continue;
        status st = part_start(p, one, f);
        if (st != STATUS_OK) return st;
    }
    return STATUS_OK;
}

void parts_stop(parts *p) {
    daemon_process list[N_PARTS];
    size_t n = 0;
    for (int i = 0; i < N_PARTS; i++) {
        if (p->all[i].started) list[n++] = p->all[i].process;
    }
    daemons_stop(p->runtime, list, n);
}
