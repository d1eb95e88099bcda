#include "table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include "columns.h"
#include "proto/base/grow.h"
#include "proto/base/text.h"
#include "term.h"

enum {
    CELLS_MIN = 2,              /* of a column that is broken into lines */
    OTHERS_CELLS_MIN = 24,      /* beside the first column, for a table of some columns */
    FACT_CELLS_MIN = 12,        /* beside the name of its column */
    FACT_INDENT = 2,            /* of one that stands below that name */
};

struct table {
    size_t n_columns, n_cells, capacity;
    char **cells;               /* [n_cells], row by row, owned; NULL is an empty one */
    size_t n_printed;           /* rows, by table_print_new */
    bool to_the_right[TABLE_COLUMNS_MAX];
};

table *table_new(size_t n_columns) {
    assert(n_columns > 0 && n_columns <= TABLE_COLUMNS_MAX);
    table *t = calloc(1, sizeof *t);
    if (t) t->n_columns = n_columns;
    return t;
}

void table_free(table **t) {
    if (!*t) return;
    for (size_t i = 0; i < (*t)->n_cells; i++) free((*t)->cells[i]);
    free((*t)->cells);
    free(*t);
    *t = NULL;
}

void table_align_right(table *t, size_t column) {
    assert(column < t->n_columns);
    t->to_the_right[column] = true;
}

static bool table_room(table *t) {
    char **grown = grow(t->cells, &t->capacity, t->n_cells + 1, sizeof *grown);
    if (grown) t->cells = grown;
    return grown != NULL;
}

void table_cell(table *t, const char *format, ...) {
    if (!table_room(t)) return;
    va_list arguments;
    va_start(arguments, format);
    char *cell = NULL;
    if (vasprintf(&cell, format, arguments) < 0) cell = NULL;
    va_end(arguments);
    if (cell) text_keep_order(cell);    /* its neighbours are none of its business */
    t->cells[t->n_cells++] = cell;
}

static const char *cell_text(const table *t, size_t row, size_t column) {
    size_t i = row * t->n_columns + column;
    return i < t->n_cells && t->cells[i] ? t->cells[i] : "";
}

static size_t n_rows_of(const table *t) {
    return (t->n_cells + t->n_columns - 1) / t->n_columns;
}

/* The cells of each column; returns those of a whole row. */
static size_t widths_of(const table *t, size_t *widths) {
    size_t n_line = COLUMNS_GAP * (t->n_columns - 1);
    for (size_t column = 0; column < t->n_columns; column++) {
        widths[column] = 0;
        for (size_t row = 0; row < n_rows_of(t); row++) {
            size_t width = term_width(cell_text(t, row, column));
            if (width > widths[column]) widths[column] = width;
        }
        n_line += widths[column];
    }
    return n_line;
}

/* ---- rows ---- */

/* One line of a cell. *n_blanks: that are due before it; on return, those due after it. They are written with the
 * next text, so none stand at the end of a line. */
static void line_print(const char *text, const column_line *line, size_t width, bool to_the_right, size_t *n_blanks,
                       FILE *to) {
    size_t n_more = width - line->n_cells;
    if (to_the_right) *n_blanks += n_more;
    if (line->n_bytes > 0) {
        fprintf(to, "%*s%.*s", (int)*n_blanks, "", (int)line->n_bytes, text);
        *n_blanks = 0;
    }
    *n_blanks += COLUMNS_GAP + (to_the_right ? 0 : n_more);
}

/* Some of its columns beside the first one; a cell that is wider than its column goes on in the next line. */
static void row_print(const table *t, const size_t *widths, size_t row, size_t first, size_t end, FILE *to) {
    const char *at[TABLE_COLUMNS_MAX];
    for (size_t column = 0; column < end; column++) at[column] = cell_text(t, row, column);
    bool goes_on = true;
    while (goes_on) {
        size_t n_blanks = 0;
        goes_on = false;
        for (size_t column = 0; column < end; column = column == 0 ? first : column + 1) {
            size_t n_cells = widths[column] > CELLS_MIN ? widths[column] : CELLS_MIN;
            column_line line = columns_line(at[column], n_cells);
            line_print(at[column], &line, widths[column], t->to_the_right[column], &n_blanks, to);
            at[column] += line.n_taken;
            goes_on = goes_on || *at[column];
        }
        fputc('\n', to);
    }
}

static void rows_print(const table *t, const size_t *widths, size_t first, size_t end, FILE *to) {
    for (size_t row = 0; row < n_rows_of(t); row++) row_print(t, widths, row, first, end, to);
}

/* Tables of as many columns as fit beside the first. */
static void bands_print(const table *t, size_t *widths, size_t n_columns, FILE *to) {
    const size_t n_room = n_columns - widths[0] - COLUMNS_GAP;
    for (size_t first = 1, end; first < t->n_columns; first = end) {
        size_t n_taken = 0;
        for (end = first; end < t->n_columns; end++) {
            if (widths[end] > n_room) widths[end] = n_room;
            n_taken += widths[end] + (end > first ? COLUMNS_GAP : 0);
            if (n_taken > n_room) break;
        }
        if (first > 1) fputc('\n', to);
        rows_print(t, widths, first, end, to);
    }
}

/* ---- lists ---- */

/* A text in lines of n_cells, the first of which begins where the cursor stands. */
static void fact_print(const char *text, size_t n_cells, size_t n_indent, FILE *to) {
    do {
        column_line line = columns_line(text, n_cells);
        fprintf(to, "%.*s\n", (int)line.n_bytes, text);
        text += line.n_taken;
        if (*text) fprintf(to, "%*s", (int)n_indent, "");
    } while (*text);
}

/* A row as a list of its cells. */
static void list_print(const table *t, size_t row, size_t n_columns, FILE *to) {
    size_t n_name = 0;
    for (size_t column = 0; column < t->n_columns; column++) {
        size_t width = term_width(cell_text(t, 0, column));
        if (width > n_name) n_name = width;
    }
    bool beside = n_name + COLUMNS_GAP + FACT_CELLS_MIN <= n_columns;
    size_t n_indent = beside ? n_name + COLUMNS_GAP : n_columns > FACT_INDENT + CELLS_MIN ? FACT_INDENT : 0;
    for (size_t column = 0; column < t->n_columns; column++) {
        const char *name = cell_text(t, 0, column), *text = cell_text(t, row, column);
        if (!*text) continue;
        if (beside) fprintf(to, "%s%*s", name, (int)(n_indent - term_width(name)), "");
        else fact_print(name, n_columns, 0, to);
        if (!beside) fprintf(to, "%*s", (int)n_indent, "");
        fact_print(text, n_columns - n_indent, n_indent, to);
    }
}

static void lists_print(const table *t, size_t first_row, size_t n_columns, FILE *to) {
    for (size_t row = first_row; row < n_rows_of(t); row++) {
        if (row > 1) fputc('\n', to);
        list_print(t, row, n_columns, to);
    }
}

/* ---- the whole ---- */

void table_print_within(const table *t, FILE *to, size_t n_columns) {
    size_t widths[TABLE_COLUMNS_MAX];
    if (widths_of(t, widths) <= n_columns) rows_print(t, widths, 1, t->n_columns, to);
    else if (widths[0] + COLUMNS_GAP + OTHERS_CELLS_MIN <= n_columns) bands_print(t, widths, n_columns, to);
    else lists_print(t, 1, n_columns, to);
}

void table_print(const table *t, FILE *to) {
    table_print_within(t, to, term_room(to));
}

void table_print_new(table *t, FILE *to) {
    size_t widths[TABLE_COLUMNS_MAX], n_columns = term_room(to), n_line = widths_of(t, widths);
    if (n_line > n_columns) {
        lists_print(t, t->n_printed > 1 ? t->n_printed : 1, n_columns, to);
    } else {
        for (size_t row = t->n_printed; row < n_rows_of(t); row++) row_print(t, widths, row, 1, t->n_columns, to);
    }
    t->n_printed = n_rows_of(t);
    fflush(to);
}
