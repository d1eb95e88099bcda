#include "wrap.h"

#include <stdbool.h>

#include "term.h"

enum { TAB_CELLS = 8 };

static status put_new_line(wrap *w, buffer *out) {
    w->n_line = w->n_blanks = 0;
    return buffer_add(out, "\n", 1);
}

status wrap_end(wrap *w, buffer *out) {
    status st = STATUS_OK;
    if (w->word.n_bytes == 0) return st;
    if (w->n_line + w->n_blanks + w->n_word > w->n_columns) {
        if (w->n_line > 0) st = put_new_line(w, out);
        w->n_blanks = 0;
    }
    w->n_line += w->n_blanks + w->n_word;
    for (; st == STATUS_OK && w->n_blanks > 0; w->n_blanks--) st = buffer_add(out, " ", 1);
    if (st == STATUS_OK) st = buffer_add(out, w->word.bytes, w->word.n_bytes);
    buffer_drop(&w->word, w->word.n_bytes);
    w->n_word = 0;
    return st;
}

static void add_blank(wrap *w, char blank) {
    size_t n_cells = w->n_line + w->n_blanks;
    w->n_blanks += blank == '\t' ? TAB_CELLS - n_cells % TAB_CELLS : 1;
}

/* Scripts of wide characters have no blanks. */
static status add_character(wrap *w, const char *text, size_t n_bytes, size_t n_cells, buffer *out) {
    status st = STATUS_OK;
    bool is_full = w->n_word + n_cells > w->n_columns;
    if (n_cells > 1 || is_full) st = wrap_end(w, out);
    if (st == STATUS_OK) st = buffer_add(&w->word, text, n_bytes);
    if (st == STATUS_OK) w->n_word += n_cells;
    return st == STATUS_OK && n_cells > 1 ? wrap_end(w, out) : st;
}

status wrap_add(wrap *w, const char *text, buffer *out) {
    status st = STATUS_OK;
    while (*text && st == STATUS_OK) {
        size_t n_cells, n_bytes = term_character(text, &n_cells);
        if (*text == '\n' || *text == ' ' || *text == '\t') {
            st = wrap_end(w, out);
            if (*text != '\n') add_blank(w, *text);
            else if (st == STATUS_OK) st = put_new_line(w, out);
        } else {
            st = add_character(w, text, n_bytes, n_cells, out);
        }
        text += n_bytes;
    }
    return st;
}

void wrap_move(wrap *w, size_t n_line) {
    w->n_line = n_line;
    w->n_blanks = 0;
}

void wrap_clear(wrap *w) {
    buffer_clear(&w->word);
    w->n_word = w->n_blanks = 0;
}
