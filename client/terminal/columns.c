#include "columns.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "term.h"

columns_layout columns_fit(size_t n_columns, size_t n_line, size_t n_cells_min) {
    size_t n_most = (n_line + COLUMNS_GAP) / (n_cells_min + COLUMNS_GAP);
    if (n_most > COLUMNS_SIDE_MAX) n_most = COLUMNS_SIDE_MAX;
    if (n_most < 1) n_most = 1;
    size_t n_bands = (n_columns + n_most - 1) / n_most;
    size_t n_side = (n_columns + n_bands - 1) / n_bands;
    size_t n_cells = (n_line + COLUMNS_GAP) / n_side - COLUMNS_GAP;
    return (columns_layout){n_side, n_line > 2 + COLUMNS_GAP ? n_cells : 2};
}

column_line columns_line(const char *text, size_t n_cells) {
    assert(n_cells >= 2);
    const size_t n_paragraph = strcspn(text, "\n");
    column_line line = {0}, at_blank = {0}, after_comma = {0};
    size_t more = 0;
    while (line.n_bytes < n_paragraph) {
        size_t n_bytes = term_character(text + line.n_bytes, &more);
        if (text[line.n_bytes] == ' ') at_blank = line;
        if (line.n_cells + more > n_cells) break;
        line.n_bytes += n_bytes;
        line.n_cells += more;
        if (text[line.n_bytes - 1] == ',') after_comma = line;
    }
    if (line.n_bytes == n_paragraph) {
        line.n_taken = n_paragraph + (text[n_paragraph] == '\n');
    } else {
        if (at_blank.n_bytes > 0) line = at_blank;
        else if (after_comma.n_bytes > 0) line = after_comma;
        line.n_taken = line.n_bytes + strspn(text + line.n_bytes, " ");
    }
    for (; line.n_bytes > 0 && text[line.n_bytes - 1] == ' '; line.n_bytes--) line.n_cells--;
    return line;
}

static bool any_left(const char *const *texts, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (*texts[i]) return true;
    }
    return false;
}

void columns_print(FILE *to, const char *const *texts, size_t n, size_t n_cells,
                   const char *style) {
    assert(n <= COLUMNS_SIDE_MAX);
    const char *at[COLUMNS_SIDE_MAX];
    for (size_t i = 0; i < n; i++) at[i] = texts[i];
    while (any_left(at, n)) {
        size_t n_blanks = 0;    /* before the next one that is not empty */
        for (size_t i = 0; i < n; i++) {
            column_line line = columns_line(at[i], n_cells);
            if (line.n_bytes > 0) {
                fprintf(to, "%*s%s%.*s%s", (int)n_blanks, "", style ? style : "", (int)line.n_bytes,
                        at[i], style ? TERM_PLAIN : "");
                n_blanks = 0;
            }
            n_blanks += n_cells - line.n_cells + COLUMNS_GAP;
            at[i] += line.n_taken;
        }
        fputc('\n', to);
    }
}

void columns_print_text(FILE *to, const char *text, const char *style) {
    enum { CELLS_MIN = 2 };
    size_t n_room = term_room(to);
    columns_print(to, &text, 1, n_room > CELLS_MIN ? n_room : CELLS_MIN, style);
}
