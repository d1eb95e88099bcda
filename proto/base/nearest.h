/* Of the names that there are, the one that somebody who mistyped it most likely meant. */
#ifndef TRIVIUM_NEAREST_H
#define TRIVIUM_NEAREST_H

#include <stddef.h>

enum {
    NEAREST_BYTES_MAX = 40,     /* longer words and names are near to nothing */
    BEGINNING_BYTES_MIN = 3,    /* shorter ones are the beginning of too much */
};

typedef struct nearest {
    const char *word;           /* [n_bytes], borrowed */
    size_t n_bytes;
    const char *name;           /* borrowed; NULL: none of those tried is near enough */
    size_t distance;            /* characters put in, left out, changed or swapped with the next one */
} nearest;

nearest nearest_begin(const char *word, size_t n_bytes);

/* Keeps `name` when it is nearer than those tried before, and at most a third of its characters differ or the word
 * is its beginning: "temp" for temperature. */
void nearest_try(nearest *n, const char *name);

#endif
