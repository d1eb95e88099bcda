#include "keys.h"

#include <stdlib.h>

struct keys {
    const char *folder;
    loop *loop;
};

status keys_choose(const char **folder, bool insecure, failure *f) {
    if (*folder && insecure)
        return fail(f, STATUS_BAD_REQUEST, "--keys and --insecure exclude each other: tcp has keys or it has none");
    const char *value = getenv("TRIVIUM_KEYS");
    if (!*folder && !insecure && value && *value) *folder = value;
    return STATUS_OK;
}

status keys_open(keys **out, const char *folder, loop *l, failure *f) {
    *out = NULL;
    if (!folder) return STATUS_OK;
    keys *k = calloc(1, sizeof *k);
    if (!k) return fail(f, STATUS_NO_MEMORY, "no memory for keys");
    *k = (keys){.folder = folder, .loop = l};
    *out = k;
    return STATUS_OK;
}

void keys_close(keys **k) {
    free(*k);
    *k = NULL;
}
