#include "seen_names.h"

#include <assert.h>
#include <string.h>

void seen_names_add(seen_names *seen, const char *name) {
    assert(name[0] && strlen(name) <= NAME_BYTES_MAX);
    if (seen_names_have(seen, name)) return;
    strcpy(seen->names[seen->next], name);
    seen->next = (seen->next + 1) % SEEN_NAMES_MAX;
    if (seen->n < SEEN_NAMES_MAX) seen->n++;
}

bool seen_names_have(const seen_names *seen, const char *name) {
    for (size_t i = 0; i < seen->n; i++)
        if (strcmp(seen->names[i], name) == 0) return true;
    return false;
}
