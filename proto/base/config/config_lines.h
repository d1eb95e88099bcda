/* A settings file as it stands there: its lines `key = value`. Empty lines, and those that begin with '#', are passed
 * over; blanks around keys and values are no part of them, and a line may end with CR LF. */
#ifndef TRIVIUM_CONFIG_LINES_H
#define TRIVIUM_CONFIG_LINES_H

#include <stddef.h>

#include "proto/base/status.h"

enum { CONFIG_BYTES_MAX = 65536 };      /* a larger file is taken for something else */

typedef struct config_line {
    const char *key;            /* not empty; into the text */
    const char *value;          /* NULL: there is no '=' */
    unsigned number;            /* from 1 */
} config_line;

typedef struct config_lines {
    char *text;                 /* owned */
    config_line *lines;         /* [n_lines], owned */
    size_t n_lines;
} config_lines;

/* STATUS_IO: it cannot be read, is no file or too large; STATUS_BAD_REQUEST: not UTF-8, a NUL byte, or a line without
 * a key, which is named as FILE:LINE; STATUS_NO_MEMORY. `out` is then empty. */
status config_lines_read(config_lines *out, const char *path, failure *f);
void config_lines_clear(config_lines *lines);

#endif
