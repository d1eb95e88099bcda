/* What a person sees: tables, bars, colour only where it belongs. */
#ifndef TRIVIUM_TERM_H
#define TRIVIUM_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 12 };

/* A table whose columns are as wide as their widest cell. Rows are kept until it is printed. */
typedef struct table table;

table *table_new(size_t n_columns);             /* at most TABLE_COLUMNS_MAX; NULL: no memory */
void table_free(table **t);

/* Numbers look better to the right; columns are to the left unless told. */
void table_align_right(table *t, size_t column);

/* The next cell, row by row, printf style. A cell that there is no memory for is left out. */
void table_cell(table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Every row on a line, two blanks between columns, nothing at the ends of lines. */
void table_print(const table *t, FILE *to);

/* Characters, as far as columns go: UTF-8 sequences count once. */
size_t term_width(const char *text);

/* Is `to` a terminal that takes colour? NO_COLOR and TERM=dumb say no. */
bool term_has_colour(FILE *to);

/* The bar of a probability, █ × int(probability × 40). */
enum { BAR_CELLS = 40 };
void term_bar(FILE *to, double probability, bool colour);

#define TERM_BOLD "\033[1m"
#define TERM_DIM "\033[2m"
#define TERM_PLAIN "\033[0m"

/* Everything between the two is dim. */
void term_dim_begin(FILE *to, bool colour);
void term_dim_end(FILE *to, bool colour);

/* Bytes as one quoted line: control characters, quotes and what is no UTF-8 are escaped. malloc'ed,
 * the caller frees; NULL: no memory. */
char *term_quote(const uint8_t *bytes, size_t n_bytes);

#endif
