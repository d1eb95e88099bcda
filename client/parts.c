#include "parts.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/rt/paths.h"

static const char DEFAULT_MODEL[] = "SmolLM2-135M-Instruct.Q4_1.gguf", EMBEDDED_MODEL[] = "chapter";

static void argument_add(part *one, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void argument_add(part *one, const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(one->arguments[one->n_arguments++], PART_ARGUMENT_BYTES, format, values);
    va_end(values);
}

static status program_set(part *one, const char *program, failure *f) {
    one->n_arguments = 1;
    return paths_program(program, one->arguments[0], PART_ARGUMENT_BYTES, f);
}

static void name_set(part *one, const char *program, const char *suffix) {
    snprintf(one->process.name, sizeof one->process.name, "%s%.*s", program, NAME_BYTES_MAX + 1,
             suffix);
}

/* Found by its pid file? */
static bool part_find(parts *p, part *one) {
    daemon_process found;
    if (!daemon_find(p->runtime, one->process.name, &found)) return false;
    one->process = found;
    one->runs = true;
    return true;
}

status parts_init(parts *p, const char *runtime, failure *f) {
    memset(p, 0, sizeof *p);
    p->runtime = runtime;
    part *one = &p->all[PART_TOKENIZERD];
    name_set(one, "tokenizerd", "");
    if (!part_find(p, one)) one->runs = daemon_find_holder(runtime, "clients", &one->process);
    return program_set(one, "tokenizerd", f);
}

/* ---- which model ---- */

/* The file's name without .gguf. */
static status model_name(const char *path, char out[NAME_BYTES_MAX + 1], failure *f) {
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t n_bytes = strlen(base);
    if (n_bytes > 5 && strcmp(base + n_bytes - 5, ".gguf") == 0) n_bytes -= 5;
    if (n_bytes == 0 || n_bytes > NAME_BYTES_MAX) {
        return fail(f, STATUS_BAD_REQUEST, "the name of %s must have 1 to %d bytes", path,
                    NAME_BYTES_MAX);
    }
    memcpy(out, base, n_bytes);
    out[n_bytes] = '\0';
    return STATUS_OK;
}

/* $TRIVIUM_MODEL, else where `make model` puts it, else, when it has not, the embedded one: true. */
static bool default_path(char out[PATH_MAX]) {
    failure f;
    const char *model = getenv("TRIVIUM_MODEL"), *cache = getenv("TRIVIUM_CACHE");
    const char *caches = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (model && *model) snprintf(out, PATH_MAX, "%s", model);
    else if (cache && *cache) snprintf(out, PATH_MAX, "%s/%s", cache, DEFAULT_MODEL);
    else if (caches && *caches) snprintf(out, PATH_MAX, "%s/trivium/%s", caches, DEFAULT_MODEL);
    else snprintf(out, PATH_MAX, "%s/.cache/trivium/%s", home ? home : "", DEFAULT_MODEL);
    char embedded[PATH_MAX];
    bool is_there = (model && *model) || access(out, F_OK) == 0;
    if (is_there || paths_model(EMBEDDED_MODEL, embedded, sizeof embedded, &f) != STATUS_OK)
        return false;
    snprintf(out, PATH_MAX, "%s", embedded);
    return true;
}

static bool is_here(const daemon_report *d) {
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    return strcmp(d->host, host) == 0;
}

/* A daemon that was killed stays in the report until its silence is noticed. */
static bool is_gone(const daemon_report *d) {
    daemon_process found;
    return is_here(d) && !daemon_identify((pid_t)d->pid, &found);
}

/* The first of this role that serves `model` ("" is any); NULL: none. */
static const daemon_report *report_find(const status_report *r, const char *role,
                                        const char *model) {
    bool is_modeld = strcmp(role, "modeld") == 0;
    for (size_t i = 0; i < r->n_daemons; i++) {
        const daemon_report *d = &r->daemons[i];
        const char *serves = is_modeld ? d->name : d->model;
        if (strcmp(d->role, role) != 0 || (*model && strcmp(serves, model) != 0)) continue;
        if (!is_gone(d)) return d;
    }
    return NULL;
}

/* The default model of tokenizerd has gone, and `path` is its file. */
static bool default_is_away(const char *path, const status_report *report) {
    failure f;
    char name[NAME_BYTES_MAX + 1];
    return *report->default_model && !report_find(report, "modeld", report->default_model) &&
           model_name(path, name, &f) == STATUS_OK && strcmp(name, report->default_model) == 0;
}

/* The model that is meant when none is named and one runs here: the default, else any; false: none runs. */
static bool model_running(parts *p, const status_report *report) {
    const daemon_report *joined = report_find(report, "modeld", report->default_model);
    if (!joined) joined = report_find(report, "modeld", "");
    daemon_process found;
    if (joined) {
        snprintf(p->model, sizeof p->model, "%s", joined->name);
        return true;
    }
    if (daemon_find(p->runtime, "modeld", &found)) {
        snprintf(p->model, sizeof p->model, "%s", found.model);
        return true;
    }
    return daemon_find_holder(p->runtime, "samplers", &found);
}

/* The first model's sampler socket is "samplers"; another one has one of its own, and names to
 * match. */
static void suffix_choose(parts *p, const status_report *report, char out[DAEMON_NAME_BYTES]) {
    char own[DAEMON_NAME_BYTES];
    daemon_process found;
    snprintf(out, DAEMON_NAME_BYTES, "-%s", p->model);
    snprintf(own, sizeof own, "modeld-%.*s", NAME_BYTES_MAX, p->model);
    if (daemon_find(p->runtime, own, &found)) return;
    bool is_first =
        (daemon_find(p->runtime, "modeld", &found) && strcmp(found.model, p->model) == 0) ||
        report_find(report, "modeld", p->model) || !*p->model;
    if (is_first || !daemon_find_holder(p->runtime, "samplers", &found)) *out = '\0';
}

/* ---- the plan ---- */

static status modeld_plan(parts *p, const char *path, const char *suffix, failure *f) {
    part *one = &p->all[PART_MODELD];
    char real[PATH_MAX];
    if (!realpath(path, real)) {
        if (one->runs) return STATUS_OK;
        return fail(f, STATUS_NOT_FOUND,
                    "there is no model at %s: `make model` fetches one, --model names another",
                    path);
    }
    status st = program_set(one, "modeld", f);
    argument_add(one, "--model=%s", real);
    argument_add(one, "--name=%s", p->model);
    argument_add(one, "--bind-samplers=ipc://%s/samplers%s", p->runtime, suffix);
    snprintf(one->process.model, sizeof one->process.model, "%s", p->model);
    return st;
}

static status samplerd_plan(parts *p, const char *suffix, failure *f) {
    part *one = &p->all[PART_SAMPLERD];
    status st = program_set(one, "samplerd", f);
    argument_add(one, "--join=ipc://%s/samplers%s", p->runtime, suffix);
    snprintf(one->process.model, sizeof one->process.model, "%s", p->model);
    return st;
}

/* Whether it runs, by pid file or because it has joined. */
static void part_look(parts *p, part *one, const daemon_report *joined) {
    if (part_find(p, one) || !joined) return;
    one->runs = true;
    if (is_here(joined)) daemon_identify((pid_t)joined->pid, &one->process);
}

status parts_plan(parts *p, const char *path, const status_report *report, failure *f) {
    char named[PATH_MAX], suffix[DAEMON_NAME_BYTES];
    bool runs = false;
    if (path) {
        if (paths_model(path, named, sizeof named, f) != STATUS_OK) return f->code;
    } else {
        bool is_embedded = default_path(named);
        runs = !default_is_away(named, report) && model_running(p, report);
        p->stands_in = is_embedded && !runs;
    }
    status st = runs ? STATUS_OK : model_name(named, p->model, f);
    if (st != STATUS_OK) return st;
    suffix_choose(p, report, suffix);
    part *modeld = &p->all[PART_MODELD], *samplerd = &p->all[PART_SAMPLERD];
    name_set(modeld, "modeld", suffix);
    name_set(samplerd, "samplerd", suffix);
    part_look(p, modeld, report_find(report, "modeld", p->model));
    part_look(p, samplerd, report_find(report, "samplerd", p->model));
    if (runs) modeld->runs = true;      /* joined already, or about to */
    st = modeld_plan(p, named, suffix, f);
    return st == STATUS_OK ? samplerd_plan(p, suffix, f) : st;
}

/* ---- doing it ---- */

status part_start(parts *p, part *one, failure *f) {
    const char *argv[PART_ARGUMENTS_MAX + 1] = {NULL};
    for (int i = 0; i < one->n_arguments; i++) argv[i] = one->arguments[i];
    char name[DAEMON_NAME_BYTES], model[NAME_BYTES_MAX + 1];
    memcpy(name, one->process.name, sizeof name);
    memcpy(model, one->process.model, sizeof model);
    status st = daemon_start(p->runtime, name, model, argv, &one->process, f);
    one->started = one->runs = st == STATUS_OK;
    return st;
}

static bool is_ready(const daemon_report *d) {
    return d && strcmp(d->state, "ready") == 0;
}

bool parts_ready(const parts *p, const status_report *report) {
    return is_ready(report_find(report, "tokenizerd", "")) &&
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
        if (!found || one->n_arguments == 0 || daemon_alive(&one->process)) continue;
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
