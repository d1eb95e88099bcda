#include "edited_row.h"

enum { TAB_CELLS = 8, CONTROL_CELLS = 2 /* ^C */ };

size_t edited_row(size_t n_prompt, const wchar_t *text, size_t n, size_t n_columns) {
    size_t row = n_prompt / n_columns, cell = n_prompt % n_columns;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == L'\n') {
            row++;
            cell = 0;
            continue;
        }
        int width = wcwidth(text[i]);
        size_t n_cells = text[i] == L'\t' ? TAB_CELLS - cell % TAB_CELLS : width < 0 ? CONTROL_CELLS : (size_t)width;
        if (cell > 0 && text[i] != L'\t' && cell + n_cells > n_columns) {
            row++;
            cell = 0;
        }
        row += (cell + n_cells) / n_columns;
        cell = (cell + n_cells) % n_columns;
    }
    return row;
}
