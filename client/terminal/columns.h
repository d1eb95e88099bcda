/* Texts side by side, each wrapped within a column of its own. Texts are UTF-8 without control
 * characters but newlines, as term_plain makes them. */
#ifndef TRIVIUM_COLUMNS_H
#define TRIVIUM_COLUMNS_H

#include <stddef.h>
#include <stdio.h>

enum {
    COLUMNS_GAP = 2,            /* blanks between two columns */
    COLUMNS_SIDE_MAX = 16,      /* side by side */
};

typedef struct columns_layout {
    size_t n_side;              /* columns of a band; the last band may have fewer */
    size_t n_cells;             /* of each column */
} columns_layout;

/* How n_columns (≥ 1) share lines of n_line cells: in as few bands as give each column n_cells_min,
 * the bands as even as may be. A line that is narrower than that is one column. */
columns_layout columns_fit(size_t n_columns, size_t n_line, size_t n_cells_min);

typedef struct column_line {
    size_t n_bytes, n_cells;    /* without blanks at its end */
    size_t n_taken;             /* bytes up to the next line */
} column_line;

/* The first line of a text in n_cells (≥ 2): it ends at a newline, else at a blank; a word that is
 * longer than a line is broken after a comma, else between two characters. */
column_line columns_line(const char *text, size_t n_cells);

/* n texts beside each other, nothing at the ends of lines. `style`, an escape sequence, is around
 * what stands in them; NULL: none. */
void columns_print(FILE *to, const char *const *texts, size_t n, size_t n_cells,
                   const char *style);

/* One text, in lines that are no longer than those of the terminal that `to` is; else as it is. */
void columns_print_text(FILE *to, const char *text, const char *style);

#endif
