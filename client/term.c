#include "term.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/rt/text.h"

struct table {
    size_t n_columns, n_cells, capacity;
    char **cells;               /* [n_cells], row by row, owned; NULL is an empty one */
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
    if (t->n_cells < t->capacity) return true;
    size_t capacity = t->capacity ? 2 * t->capacity : 8 * t->n_columns;
    char **grown = realloc(t->cells, capacity * sizeof *grown);
    if (!grown) return false;
    t->cells = grown;
    t->capacity = capacity;
    return true;
}

void table_cell(table *t, const char *format, ...) {
    if (!table_room(t)) return;
    va_list arguments;
    va_start(arguments, format);
    char *cell = NULL;
    if (vasprintf(&cell, format, arguments) < 0) cell = NULL;
    va_end(arguments);
    t->cells[t->n_cells++] = cell;
}

static const char *cell_text(const table *t, size_t i) {
    return i < t->n_cells && t->cells[i] ? t->cells[i] : "";
}

static void cell_print(const char *text, size_t width, bool to_the_right, bool is_last, FILE *to) {
    int n_blanks = (int)(width - term_width(text));
    if (to_the_right) fprintf(to, "%*s%s", n_blanks, "", text);
    else fprintf(to, "%s%*s", text, is_last ? 0 : n_blanks, "");
    fputs(is_last ? "\n" : "  ", to);
}

void table_print(const table *t, FILE *to) {
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t width = term_width(cell_text(t, i)), *widest = &widths[i % t->n_columns];
        if (width > *widest) *widest = width;
    }
    size_t n_rows = (t->n_cells + t->n_columns - 1) / t->n_columns;
    for (size_t i = 0; i < n_rows * t->n_columns; i++) {
        size_t column = i % t->n_columns;
        cell_print(cell_text(t, i), widths[column], t->to_the_right[column],
                   column + 1 == t->n_columns, to);
    }
}

size_t term_width(const char *text) {
    size_t width = 0;
    for (const char *c = text; *c; c++) {
        if (((unsigned char)*c & 0xC0) != 0x80) width++;    /* not the inside of a sequence */
    }
    return width;
}

bool term_has_colour(FILE *to) {
    const char *no_colour = getenv("NO_COLOR"), *kind = getenv("TERM");
    if (no_colour && *no_colour) return false;
    return kind && strcmp(kind, "dumb") != 0 && isatty(fileno(to));
}

void term_bar(FILE *to, double probability, bool colour) {
    if (!(probability * BAR_CELLS >= 1)) return;        /* nor what is no number */
    int n_cells = probability < 1 ? (int)(probability * BAR_CELLS) : BAR_CELLS;
    if (colour) fputs("\033[36m", to);
    for (int i = 0; i < n_cells; i++) fputs("\u2588", to);
    if (colour) fputs("\033[0m", to);
}

void term_dim_begin(FILE *to, bool colour) {
    if (colour) fputs("\033[2m", to);
}

void term_dim_end(FILE *to, bool colour) {
    if (colour) fputs("\033[0m", to);
}

static size_t quote_byte(char *out, uint8_t byte, bool escape_high) {
    static const char letters[] = "abtnvfr";    /* of the bytes 7 … 13 */
    if (byte == '"' || byte == '\\') return (size_t)sprintf(out, "\\%c", byte);
    if (byte >= 7 && byte <= 13) return (size_t)sprintf(out, "\\%c", letters[byte - 7]);
    if (byte < ' ' || byte == 0x7F || (escape_high && byte >= 0x80))
        return (size_t)sprintf(out, "\\x%02x", byte);
    *out = (char)byte;
    return 1;
}

char *term_quote(const uint8_t *bytes, size_t n_bytes) {
    char *out = malloc(4 * n_bytes + 3);
    if (!out) return NULL;
    bool escape_high = !text_is_utf8(bytes, n_bytes);
    size_t n_out = 0;
    out[n_out++] = '"';
    for (size_t i = 0; i < n_bytes; i++) n_out += quote_byte(out + n_out, bytes[i], escape_high);
    out[n_out++] = '"';
    out[n_out] = '\0';
    return out;
}
