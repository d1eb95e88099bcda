#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "in_place.h"
#include "term.h"

enum { LINE_BYTES = 256 };

static size_t n_shown;          /* cells of the line that stands there */

/* A terminal that became narrower may have broken the line in two. */
void progress_clear(void) {
    size_t n_columns = term_columns(stderr);
    size_t n_up = n_shown > 0 ? (n_shown - 1) / n_columns : 0;
    if (n_shown == 0) return;
    if (n_up > 0) fprintf(stderr, "\033[%zuA", n_up);
    fputs("\r\033[J", stderr);
    n_shown = 0;
}

void progress_tell(const char *format, ...) {
    char line[LINE_BYTES];
    if (!in_place_works(STDERR_FILENO)) return;
    progress_clear();
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    size_t n_columns = term_columns(stderr), width = term_width(line);
    n_shown = width < n_columns ? width : n_columns - 1;        /* the cursor has a cell of its own after it */
    if (n_shown > 0) term_line(stderr, line, n_shown);
}

void progress_leave(void) {
    if (n_shown > 0) fputc('\n', stderr);
    n_shown = 0;
}
