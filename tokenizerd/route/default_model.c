#include "default_model.h"

#include <assert.h>
#include <string.h>

static void name_copy(char out[NAME_BYTES_MAX + 1], const char *name) {
    assert(strlen(name) <= NAME_BYTES_MAX);
    strcpy(out, name);
}

static void first_set(default_model *d, const char *name, uint64_t since_ms) {
    name_copy(d->first, name);
    d->since_ms = since_ms;
}

void default_model_set(default_model *d, const char *name) {
    name_copy(d->setting, name);
}

/* Of two that joined in the same millisecond the names decide: everywhere alike. */
bool default_model_heard(default_model *d, const char *name, uint64_t since_ms) {
    bool is_older = since_ms < d->since_ms ||
                    (since_ms == d->since_ms && strcmp(name, d->first) < 0);
    if (!name[0] || (d->first[0] && !is_older)) return false;
    first_set(d, name, since_ms);
    return true;
}

/* Where one is known, whoever joins comes later, whatever the clock says. */
bool default_model_joined(default_model *d, const char *name, uint64_t now_ms) {
    if (d->first[0]) return false;
    first_set(d, name, now_ms);
    return true;
}

const char *default_model_name(const default_model *d) {
    return d->setting[0] ? d->setting : d->first;
}
