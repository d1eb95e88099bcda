#include "stack.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "proto/base/process/paths.h"
#include "roster.h"

enum { SUFFIX_BYTES = 48, SUFFIX_NAME_BYTES = 32 };

/* ---- what runs ---- */

static void name_set(stack_daemon *one, const char *program, const char *suffix) {
    snprintf(one->process.name, sizeof one->process.name, "%s%s", program, suffix);
}

static status program_set(stack_daemon *one, const char *program, failure *f) {
    char path[PATH_MAX];
    one->line.n_bytes = 0;
    status st = paths_program(program, path, sizeof path, f);
    return st == STATUS_OK ? command_line_add(&one->line, f, "%s", path) : st;
}

/* Found by its pid file? Then it was started as it would be again. */
static bool stack_find(stack *s, stack_daemon *one) {
    daemon_process found;
    if (!daemon_find(s->runtime, one->process.name, &found)) return false;
    command_line line;
    one->process = found;
    one->runs = true;
    if (command_line_of(found.pid, &line)) one->line = line;
    return true;
}

/* By pid file, or because it has joined. */
static void stack_look(stack *s, stack_daemon *one, const daemon_report *joined) {
    daemon_process found;
    if (stack_find(s, one) || !joined) return;
    one->runs = true;
    if (!report_process(joined, &found)) return;
    one->process.pid = found.pid;
    one->process.started = found.started;
}

status stack_init(stack *s, const char *runtime, const stack_wish *wish, failure *f) {
    memset(s, 0, sizeof *s);
    s->runtime = runtime;
    stack_daemon *one = &s->all[STACK_TOKENIZERD];
    name_set(one, "tokenizerd", "");
    status st = program_set(one, "tokenizerd", f);
    if (st == STATUS_OK) st = settings_add(&wish->settings, "tokenizerd", &one->line, f);
    if (!stack_find(s, one)) one->runs = daemon_find_holder(runtime, "clients", &one->process);
    return st;
}

static bool is_modeld(const daemon_process *p) {
    return strncmp(p->name, "modeld", strlen("modeld")) == 0;
}

/* The model that is meant when no file is named: the one that runs under this name; without one the default,
 * else any that runs. False: none does. */
static bool model_running(stack *s, const char *name, const status_report *report) {
    const daemon_report *joined = report_find(report, "modeld", *name ? name : report->default_model);
    if (!joined) joined = report_find(report, "modeld", name);
    daemon_process list[DAEMONS_MAX];
    if (joined) {
        snprintf(s->model, sizeof s->model, "%s", joined->name);
        return true;
    }
    for (size_t i = 0, n = daemons_list(s->runtime, list); i < n; i++) {
        if (!is_modeld(&list[i]) || (*name && strcmp(list[i].model, name) != 0)) continue;
        memcpy(s->model, list[i].model, sizeof s->model);
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

/* A modeld that runs under this name, or one that has ended and is about to be started again by its supervisor. */
static bool has_place(const stack *s, const char *name, daemon_process *out) {
    return daemon_find(s->runtime, name, out) ||
           (daemon_last(s->runtime, name, out) && daemons_supervisors(s->runtime) > 0);
}

/* The first model's sampler socket is "samplers"; another one has one of its own, and names to
 * match. */
static void suffix_choose(const stack *s, char out[SUFFIX_BYTES]) {
    char own[DAEMON_NAME_BYTES];
    daemon_process found;
    suffix_of(s->model, out);
    snprintf(own, sizeof own, "modeld%s", out);
    if (has_place(s, own, &found)) return;
    bool is_taken = has_place(s, "modeld", &found) ||
                    daemon_find_holder(s->runtime, "samplers", &found);
    if (!is_taken || strcmp(found.model, s->model) == 0) *out = '\0';
}

/* ---- is it the one that is wanted? ---- */

static const model_summary *summary_find(const status_report *r, const char *model) {
    for (size_t i = 0; i < r->n_models; i++) {
        if (strcmp(r->models[i].name, model) == 0) return &r->models[i];
    }
    return NULL;
}

/* A model that runs and was started from this file, as it is now; its own name is preferred. */
static bool find_by_state(stack *s) {
    daemon_process list[DAEMONS_MAX];
    bool found = false;
    for (size_t i = 0, n = daemons_list(s->runtime, list); i < n; i++) {
        if (!is_modeld(&list[i]) || strcmp(list[i].file, s->file.state) != 0) continue;
        bool is_own = strcmp(list[i].model, s->file.name) == 0;
        if (!found || is_own) memcpy(s->model, list[i].model, sizeof s->model);
        found = true;
    }
    return found;
}

/* A model that has joined and is of the same bytes; its own name is preferred. */
static void find_by_fingerprint(stack *s, const status_report *report) {
    bool found = false;
    for (size_t i = 0; i < report->n_models; i++) {
        const model_summary *m = &report->models[i];
        if (strcmp(m->fingerprint, s->file.fingerprint) != 0) continue;
        if (!report_find(report, "modeld", m->name)) continue;      /* it has ended */
        bool is_own = strcmp(m->name, s->file.name) == 0;
        if (!found || is_own) snprintf(s->model, sizeof s->model, "%s", m->name);
        found = true;
    }
}

/* A file that runs already, whatever it is called there, is that model, unless it is given a name, or
 * has that of the default model while that is away: nothing else brings that back. */
static status model_of_file(stack *s, const stack_wish *wish, const status_report *report,
                            failure *f) {
    memcpy(s->model, s->file.name, sizeof s->model);
    bool is_called_back = strcmp(report->default_model, s->file.name) == 0 &&
                          !report_find(report, "modeld", s->file.name);
    if (!wish->path || wish->name || is_called_back || find_by_state(s) || report->n_models == 0)
        return STATUS_OK;
    if (model_file_ask(&s->file, s->loop, f) != STATUS_OK) return f->code;
    find_by_fingerprint(s, report);
    return STATUS_OK;
}

static status refuse_file(const stack *s, failure *f) {
    pid_t pid = s->all[STACK_MODELD].process.pid;
    command_line line;
    bool is_known = pid > 0 && command_line_of(pid, &line);
    const char *path = is_known ? command_line_value(&line, "model") : NULL;
    bool has_changed = path && strcmp(path, s->file.path) == 0;
    return fail(f, STATUS_BUSY,
                "the model %s runs already, and %.120s is not %s%.120s: --name gives it a name of "
                "its own, `trivium down %s` ends that model",
                s->model, s->file.path,
                has_changed ? "what it was then" : path ? "its file, " : "its file",
                path && !has_changed ? path : "", s->model);
}

/* Does the modeld that runs under this name serve the file that is wanted? *known: false until it
 * has joined. */
static status check_file(stack *s, const status_report *report, bool *known, failure *f) {
    const model_summary *running = summary_find(report, s->model);
    const char *state = s->all[STACK_MODELD].process.file;
    *known = true;
    if (*state && strcmp(state, s->file.state) == 0) return STATUS_OK;
    *known = running != NULL;
    if (!running) return STATUS_OK;
    if (model_file_ask(&s->file, s->loop, f) != STATUS_OK) return f->code;
    return strcmp(running->fingerprint, s->file.fingerprint) == 0 ? STATUS_OK : refuse_file(s, f);
}

/* What is the default model already need not have been set. */
static status check_default(const stack *s, const stack_wish *wish, const status_report *report, failure *f) {
    const stack_daemon *tokenizerd = &s->all[STACK_TOKENIZERD];
    const char *asked = wish->settings.values[SETTING_DEFAULT_MODEL];
    if (tokenizerd->started || !asked || strcmp(asked, report->default_model) == 0) return STATUS_OK;
    return settings_check(&wish->settings, "tokenizerd", tokenizerd->process.pid, "tokenizerd", "", f);
}

static status check_modeld(const stack *s, const stack_wish *wish, failure *f) {
    char what[NAME_BYTES_MAX + 16];
    snprintf(what, sizeof what, "the model %s", s->model);
    return settings_check(&wish->settings, "modeld", s->all[STACK_MODELD].process.pid, what, s->model, f);
}

/* ---- the plan ---- */

static status modeld_line(stack *s, const stack_wish *wish, const char *suffix, failure *f) {
    stack_daemon *one = &s->all[STACK_MODELD];
    status st = program_set(one, "modeld", f);
    if (st == STATUS_OK) st = command_line_add(&one->line, f, "--model=%s", s->file.path);
    if (st == STATUS_OK) st = command_line_add(&one->line, f, "--name=%s", s->model);
    if (st == STATUS_OK)
        st = command_line_add(&one->line, f, "--bind-samplers=ipc://%s/samplers%s", s->runtime,
                              suffix);
    if (st == STATUS_OK) st = settings_add(&wish->settings, "modeld", &one->line, f);
    memcpy(one->process.model, s->model, sizeof s->model);
    memcpy(one->process.file, s->file.state, sizeof s->file.state);
    return st;
}

/* It joins where modeld binds, the one that runs or will. */
static status samplerd_line(stack *s, const stack_wish *wish, const char *suffix, failure *f) {
    stack_daemon *one = &s->all[STACK_SAMPLERD];
    const stack_daemon *modeld = &s->all[STACK_MODELD];
    command_line by_hand = {0};
    if (modeld->line.n_bytes == 0 && modeld->process.pid > 0)
        command_line_of(modeld->process.pid, &by_hand);
    const char *bound = command_line_value(modeld->line.n_bytes ? &modeld->line : &by_hand,
                                           "bind-samplers");
    status st = program_set(one, "samplerd", f);
    if (st == STATUS_OK && bound) st = command_line_add(&one->line, f, "--join=%s", bound);
    else if (st == STATUS_OK)
        st = command_line_add(&one->line, f, "--join=ipc://%s/samplers%s", s->runtime, suffix);
    if (st == STATUS_OK) st = settings_add(&wish->settings, "samplerd", &one->line, f);
    memcpy(one->process.model, s->model, sizeof s->model);
    return st;
}

/* One that an earlier model of this socket left behind serves this one from now on. */
static status samplerd_adopt(stack *s, failure *f) {
    daemon_process *found = &s->all[STACK_SAMPLERD].process;
    if (strcmp(found->model, s->model) == 0 || !daemon_recorded(s->runtime, found)) return STATUS_OK;
    memcpy(found->model, s->model, sizeof s->model);
    return daemon_record(s->runtime, found, f);
}

/* The default model of tokenizerd is away, and its file is the one that is meant when none is named. */
static bool default_is_away(stack *s, const status_report *report) {
    failure f;
    model_file file;
    const char *name = report->default_model;
    if (!*name || report_find(report, "modeld", name)) return false;
    if (model_file_find(&file, NULL, NULL, &f) != STATUS_OK || strcmp(file.name, name) != 0) return false;
    s->file = file;
    return true;
}

/* s->model, and s->file unless one runs and no other was asked for. */
static status choose_model(stack *s, const stack_wish *wish, const status_report *report,
                           failure *f) {
    bool is_away = !wish->path && !wish->name && !*s->file.path && default_is_away(s, report);
    if (!wish->path && !is_away && model_running(s, wish->name ? wish->name : "", report))
        return STATUS_OK;
    status st = *s->file.path ? STATUS_OK : model_file_find(&s->file, wish->path, wish->name, f);
    return st == STATUS_OK ? model_of_file(s, wish, report, f) : st;
}

static void look(stack *s, const char *suffix, const status_report *report) {
    stack_daemon *modeld = &s->all[STACK_MODELD], *samplerd = &s->all[STACK_SAMPLERD];
    memset(modeld, 0, sizeof *modeld);
    memset(samplerd, 0, sizeof *samplerd);
    name_set(modeld, "modeld", suffix);
    name_set(samplerd, "samplerd", suffix);
    stack_look(s, modeld, report_find(report, "modeld", s->model));
    stack_look(s, samplerd, report_find(report, "samplerd", s->model));
    daemon_process holder;
    if (modeld->runs || *suffix || !daemon_find_holder(s->runtime, "samplers", &holder)) return;
    modeld->runs = true;        /* by hand, and about to join */
    modeld->process = holder;
}

status stack_plan(stack *s, const stack_wish *wish, const status_report *report, bool *decided,
                  failure *f) {
    char suffix[SUFFIX_BYTES];
    stack_daemon *modeld = &s->all[STACK_MODELD], *samplerd = &s->all[STACK_SAMPLERD];
    *decided = false;
    if (check_default(s, wish, report, f) != STATUS_OK) return f->code;
    if (choose_model(s, wish, report, f) != STATUS_OK) return f->code;
    suffix_choose(s, suffix);
    look(s, suffix, report);
    /* not one that has ended this moment */
    bool known = modeld->runs || (*s->file.path && !report_lags(report, s->model));
    status st = STATUS_OK;
    if (modeld->runs && wish->path) st = check_file(s, report, &known, f);
    if (st != STATUS_OK || !known) return st;
    if (modeld->runs) st = check_modeld(s, wish, f);
    if (st == STATUS_OK && !modeld->line.n_bytes && *s->file.path)
        st = modeld_line(s, wish, suffix, f);
    if (st == STATUS_OK && samplerd->runs) st = samplerd_adopt(s, f);
    if (st == STATUS_OK && !samplerd->line.n_bytes) st = samplerd_line(s, wish, suffix, f);
    *decided = st == STATUS_OK;
    return st;
}

/* ---- doing it ---- */

status stack_start(stack *s, stack_daemon *one, failure *f) {
    const char *argv[COMMAND_LINE_WORDS_MAX + 1];
    command_line_words(&one->line, argv);
    status st = daemon_start(s->runtime, argv, &one->process, f);
    one->started = one->runs = st == STATUS_OK;
    return st;
}

static bool is_ready(const daemon_report *d) {
    return d && strcmp(d->state, "ready") == 0;
}

bool stack_ready(const stack *s, const status_report *report) {
    return *report->default_model && is_ready(report_find(report, "tokenizerd", "")) &&
           is_ready(report_find(report, "modeld", s->model)) &&
           is_ready(report_find(report, "samplerd", s->model));
}

void stack_not_ready(const stack *s, const status_report *report, char *out, size_t out_bytes) {
    static const char *const roles[] = {"tokenizerd", "modeld", "samplerd"};
    *out = '\0';
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        size_t n = strlen(out);
        if (is_ready(report_find(report, roles[i], i == 0 ? "" : s->model))) continue;
        snprintf(out + n, out_bytes - n, "%s%s", n > 0 ? ", " : "", roles[i]);
    }
}

const stack_daemon *stack_find_dead(const stack *s) {
    for (int i = 0; i < N_STACK_DAEMONS; i++) {
        if (s->all[i].started && !daemon_alive(&s->all[i].process)) return &s->all[i];
    }
    return NULL;
}

status stack_start_again(stack *s, failure *f) {
    for (int i = 0; i < N_STACK_DAEMONS; i++) {
        stack_daemon *one = &s->all[i];
        bool found = one->runs && !one->started && one->process.pid != 0;
        if (!found || one->line.n_bytes == 0 || daemon_alive(&one->process)) continue;
        status st = stack_start(s, one, f);
        if (st != STATUS_OK) return st;
    }
    return STATUS_OK;
}

void stack_stop(stack *s) {
    daemon_process list[N_STACK_DAEMONS];
    size_t n = 0;
    for (int i = 0; i < N_STACK_DAEMONS; i++) {
        if (s->all[i].started) list[n++] = s->all[i].process;
    }
    daemons_stop(s->runtime, list, n);
}
