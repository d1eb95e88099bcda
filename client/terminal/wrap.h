/* A text that comes in pieces, in lines that are no longer than a terminal's: a word that does not fit
 * begins the next one. Pure; the caller writes what comes out. */
#ifndef TRIVIUM_WRAP_H
#define TRIVIUM_WRAP_H

#include <stddef.h>

#include "proto/base/buffer.h"

/* All zero, but for n_columns, stands at the beginning of a line. */
typedef struct wrap {
    size_t n_columns;           /* ≥ 2 cells of a line; may change in between */
    size_t n_line;              /* cells that are taken of the one at hand */
    size_t n_blanks;            /* that the next word follows, if it stands in the same line */
    buffer word;                /* held back, because more of it may come */
    size_t n_word;              /* its cells */
} wrap;

/* Add to `out` what may be shown now that this piece has come: whole characters, UTF-8 without control
 * characters but newlines and tabs, as term_harmless makes them. Blanks at the ends of lines are left
 * out, those at the beginning of the text's own lines stay. A word that is longer than a line is cut,
 * and so may any be between two wide characters. STATUS_NO_MEMORY. */
status wrap_add(wrap *w, const char *text, buffer *out);
status wrap_end(wrap *w, buffer *out);          /* no more comes of the word that is held back */

/* The cursor stands in cell n_line now, because something else was shown. */
void wrap_move(wrap *w, size_t n_line);

void wrap_clear(wrap *w);                       /* frees; its numbers stay */

#endif
