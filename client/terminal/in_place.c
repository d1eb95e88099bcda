#include "in_place.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "term.h"

enum { COLUMNS_USUAL = 80, ROWS_USUAL = 24 };

static struct winsize size_of(const in_place *p) {
    struct winsize size = {0};
    if (ioctl(p->fd, TIOCGWINSZ, &size) != 0) size = (struct winsize){0};
    if (size.ws_col == 0) size.ws_col = COLUMNS_USUAL;
    if (size.ws_row == 0) size.ws_row = ROWS_USUAL;
    return size;
}

bool in_place_works(int fd) {
    const char *kind = getenv("TERM");
    return isatty(fd) && kind && *kind && strcmp(kind, "dumb") != 0;
}

size_t in_place_columns(const in_place *p) {
    return size_of(p).ws_col;
}

void in_place_leave(in_place *p) {
    p->n_lines = 0;
}

/* Of the lines that stand there, in lines of n_columns: terminals break what has become too long for them. */
static size_t n_rows_drawn(const in_place *p, size_t n_columns) {
    size_t n = 0;
    for (size_t i = 0; i < p->n_lines; i++)
        n += p->n_cells[i] > n_columns ? (p->n_cells[i] + n_columns - 1) / n_columns : 1;
    return n;
}

/* Lines are emptied one by one: some terminals keep a screen that is emptied at once, to scroll
 * back to. They are cut here, because a terminal that does not wrap writes the end of a line that
 * is too long over its last cell. It is told not to wrap all the same: it may become narrower. */
void in_place_print(in_place *p, FILE *to, const char *lines) {
    size_t n_rows = size_of(p).ws_row, n_columns = size_of(p).ws_col;
    size_t n_max = n_rows > 1 ? n_rows - 1 : 1;     /* the cursor stands below the last line */
    size_t n_drawn = n_rows_drawn(p, n_columns), n_up = n_drawn < n_max ? n_drawn : n_max;
    if (n_up > 0) fprintf(to, "\033[%zuA", n_up);
    fputs("\033[?7l", to);                          /* no wrapping at the right edge */
    p->n_lines = 0;
    for (; *lines && p->n_lines < n_max && p->n_lines < IN_PLACE_LINES_MAX; p->n_lines++) {
        fputs("\033[K", to);
        p->n_cells[p->n_lines] = term_line(to, lines, n_columns);
        fputc('\n', to);
        lines += strcspn(lines, "\n");
        lines += *lines == '\n';
    }
    fputs("\033[J\033[?7h", to);
}
