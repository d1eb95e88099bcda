/* Lines out of bytes that come in pieces of any size. */
#ifndef TRIVIUM_LINES_H
#define TRIVIUM_LINES_H

#include <stddef.h>

#include "proto/base/status.h"

typedef struct lines lines;

typedef enum lines_outcome {
    LINES_NONE, /* no whole line yet: add bytes */
    LINES_LINE,
    LINES_TOO_LONG, /* a line past the bound: its bytes are dropped, the next line is fine */
} lines_outcome;

lines *lines_new(size_t line_bytes_max);        /* NULL: no memory */
void lines_free(lines **l);

status lines_add(lines *l, const void *bytes, size_t n_bytes);     /* STATUS_NO_MEMORY */
void lines_end(lines *l);                       /* no more bytes: what is left is the last line */

/* The next line without its newline; valid until the next lines_add. */
lines_outcome lines_next(lines *l, const char **line, size_t *n_bytes);

#endif
