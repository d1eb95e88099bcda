#include "edited_line.h"

#include <limits.h>
#include <stdlib.h>
#include <wchar.h>

#include "edited_row.h"
#include "proto/base/text.h"

static void bind_keys(EditLine *edit) {
    static const char *const keys[][2] = {
        {"^R", "em-inc-search-prev"},
        {"\\e[1~", "ed-move-to-beg"}, {"\\e[7~", "ed-move-to-beg"}, {"\\e[H", "ed-move-to-beg"},
        {"\\e[4~", "ed-move-to-end"}, {"\\e[8~", "ed-move-to-end"}, {"\\e[F", "ed-move-to-end"},
        {"\\e[3~", "ed-delete-next-char"}, {"\\e[2~", "em-toggle-overwrite"},
        {"\\e[1;5C", "em-next-word"}, {"\\e[1;5D", "ed-prev-word"},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        el_set(edit, EL_BIND, keys[i][0], keys[i][1], NULL);
}

/* What is put in is drawn with all that follows it: where a line is longer than a row, libedit wipes the rows below
 * when it lets the terminal do that. */
static void insert_by_drawing(EditLine *edit) {
    static const char *const capabilities[] = {"ic", "IC", "im"};
    for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++)
        el_set(edit, EL_SETTC, capabilities[i], "", NULL);
}

void edited_line_set_up(EditLine *edit) {
    bind_keys(edit);
    insert_by_drawing(edit);
}

size_t edited_line_n_characters(EditLine *edit) {
    const LineInfoW *line = el_wline(edit);
    return (size_t)(line->lastchar - line->buffer);
}

/* That key puts a newline after the line, and leaves the cursor where it is. */
bool edited_line_is_sent(EditLine *edit, size_t n_characters_before) {
    const LineInfoW *line = el_wline(edit);
    return edited_line_n_characters(edit) == n_characters_before + 1 && line->lastchar[-1] == L'\n' &&
           line->cursor < line->lastchar;
}

size_t edited_line_row(EditLine *edit, size_t n_prompt, size_t n_columns) {
    const LineInfoW *line = el_wline(edit);
    return edited_row(n_prompt, line->buffer, (size_t)(line->cursor - line->buffer), n_columns);
}

status edited_line_cut(EditLine *edit, buffer *begun, buffer *rest) {
    const LineInfoW *line = el_wline(edit);
    status st = STATUS_OK;
    for (const wchar_t *at = line->buffer; at < line->cursor && st == STATUS_OK; at++) {
        char bytes[MB_LEN_MAX];
        int n = wctomb(bytes, *at);
        if (n > 0) st = buffer_add(begun, bytes, (size_t)n);
    }
    const size_t n_rest = (size_t)(line->lastchar - line->cursor);
    buffer_drop(rest, rest->n_bytes);
    if (st == STATUS_OK) st = buffer_add(rest, line->cursor, n_rest * sizeof(wchar_t));
    el_cursor(edit, (int)n_rest);
    /* One by one: libedit reads past the end of the line when it deletes more. */
    for (size_t n = edited_line_n_characters(edit); n > 0; n--) el_deletestr(edit, 1);
    return st;
}

void edited_line_insert(EditLine *edit, const char *text, size_t n_bytes, buffer *rest) {
    char *line = n_bytes ? text_replace_ill_formed((const uint8_t *)text, n_bytes, &n_bytes) : NULL;
    if (line) el_insertstr(edit, line);
    free(line);
    const size_t n_rest = rest->n_bytes / sizeof(wchar_t);
    if (n_rest > 0 && buffer_add(rest, L"", sizeof(wchar_t)) == STATUS_OK &&
        el_winsertstr(edit, (const wchar_t *)(const void *)rest->bytes) == 0)
        el_cursor(edit, -(int)n_rest);
    buffer_clear(rest);
}
