/* The line that libedit edits: its keys, and changes that are no keys. What is shown is for others to bring up to
 * date. */
#ifndef TRIVIUM_EDITED_LINE_H
#define TRIVIUM_EDITED_LINE_H

#include <histedit.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/base/buffer.h"

/* Its keys, beside those that libedit binds by itself, and how it is drawn. */
void edited_line_set_up(EditLine *edit);

size_t edited_line_n_characters(EditLine *edit);

/* Did the key that ends a line come last, when the line had n_characters_before? A recalled message may have newlines
 * of its own, at its end, too, when something of it was deleted. */
bool edited_line_is_sent(EditLine *edit, size_t n_characters_before);

/* The row of the cursor, counted from 0, on a terminal of n_columns, after a prompt of n_prompt cells. */
size_t edited_line_row(EditLine *edit, size_t n_prompt, size_t n_columns);

/* Take all of it away. What stood before the cursor is added to `begun` (bytes), what stood after it becomes `rest`
 * (wchar_t). STATUS_NO_MEMORY: part of that is missing. */
status edited_line_cut(EditLine *edit, buffer *begun, buffer *rest);

/* Put in text where the cursor stands, which stands after it then, and `rest` after the cursor. Bytes that are no
 * character become U+FFFD. */
void edited_line_insert(EditLine *edit, const char *text, size_t n_bytes, buffer *rest);

#endif
