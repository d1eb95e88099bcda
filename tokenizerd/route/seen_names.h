/* The names of the models that have been here: one that was may come back, so it is worth waiting for. Pure. */
#ifndef TRIVIUM_SEEN_NAMES_H
#define TRIVIUM_SEEN_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/limits.h"

/* Zero: none. Of more than SEEN_NAMES_MAX those are forgotten that were added, last, the longest ago. */
typedef struct seen_names {
    char names[SEEN_NAMES_MAX][NAME_BYTES_MAX + 1];
    size_t n;                   /* names[0]: added the longest ago */
} seen_names;

void seen_names_add(seen_names *seen, const char *name);    /* 1 … NAME_BYTES_MAX bytes long */
bool seen_names_have(const seen_names *seen, const char *name);

#endif
