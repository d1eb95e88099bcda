#include "missing.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/clock.h"

/* "'a', 'b'" of the models that are served, cut where the buffer ends. */
static void names_list(const models *ms, char *out, size_t out_bytes) {
    size_t n = 0;
    out[0] = '\0';
    for (const served_model *m = models_first(ms); m; m = models_next(m)) {
        size_t needed = strlen(served_model_name(m)) + 4;
        if (!served_model_modelds(m) || n + needed >= out_bytes) continue;
        n += (size_t)snprintf(out + n, out_bytes - n, "%s'%s'", n > 0 ? ", " : "", served_model_name(m));
    }
}

/* The first that is served, open or draining, and has the name ("": any) and the fingerprint ("": any). NULL: none. */
static const served_model *find_here(const models *ms, const char *name, const char *fingerprint, bool draining) {
    for (const served_model *m = models_first(ms); m; m = models_next(m))
        if (served_model_modelds(m) && served_model_is_draining(m) == draining &&
            (!name[0] || strcmp(served_model_name(m), name) == 0) &&
            (!fingerprint[0] || strcmp(served_model_fingerprint(m), fingerprint) == 0))
            return m;
    return NULL;
}

/* Does the name, though models are here that have it, mean none of the file that has this fingerprint? */
static bool means_another_file(const models *ms, const char *name, const char *fingerprint) {
    bool all_drain = !find_here(ms, name, "", false);
    return name[0] && fingerprint[0] && find_here(ms, name, "", all_drain) && !find_here(ms, name, fingerprint, all_drain);
}

/* How one is started that serves a model of this name ("": any). */
static void start_hint(char out[JOIN_HINT_BYTES], const char *name, const join_place *where) {
    char command[NAME_BYTES_MAX + 64];
    snprintf(command, sizeof command, "modeld --model FILE%s%s", name[0] ? " --name " : "", name);
    join_hint(out, command, where);
}

static status all_drain(const char *name, const join_place *where, double wait_s, failure *f) {
    char hint[JOIN_HINT_BYTES];
    start_hint(hint, name, where);
    return fail(f, STATUS_NO_MODELD,
                "what serves '%s' is draining and takes nothing new, and no other modeld of it has joined within %g s; %s",
                name, wait_s, hint);
}

/* It ends with this, and a modeld of its file may not come back under the name then, unless it replaces the other one. */
static status another_file(status code, const char *name, const char *fingerprint, const join_place *where, double wait_s,
                           failure *f) {
    char hint[JOIN_HINT_BYTES];
    join_hint(hint, "modeld --model THAT-FILE --name OTHER-NAME", where);
    return fail(f, code,
                "'%s' is another file now than the one with which this began (fingerprint %s), and no modeld of that one has "
                "taken it within %g s; ask anew, or for that file %s",
                name, fingerprint, wait_s, hint);
}

/* One that answers to the name or the fingerprint is here and cannot be used. */
static bool is_unusable(const models *ms, const join_place *where, const char *name, const char *fingerprint, double wait_s,
                        failure *f) {
    const served_model *open = find_here(ms, name, fingerprint, false);
    const served_model *draining = find_here(ms, name, fingerprint, true);
    if (means_another_file(ms, name, fingerprint))
        another_file(STATUS_UNKNOWN_MODEL, name, fingerprint, where, wait_s, f);
    else if (open)
        fail(f, STATUS_NO_MODELD, "the modeld of '%s' has not brought its whole vocabulary within %g s",
             served_model_name(open), wait_s);
    else if (draining) all_drain(served_model_name(draining), where, wait_s, f);
    else return false;
    return true;
}

static status nobody_here(const char *name, const join_place *where, bool is_default, double wait_s, failure *f) {
    char hint[JOIN_HINT_BYTES];
    start_hint(hint, name, where);
    if (name[0])
        return fail(f, STATUS_NO_MODELD, "no modeld of %s'%s' is here, and none has joined within %g s; %s",
                    is_default ? "the default model " : "", name, wait_s, hint);
    return fail(f, STATUS_NO_MODELD, "no modeld has joined within %g s; %s", wait_s, hint);
}

status missing_model(const models *ms, const join_place *where, const char *name, const char *fingerprint, uint32_t wait_ms,
                     failure *f) {
    double wait_s = clock_wait_s(wait_ms);
    bool is_default = !name[0] && !fingerprint[0];
    name = models_meant_name(ms, name, fingerprint);
    bool is_known = !is_default || name[0];
    if (is_known && is_unusable(ms, where, name, fingerprint, wait_s, f)) return f->code;
    if (models_count(ms) == 0) return nobody_here(name, where, is_default, wait_s, f);
    if (is_known && !name[0])
        return fail(f, STATUS_UNKNOWN_MODEL, "the model that began this text is not here");
    char names[256];
    names_list(ms, names, sizeof names);
    if (!is_known)
        return fail(f, STATUS_NO_MODELD,
                    "which model is the default is not known within %g s of the start; --model names "
                    "one; there are: %s",
                    wait_s, names);
    if (is_default)
        return fail(f, STATUS_NO_MODELD,
                    "the default model '%s' is not here and has not come within %g s; --model names "
                    "another one, tokenizerd --default-model sets another default; there are: %s",
                    name, wait_s, names);
    return fail(f, STATUS_UNKNOWN_MODEL, "no model is named '%s'; there are: %s", name, names);
}

status missing_modeld(const models *ms, const served_model *m, const join_place *where, uint32_t wait_ms, failure *f) {
    const char *name = served_model_name(m), *fingerprint = served_model_fingerprint(m);
    if (means_another_file(ms, name, fingerprint))
        return another_file(STATUS_NO_MODELD, name, fingerprint, where, clock_wait_s(wait_ms), f);
    if (served_model_is_draining(m)) return all_drain(name, where, clock_wait_s(wait_ms), f);
    char hint[JOIN_HINT_BYTES];
    start_hint(hint, name, where);
    return fail(f, STATUS_NO_MODELD, "the modeld of '%s' is gone and none has come back within %g s; %s", name,
                clock_wait_s(wait_ms), hint);
}

/* ---- while it is awaited ---- */

static void awaited_file(const char *name, const char *fingerprint, uint32_t wait_ms, char out[AWAITED_BYTES]) {
    snprintf(out, AWAITED_BYTES,
             "waiting for a modeld of the file with which this began (fingerprint %s), for up to %g s; '%s' is another file now",
             fingerprint, clock_wait_s(wait_ms), name);
}

void awaited_model(const models *ms, const char *name, const char *fingerprint, uint32_t wait_ms,
                   char out[AWAITED_BYTES]) {
    bool is_default = !name[0] && !fingerprint[0];
    char names[256], what[2 * NAME_BYTES_MAX];
    name = models_meant_name(ms, name, fingerprint);
    names_list(ms, names, sizeof names);
    if (name[0]) snprintf(what, sizeof what, " of %s'%s'", is_default ? "the default model " : "", name);
    else if (!is_default) snprintf(what, sizeof what, " of the model that began this text");
    else if (names[0]) snprintf(what, sizeof what, ", or until the default model is known");
    else what[0] = '\0';
    bool is_known = name[0] || fingerprint[0];
    const served_model *draining = is_known ? find_here(ms, name, fingerprint, true) : NULL;
    if (means_another_file(ms, name, fingerprint)) awaited_file(name, fingerprint, wait_ms, out);
    else if (is_known && find_here(ms, name, fingerprint, false))
        snprintf(out, AWAITED_BYTES, "waiting for the vocabulary%s, for up to %g s", what, clock_wait_s(wait_ms));
    else if (draining) awaited_modeld(ms, draining, wait_ms, out);
    else
        snprintf(out, AWAITED_BYTES, "waiting for a modeld%s, for up to %g s; %s%s", what, clock_wait_s(wait_ms),
                 names[0] ? "there are: " : "none is here", names);
}

void awaited_modeld(const models *ms, const served_model *m, uint32_t wait_ms, char out[AWAITED_BYTES]) {
    const char *name = served_model_name(m), *fingerprint = served_model_fingerprint(m);
    if (means_another_file(ms, name, fingerprint)) awaited_file(name, fingerprint, wait_ms, out);
    else if (served_model_is_draining(m))
        snprintf(out, AWAITED_BYTES,
                 "waiting for another modeld of '%s', for up to %g s; what serves it is draining and takes nothing new",
                 name, clock_wait_s(wait_ms));
    else
        snprintf(out, AWAITED_BYTES, "waiting for a modeld of '%s', which is gone, for up to %g s", name, clock_wait_s(wait_ms));
}

void awaited_room(const served_model *m, uint32_t wait_ms, char out[AWAITED_BYTES]) {
    snprintf(out, AWAITED_BYTES, "waiting for room in the modelds of '%s', for up to %g s", served_model_name(m),
             clock_wait_s(wait_ms));
}

void awaited_samplerd(const served_model *m, const samplerd_wanted *wanted, uint32_t wait_ms, char out[AWAITED_BYTES]) {
    const char *pool = wanted->pool, *semantics = wanted->semantics;
    char of_pool[NAME_BYTES_MAX + 32] = "", by[NAME_BYTES_MAX + 32] = "";
    if (pool[0]) snprintf(of_pool, sizeof of_pool, " of pool '%s'", pool);
    if (semantics[0]) snprintf(by, sizeof by, " that draws as %s", semantics);
    snprintf(out, AWAITED_BYTES, "waiting for a samplerd%s%s at the modeld of '%s', for up to %g s%s", of_pool, by,
             served_model_name(m), clock_wait_s(wait_ms), wanted->hangs ? "; the one that is there hangs" : "");
}
