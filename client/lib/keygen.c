#include "keygen.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/grow.h"

static void note(void *context, key_change change, const char *path, const char *part) {
    keygen_report *r = context;
    keygen_done one = {change, strdup(path), strdup(part)};
    keygen_done *done = grow(r->done, &r->capacity, r->n_done + 1, sizeof *done);
    if (done) r->done = done;
    if (done && one.path && one.part) {
        r->done[r->n_done++] = one;
        return;
    }
    free(one.path);
    free(one.part);
    r->lacks_memory = true;
}

static bool is_something(const key_kept *kept) {
    bool some = kept->rights.is_operator || kept->rights.is_gateway;
    for (key_role role = 0; role < KEY_ROLES; role++) some |= kept->roles[role];
    return some;
}

static status make_host(const key_set *set, const key_host *host, keygen_report *r, failure *f) {
    keygen_kept one = {.host = NULL};
    status st = key_set_host(set, host, &one.what, f);
    if (st != STATUS_OK || !is_something(&one.what)) return st;
    keygen_kept *kept = grow(r->kept, &r->kept_capacity, r->n_kept + 1, sizeof *kept);
    if (kept) r->kept = kept;
    if (kept) one.host = strdup(host->name);
    if (one.host) r->kept[r->n_kept++] = one;
    else r->lacks_memory = true;
    return STATUS_OK;
}

static status revoke_name(const key_set *set, const char *name, keygen_report *report, failure *f) {
    bool servers[KEY_ROLES];
    status st = key_set_revoke(set, name, servers, f);
    for (key_role role = 0; st == STATUS_OK && role < KEY_ROLES; role++) report->to_rotate[role] |= servers[role];
    return st;
}

status keygen_run(const keygen_order *order, keygen_report *report, failure *f) {
    const key_set set = {.folder = order->folder, .told = note, .context = report};
    status st = STATUS_OK;
    switch (order->kind) {
    case KEYGEN_MAKE: st = key_set_make(&set, f); break;
    case KEYGEN_HOST: st = make_host(&set, &order->host, report, f); break;
    case KEYGEN_REVOKE: st = revoke_name(&set, order->revoked, report, f); break;
    case KEYGEN_ROTATE: st = key_set_rotate(&set, order->rotated, &report->is_rotated, f); break;
    }
    if (st == STATUS_OK && report->lacks_memory) return fail(f, STATUS_NO_MEMORY, "no memory to list what was done");
    return st;
}

void keygen_report_clear(keygen_report *report) {
    for (size_t i = 0; i < report->n_done; i++) {
        free(report->done[i].path);
        free(report->done[i].part);
    }
    free(report->done);
    for (size_t i = 0; i < report->n_kept; i++) free(report->kept[i].host);
    free(report->kept);
    *report = (keygen_report){0};
}

/* The role whose name these n bytes are. */
static bool find_role(key_role *out, const char *name, size_t n) {
    for (key_role role = 0; role < KEY_ROLES; role++) {
        const char *known = key_role_name(role);
        if (strlen(known) != n || memcmp(known, name, n) != 0) continue;
        *out = role;
        return true;
    }
    return false;
}

status keygen_take_server(key_role *role, const char *name, failure *f) {
    if (find_role(role, name, strlen(name)) && (*role == ROLE_TOKENIZERD || *role == ROLE_MODELD)) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "tokenizerd and modeld have server keys, not %.40s: the keys of others are made "
                "anew after --revoke NAME", name);
}

status keygen_take_roles(bool roles[KEY_ROLES], const char *list, failure *f) {
    memset(roles, 0, sizeof *roles * KEY_ROLES);
    for (const char *at = list;;) {
        size_t n = strcspn(at, ",");
        key_role role;
        if (!find_role(&role, at, n))
            return fail(f, STATUS_BAD_REQUEST, "roles have commas between them, as in tokenizerd,client; there is none "
                        "called \"%.*s\"", n < 40 ? (int)n : 40, at);
        roles[role] = true;
        if (!at[n]) return STATUS_OK;
        at += n + 1;
    }
}
