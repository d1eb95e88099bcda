/* Where libedit's cursor stands. */
#ifndef TRIVIUM_EDITED_ROW_H
#define TRIVIUM_EDITED_ROW_H

#include <stddef.h>
#include <wchar.h>

/* The row of the cursor, counted from 0, after a prompt of n_prompt cells and n characters, as libedit shows them on
 * a terminal of n_columns (≥ 1). */
size_t edited_row(size_t n_prompt, const wchar_t *text, size_t n, size_t n_columns);

#endif
