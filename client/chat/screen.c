#include "screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/terminal/term.h"
#include "client/terminal/wrap.h"
#include "proto/base/buffer.h"

enum { INDENT_CELLS = 2, COLUMN_CELLS_MIN = 30 };

struct screen {
    output *out;
    const line_editor *editor;  /* NULL: no terminal */
    bool colour;
    buffer held;                /* shown when the line that is being edited is done */
    bool at_line_start;         /* where the cursor stands when all is written */
    const char *reply_prompt;
    bool reply_begun;           /* its first word is shown, after its prompt */
    wrap lines;                 /* of the reply, on a terminal */
    buffer wrapped;             /* what comes out of it */
};

screen *screen_new(output *out, const line_editor *editor) {
    screen *s = calloc(1, sizeof *s);
    if (s) *s = (screen){.out = out, .editor = editor, .colour = term_has_colour(stdout),
                         .at_line_start = true, .reply_prompt = ""};
    return s;
}

void screen_free(screen **s) {
    if (!*s) return;
    wrap_clear(&(*s)->lines);
    buffer_clear(&(*s)->wrapped);
    buffer_clear(&(*s)->held);
    free(*s);
    *s = NULL;
}

bool screen_has_colour(const screen *s) {
    return s->colour;
}

bool screen_is_at_line_start(const screen *s) {
    return s->at_line_start;
}

/* ---- bytes and lines ---- */

status screen_show(screen *s, const char *bytes, size_t n_bytes) {
    if (n_bytes == 0) return STATUS_OK;
    bool is_editing = s->editor && line_editor_is_editing(s->editor);
    s->at_line_start = bytes[n_bytes - 1] == '\n';
    return is_editing ? buffer_add(&s->held, bytes, n_bytes) : output_write(s->out, bytes, n_bytes);
}

status screen_show_text(screen *s, const char *text) {
    return screen_show(s, text, strlen(text));
}

/* With `style` switched on for it, where there is colour. */
static status show_styled(screen *s, const char *style, const char *text) {
    size_t n_bytes = strlen(text);
    bool ends_line = n_bytes > 0 && text[n_bytes - 1] == '\n';
    status st = s->colour ? screen_show_text(s, style) : STATUS_OK;
    if (st == STATUS_OK) st = screen_show(s, text, n_bytes - ends_line);
    if (st == STATUS_OK && s->colour) st = screen_show_text(s, TERM_PLAIN);
    return st == STATUS_OK && ends_line ? screen_show_text(s, "\n") : st;
}

status screen_show_prompt(screen *s, const char *prompt) {
    return show_styled(s, TERM_BOLD, prompt);
}

status screen_show_said(screen *s, const char *prompt, const char *more_prompt, const char *text, size_t n_bytes) {
    char *plain = term_harmless((const uint8_t *)text, n_bytes);
    status st = plain ? STATUS_OK : STATUS_NO_MEMORY;
    for (const char *line = plain; line && st == STATUS_OK; prompt = more_prompt) {
        const char *newline = strchr(line, '\n');
        st = screen_show_prompt(s, prompt);
        if (st == STATUS_OK) st = screen_show(s, line, newline ? (size_t)(newline - line) : strlen(line));
        if (st == STATUS_OK) st = screen_show_text(s, "\n");
        line = newline ? newline + 1 : NULL;
    }
    free(plain);
    return st;
}

status screen_show_new_line(screen *s) {
    status st = s->at_line_start ? STATUS_OK : screen_show_text(s, "\n");
    wrap_move(&s->lines, 0);
    return st;
}

status screen_release(screen *s) {
    s->at_line_start = true;
    status st = screen_show(s, s->held.bytes, s->held.n_bytes);
    buffer_drop(&s->held, s->held.n_bytes);
    return st;
}

/* ---- words to whoever chats ---- */

/* A text as lines of whole words, each after n_before blanks: the first one after `head`, which is no wider. */
static status add_lines(const char *text, const char *head, size_t n_before, buffer *out) {
    const size_t n_columns = term_columns(stdout);
    wrap folded = {.n_columns = n_columns > n_before + 1 ? n_columns - n_before : 2};
    buffer lines = {0};
    status st = wrap_add(&folded, text, &lines);
    if (st == STATUS_OK) st = wrap_end(&folded, &lines);
    for (size_t at = 0, n_bytes; st == STATUS_OK && at < lines.n_bytes; at += n_bytes + 1) {
        const char *end = memchr(lines.bytes + at, '\n', lines.n_bytes - at);
        n_bytes = end ? (size_t)(end - lines.bytes) - at : lines.n_bytes - at;
        st = buffer_add(out, head, strlen(head));
        for (size_t n = term_width(head); n < n_before && st == STATUS_OK; n++) st = buffer_add(out, " ", 1);
        if (st == STATUS_OK) st = buffer_add(out, lines.bytes + at, n_bytes);
        if (st == STATUS_OK) st = buffer_add(out, "\n", 1);
        head = "";
    }
    buffer_clear(&lines);
    wrap_clear(&folded);
    return st;
}

/* A sentence, set apart by an indent. After two blanks or more a column of its own begins, where there is room for
 * one; else it begins on the next line. */
static status indent(const char *sentence, buffer *out) {
    char head[256];
    const char *gap = strstr(sentence, "  ");
    const size_t n_head = gap ? (size_t)(gap - sentence) : 0;
    if (!gap || n_head >= sizeof head - INDENT_CELLS) return add_lines(sentence, "", INDENT_CELLS, out);
    snprintf(head, sizeof head, "%*s%.*s", INDENT_CELLS, "", (int)n_head, sentence);
    const char *column = gap + strspn(gap, " ");
    const size_t n_before = term_width(head) + (size_t)(column - gap);
    if (n_before + COLUMN_CELLS_MIN <= term_columns(stdout)) return add_lines(column, head, n_before, out);
    status st = add_lines(head + INDENT_CELLS, "", INDENT_CELLS, out);
    return st == STATUS_OK ? add_lines(column, "", 2 * INDENT_CELLS, out) : st;
}

status screen_tell(screen *s, const char *sentence) {
    if (!s->editor) {
        bool cuts_a_line = !s->at_line_start && isatty(STDOUT_FILENO) && isatty(STDERR_FILENO);
        fprintf(stderr, "%strivium: %s\n", cuts_a_line ? "\n" : "", sentence);
        return STATUS_OK;
    }
    buffer lines = {0};
    status st = screen_show_new_line(s);
    if (st == STATUS_OK) st = indent(sentence, &lines);
    if (st == STATUS_OK) st = buffer_add(&lines, "", 1);    /* a text */
    if (st == STATUS_OK) st = show_styled(s, TERM_DIM, lines.bytes);
    buffer_clear(&lines);
    return st;
}

/* ---- replies ---- */

void screen_begin_reply(screen *s, const char *prompt) {
    s->reply_prompt = prompt;
    s->reply_begun = false;
}

/* What came out of the wrapping; the prompt comes with the first of it. */
static status show_wrapped(screen *s) {
    if (s->wrapped.n_bytes == 0) return STATUS_OK;
    bool wants_prompt = !s->reply_begun && *s->reply_prompt;
    status st = wants_prompt ? screen_show_prompt(s, s->reply_prompt) : STATUS_OK;
    s->reply_begun = true;
    if (st == STATUS_OK) st = screen_show(s, s->wrapped.bytes, s->wrapped.n_bytes);
    buffer_drop(&s->wrapped, s->wrapped.n_bytes);
    return st;
}

status screen_show_reply(screen *s, const char *bytes, size_t n_bytes, bool is_end) {
    if (!s->editor && !isatty(STDOUT_FILENO)) return screen_show(s, bytes, n_bytes);
    size_t n_columns = term_columns(stdout);
    s->lines.n_columns = n_columns > 1 ? n_columns : 2;
    if (!s->reply_begun) wrap_move(&s->lines, strlen(s->reply_prompt));
    char *plain = term_harmless((const uint8_t *)bytes, n_bytes);
    status st = plain ? wrap_add(&s->lines, plain, &s->wrapped) : STATUS_NO_MEMORY;
    if (st == STATUS_OK && is_end) st = wrap_end(&s->lines, &s->wrapped);
    free(plain);
    return st == STATUS_OK ? show_wrapped(s) : st;
}
