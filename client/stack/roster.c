#include "roster.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* A peer may say any number: what is ended is a program of that name, and ours to end. */
static bool is_program(pid_t pid, const char *name) {
    char path[64], comm[64] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    if (fgets(comm, sizeof comm, file)) comm[strcspn(comm, "\n")] = '\0';
    fclose(file);
    return strcmp(comm, name) == 0 && kill(pid, 0) == 0;
}

bool report_process(const daemon_report *d, daemon_process *out) {
    *out = (daemon_process){0};
    snprintf(out->name, sizeof out->name, "%s", d->role);
    snprintf(out->model, sizeof out->model, "%s", served_by(d));
    return is_here(d) && d->pid > 0 && d->pid <= INT_MAX && is_program((pid_t)d->pid, d->role) &&
           daemon_identify((pid_t)d->pid, out);
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

/* Does this modeld or samplerd join in the runtime folder? Where its command line says nothing, its environment does. */
static bool joins_here(pid_t pid, const char *runtime) {
    static const char variable[] = "XDG_RUNTIME_DIR=";
    char place[FOLDER_BYTES + 32], path[64];
    command_line words;
    const char *join = command_line_of(pid, &words) ? command_line_value(&words, "join") : NULL;
    snprintf(place, sizeof place, "ipc://%s/", runtime);
    if (join) return strncmp(join, place, strlen(place)) == 0;
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file) return false;                    /* not ours to look at, so not ours */
    char *one = NULL;
    size_t room = 0;
    snprintf(place, sizeof place, "/tmp/trivium-%u", (unsigned)geteuid());
    while (getdelim(&one, &room, '\0', file) > 0) {
        if (strncmp(one, variable, strlen(variable)) == 0 && one[strlen(variable)] == '/')
            snprintf(place, sizeof place, "%s/trivium", one + strlen(variable));
    }
    free(one);
    fclose(file);
    return strcmp(place, runtime) == 0;
}

static bool has_pid(const roster *r, pid_t pid) {
    for (size_t i = 0; i < r->n; i++) {
        if (r->all[i].pid == pid) return true;
    }
    return false;
}

/* Nobody knows of a daemon that waits for one to join. */
static void others_add_waiting(roster *r, const char *runtime) {
    DIR *folder = opendir("/proc");
    if (!folder) return;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || has_pid(r, pid)) continue;
        const char *program = is_program(pid, "samplerd") ? "samplerd" : is_program(pid, "modeld") ? "modeld" : NULL;
        if (program && joins_here(pid, runtime))
            others_add(r, "%s (pid %d, started by hand, has not joined)", program, (int)pid);
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
    others_add_waiting(r, runtime);
}

bool roster_serves(const daemon_process *p, const char *model) {
    bool is_for_one = strncmp(p->name, "modeld", strlen("modeld")) == 0 ||
                      strncmp(p->name, "samplerd", strlen("samplerd")) == 0;
    return is_for_one && strcmp(p->model, model) == 0;
}
