#include "probe_status.h"

#include <stdio.h>
#include <string.h>

#include "client/cli/json.h"
#include "client/cli/outcome.h"

/* The state of the readiest of this role: of this model, of the default pool. NULL: none is there. */
static const char *state_of(const status_report *r, const char *role, const char *model) {
    const char *state = NULL;
    for (size_t i = 0; i < r->n_daemons; i++) {
        const daemon_report *d = &r->daemons[i];
        if (strcmp(d->role, role) != 0 || (model && strcmp(d->model, model) != 0)) continue;
        if (strcmp(role, "samplerd") == 0 && strcmp(d->pool, DEFAULT_POOL) != 0) continue;
        if (!state || strcmp(d->state, "ready") == 0) state = d->state;
    }
    return state;
}

static status check(const status_report *r, const char *role, const char *model, status none, failure *f) {
    const char *state = state_of(r, role, model);
    if (!state) return fail(f, none, "not ready: no %s of '%s' is here", role, model);
    if (strcmp(state, "ready") == 0) return STATUS_OK;
    return fail(f, strcmp(state, "draining") == 0 ? STATUS_DRAINING : none, "not ready: the %s%s%s%s is %s", role,
                model ? " of '" : "", model ? model : "", model ? "'" : "", state);
}

/* Does a modeld that takes what is new have samplerds, too? Those that are here may all be at another one. */
static status check_together(const status_report *r, const char *model, failure *f) {
    for (size_t i = 0; i < r->n_daemons; i++) {
        const daemon_report *d = &r->daemons[i];
        if (strcmp(d->role, "modeld") == 0 && strcmp(d->model, model) == 0 && strcmp(d->state, "ready") == 0 &&
            !d->lacks_sampler)
            return STATUS_OK;
    }
    return fail(f, STATUS_NO_SAMPLERD, "not ready: no samplerd that answers is at a modeld of '%s' that takes what is new",
                model);
}

status probe_status_ready(const status_report *r, const char *model, failure *f) {
    if (!model) model = r->default_model;
    if (!*model) return fail(f, STATUS_NO_MODELD, "not ready: no modeld has joined");
    status st = check(r, "tokenizerd", NULL, STATUS_NO_TOKENIZERD, f);
    if (st == STATUS_OK) st = check(r, "modeld", model, STATUS_NO_MODELD, f);
    if (st == STATUS_OK) st = check(r, "samplerd", model, STATUS_NO_SAMPLERD, f);
    return st == STATUS_OK ? check_together(r, model, f) : st;
}

int probe_status_show(const char *what, const failure *missing, bool json) {
    if (json && missing) json_print(json_pack("{s: b, s: s}", what, 0, "why", missing->message));
    else if (json) json_print(json_pack("{s: b}", what, 1));
    else if (!missing) puts(what);
    if (!missing) return EXIT_FINE;
    return json ? EXIT_FAILED : outcome_failed(missing);
}
