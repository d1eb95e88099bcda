/* What a person sees: cells, lines, bars, colour only where it belongs. */
#ifndef TRIVIUM_TERM_H
#define TRIVIUM_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Text is UTF-8 from here on, whatever the user's locale says; numbers stay as in C. Once, at the
 * beginning of main. */
void term_use_utf8(void);

/* The bytes of the character at the beginning of a text that is not empty, and the cells that it
 * takes: two for a wide one, none for a mark on the one before it. */
size_t term_character(const char *text, size_t *n_cells);

size_t term_width(const char *text);            /* cells */

/* The bytes of its longest beginning that n_cells hold, with the marks on its last character;
 * *width: the cells of that. */
size_t term_fit(const char *text, size_t n_cells, size_t *width);

/* A text in just so many cells: filled up with blanks, or cut with an ellipsis. */
void term_cell(FILE *to, const char *text, size_t n_cells);

/* The first line of a text, without its newline, in n_columns (≥ 1) at most: else cut with an
 * ellipsis. It may have escape sequences; those after the cut stay, so that what they end ends. Returns the
 * cells that it takes. */
size_t term_line(FILE *to, const char *line, size_t n_columns);

/* Cells of a line of `to`: what COLUMNS says, or the terminal; 80 where neither does. */
size_t term_columns(FILE *to);

size_t term_room(FILE *to);     /* the same where `to` is a terminal; elsewhere lines have no end: SIZE_MAX */

/* Is `to` a terminal that takes colour? NO_COLOR and TERM=dumb say no. */
bool term_has_colour(FILE *to);

/* The bar of a probability, █ × int(probability × n_cells). */
enum { BAR_CELLS = 40 };        /* of one where there is room */
void term_bar(FILE *to, double probability, size_t n_cells, bool colour);

/* How what follows looks, until TERM_PLAIN. */
#define TERM_BOLD "\033[1m"
#define TERM_DIM "\033[2m"
#define TERM_CYAN "\033[36m"
#define TERM_PLAIN "\033[0m"

/* Everything between the two is dim. */
void term_dim_begin(FILE *to, bool colour);
void term_dim_end(FILE *to, bool colour);

/* Bytes as lines that no terminal obeys: control characters but newlines are escaped, a tab is a
 * blank, what is no UTF-8 becomes U+FFFD. malloc'ed, the caller frees; NULL: no memory. */
char *term_plain(const uint8_t *bytes, size_t n_bytes);

char *term_harmless(const uint8_t *bytes, size_t n_bytes);     /* the same, but a tab is a tab */

/* Bytes as one quoted line: control characters, those that reorder text, quotes and what is no UTF-8 are escaped. malloc'ed,
 * the caller frees; NULL: no memory. */
char *term_quote(const uint8_t *bytes, size_t n_bytes);

#endif
