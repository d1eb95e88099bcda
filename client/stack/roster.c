#include "roster.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/client.h"
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

/* ---- all of them ---- */

static void add_reported(void *context, const answer *a) {
    roster *r = context;
    const status_report *report = answer_to_status(a);
    for (size_t i = 0; i < report->n_daemons; i++) {
        daemon_process p;
        if (!report_process(&report->daemons[i], &p)) continue;
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
    r->n = daemons_list(runtime, r->all);
    if (daemon_find_holder(runtime, "clients", &tokenizerd)) ask_tokenizerd(r);
}

bool roster_serves(const daemon_process *p, const char *model) {
    bool is_for_one = strncmp(p->name, "modeld", strlen("modeld")) == 0 ||
                      strncmp(p->name, "samplerd", strlen("samplerd")) == 0;
    return is_for_one && strcmp(p->model, model) == 0;
}
