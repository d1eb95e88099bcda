/* Tables for a person: rows and columns where there is room for them, else what the terminal has room for. */
#ifndef TRIVIUM_TABLE_H
#define TRIVIUM_TABLE_H

#include <stddef.h>
#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 12 };

/* Columns are as wide as their widest cell. The first row names the columns. */
typedef struct table table;

table *table_new(size_t n_columns);             /* at most TABLE_COLUMNS_MAX; NULL: no memory */
void table_free(table **t);

/* Numbers look better to the right; columns are to the left unless told otherwise. */
void table_align_right(table *t, size_t column);

/* The next cell, row by row, printf style. A cell that there is no memory for is left out. */
void table_cell(table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Every row on a line, two blanks between columns, nothing at the ends of lines; on a terminal that is
 * narrower than that as table_print_within. */
void table_print(const table *t, FILE *to);

/* On lines of n_columns cells (≥ 2): as above where it fits. Else as several tables, one below the other, each
 * of the first column and some of the others; a cell that is too wide even so goes on in the next line. Where
 * the first column leaves too little room for others, a row is a list of its cells, each on a line with its
 * column's name before it. */
void table_print_within(const table *t, FILE *to, size_t n_columns);

/* The rows since the last call, for those that take long to come by: each whole row on a line, or as such a
 * list on a terminal that is narrower than the rows so far. It is out when this returns. */
void table_print_new(table *t, FILE *to);

#endif
