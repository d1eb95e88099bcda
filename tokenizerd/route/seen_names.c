#include "seen_names.h"

#include <assert.h>
#include <string.h>

/* n: it is not there. */
static size_t place_of(const seen_names *seen, const char *name) {
    size_t i = 0;
    while (i < seen->n && strcmp(seen->names[i], name) != 0) i++;
    return i;
}

void seen_names_add(seen_names *seen, const char *name) {
    assert(name[0] && strlen(name) <= NAME_BYTES_MAX);
    size_t place = place_of(seen, name);
    if (place == SEEN_NAMES_MAX) place = 0;
    if (place == seen->n) seen->n++;
    size_t n_after = seen->n - 1 - place;
    memmove(seen->names + place, seen->names + place + 1, n_after * sizeof seen->names[0]);
    strcpy(seen->names[seen->n - 1], name);
}

bool seen_names_have(const seen_names *seen, const char *name) {
    return place_of(seen, name) < seen->n;
}
