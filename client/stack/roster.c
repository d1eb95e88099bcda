#include "roster.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/lib/client.h"
#include "command_line.h"
#include "proto/base/process/paths.h"
#include "proto/net/hello.h"

enum { ASK_MS = 5000 };

/* ---- what tokenizerd tells ---- */

static bool is_here(const daemon_report *d) {
    char host[HOST_BYTES];
    hello_host(host);
    return strcmp(d->host, host) == 0;
}

static bool is_gone(const daemon_report *d) {
    daemon_process found;
    return is_here(d) && !daemon_identify((pid_t)d->pid, &found);
}

static const char *served_by(const daemon_report *d) {
    return strcmp(d->role, "modeld") == 0 ? d->name : d->model;
}

static const daemon_report *find(const status_report *r, const char *role, const char *model,
                                 bool gone) {
    for (size_t i = 0; i < r->n_daemons; i++) {
        const daemon_report *d = &r->daemons[i];
        if (strcmp(d->role, role) != 0 || (*model && strcmp(served_by(d), model) != 0)) continue;
        if (is_gone(d) == gone) return d;
    }
    return NULL;
}

const daemon_report *report_find(const status_report *r, const char *role, const char *model) {
    return find(r, role, model, false);
}

bool report_lags(const status_report *r, const char *model) {
    return find(r, "modeld", model, true) != NULL;
}

bool report_process(const daemon_report *d, daemon_process *out) {
    *out = (daemon_process){0};
    snprintf(out->name, sizeof out->name, "%s", d->role);
    snprintf(out->model, sizeof out->model, "%s", served_by(d));
    return is_here(d) && d->pid > 0 && d->pid <= INT_MAX && daemon_identify((pid_t)d->pid, out) &&
           daemon_is_program((pid_t)d->pid, d->role);
}

/* ---- those that are not ours to end ---- */

__attribute__((format(printf, 2, 3)))
static void others_add(roster *r, const char *format, ...) {
    size_t n_bytes = strlen(r->others);
    if (n_bytes > 0) n_bytes += (size_t)snprintf(r->others + n_bytes, sizeof r->others - n_bytes, ", ");
    if (n_bytes >= sizeof r->others) return;
    va_list values;
    va_start(values, format);
    vsnprintf(r->others + n_bytes, sizeof r->others - n_bytes, format, values);
    va_end(values);
}

static void others_add_reported(roster *r, const daemon_report *d) {
    if (!*d->host && d->pid <= 0) others_add(r, "%s (another program)", d->name);     /* it need not say where it is */
    else if (*d->host && !is_here(d)) others_add(r, "%s (%s on %s)", d->name, d->role, d->host);
    else if (!*d->host || !is_gone(d)) others_add(r, "%s (pid %d, another program)", d->name, (int)d->pid);
}

/* ---- those that no file and no tokenizerd tells of ---- */

/* Is that the runtime folder, as this process sees it? In a container another one may have the same path. */
static bool is_runtime(pid_t pid, const char *folder, const char *runtime) {
    char path[FOLDER_BYTES + 64];
    struct stat its, ours;
    snprintf(path, sizeof path, "/proc/%d/root/%s", (int)pid, folder);
    return stat(path, &its) == 0 && stat(runtime, &ours) == 0 && its.st_dev == ours.st_dev && its.st_ino == ours.st_ino;
}

/* Where a process of this user has its runtime folder. False: it is not ours to look at. */
static bool runtime_of(pid_t pid, char out[FOLDER_BYTES]) {
    static const char variable[] = "XDG_RUNTIME_DIR=";
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    char *one = NULL;
    size_t room = 0;
    snprintf(out, FOLDER_BYTES, "/tmp/trivium-%u", (unsigned)geteuid());
    while (getdelim(&one, &room, '\0', file) > 0) {
        if (strncmp(one, variable, strlen(variable)) == 0 && one[strlen(variable)] == '/')
            snprintf(out, FOLDER_BYTES, "%s/trivium", one + strlen(variable));
    }
    free(one);
    fclose(file);
    return true;
}

/* Where a modeld or samplerd joins. */
typedef enum join_folder { JOINS_ELSEWHERE, JOINS_HERE, JOINS_UNTOLD } join_folder;

/* Where its command line says nothing its environment does, unless a settings file may say something else. `socket`: where
 * in the runtime folder, of a samplerd. */
static join_folder joins(pid_t pid, const char *runtime, char socket[DAEMON_NAME_BYTES]) {
    char folder[FOLDER_BYTES];
    command_line words;
    bool is_told = command_line_of(pid, &words) && !command_line_value(&words, "config");
    const char *join = command_line_value(&words, "join");
    snprintf(socket, DAEMON_NAME_BYTES, "samplers");
    if (!join && (!runtime_of(pid, folder) || !is_runtime(pid, folder, runtime))) return JOINS_ELSEWHERE;
    if (!join) return is_told ? JOINS_HERE : JOINS_UNTOLD;
    const char *slash = strrchr(join, '/');
    if (strncmp(join, "ipc:///", strlen("ipc:///")) != 0) return JOINS_ELSEWHERE;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - join) - (int)strlen("ipc://"), join + strlen("ipc://"));
    snprintf(socket, DAEMON_NAME_BYTES, "%s", slash + 1);
    return is_runtime(pid, folder, runtime) ? JOINS_HERE : JOINS_ELSEWHERE;
}

static void add_if_joins(roster *r, pid_t pid, const char *runtime) {
    char socket[DAEMON_NAME_BYTES];
    daemon_process p = {0}, modeld;
    if (!daemon_identify(pid, &p)) return;      /* first: whoever has this pid later began later */
    const char *program = daemon_is_program(pid, "samplerd") ? "samplerd" : daemon_is_program(pid, "modeld") ? "modeld" : NULL;
    if (!program) return;
    join_folder where = joins(pid, runtime, socket);
    snprintf(p.name, sizeof p.name, "%s", program);
    if (strcmp(program, "modeld") == 0) daemon_read_model(&p);
    else if (daemon_find_holder(runtime, socket, &modeld)) memcpy(p.model, modeld.model, sizeof modeld.model);
    if (where == JOINS_HERE) r->n = daemons_add(r->all, r->n, &p);
    if (where == JOINS_UNTOLD)
        others_add(r, "%s (pid %d, joins where its settings file says; `kill %d` ends it)", program, (int)pid, (int)pid);
}

static bool has_pid(const roster *r, pid_t pid) {
    for (size_t i = 0; i < r->n; i++) {
        if (r->all[i].pid == pid) return true;
    }
    return false;
}

/* Started by hand, and joined to one that is gone, or to a modeld whose tokenizerd is elsewhere, or to none yet. */
static void add_joining(roster *r, const char *runtime) {
    struct stat info;
    DIR *folder = opendir("/proc");
    if (!folder) return;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        bool is_own = pid > 0 && fstatat(dirfd(folder), entry->d_name, &info, 0) == 0 && info.st_uid == geteuid();
        if (is_own && !has_pid(r, pid)) add_if_joins(r, pid, runtime);
    }
    closedir(folder);
}

/* ---- all of them ---- */

static void add_reported(void *context, const answer *a) {
    roster *r = context;
    const status_report *report = answer_to_status(a);
    for (size_t i = 0; i < report->n_daemons; i++) {
        daemon_process p;
        if (!report_process(&report->daemons[i], &p)) {
            others_add_reported(r, &report->daemons[i]);
            continue;
        }
        size_t k = 0;
        while (k < r->n && r->all[k].pid != p.pid) k++;
        if (k == r->n) r->n = daemons_add(r->all, r->n, &p);
        else memcpy(r->all[k].model, p.model, sizeof p.model);  /* as it is now */
    }
}

static void ask_tokenizerd(roster *r) {
    static const question asked = {.kind = ASK_STATUS};
    failure f;
    char endpoint[ENDPOINT_BYTES_MAX];
    const char *endpoints[] = {endpoint};
    const client_options how = {.endpoints = endpoints, .n_endpoints = 1, .wait_ms = ASK_MS};
    client *c = NULL;
    if (paths_endpoint("clients", endpoint, sizeof endpoint, &f) == STATUS_OK &&
        client_open(&c, &how, &f) == STATUS_OK)
        client_ask(c, &asked, add_reported, r, &f);     /* no answer: the files have told enough */
    client_close(&c);
}

void roster_take(roster *r, const char *runtime) {
    daemon_process tokenizerd;
    r->others[0] = '\0';
    r->n = daemons_list(runtime, r->all);
    if (daemon_find_holder(runtime, "clients", &tokenizerd)) ask_tokenizerd(r);
    add_joining(r, runtime);
}

bool roster_serves(const daemon_process *p, const char *model) {
    bool is_for_one = strncmp(p->name, "modeld", strlen("modeld")) == 0 ||
                      strncmp(p->name, "samplerd", strlen("samplerd")) == 0;
    return is_for_one && strcmp(p->model, model) == 0;
}
