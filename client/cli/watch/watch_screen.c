#include "watch_screen.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli/candidates.h"
#include "client/terminal/in_place.h"
#include "client/terminal/term.h"
#include "kept_step.h"
#include "proto/base/text.h"

enum { TAIL_BYTES = 240, TAIL_CELLS = 80 };     /* at most, of the text above the newest step */

struct watch_screen {
    in_place place;
    bool colour;
    buffer text;                /* of the steps seen, its end */
    kept_step newest;
    bool any, due;              /* a step was seen; it is not drawn as it should be */
    bool left;                  /* the cursor may stand anywhere */
};

watch_screen *watch_screen_new(int fd, bool colour) {
    watch_screen *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->place.fd = fd;
    s->colour = colour;
    strategy_init(&s->newest.chain);
    return s;
}

void watch_screen_free(watch_screen **s) {
    if (!*s) return;
    kept_step_clear(&(*s)->newest);
    buffer_clear(&(*s)->text);
    free(*s);
    *s = NULL;
}

static status text_add(buffer *text, const watch_trace *trace, bool follows) {
    status st = STATUS_OK;
    if (!follows && text->n_bytes > 0) st = buffer_add(text, "\u2026", strlen("\u2026"));
    if (st == STATUS_OK) st = buffer_add(text, trace->token.text, trace->token.n_bytes);
    if (text->n_bytes > TAIL_BYTES) buffer_drop(text, text->n_bytes - TAIL_BYTES);
    while (text->n_bytes > 0 && (text->bytes[0] & 0xC0) == 0x80) buffer_drop(text, 1);
    return st;
}

status watch_screen_add(watch_screen *s, const watch_trace *trace, bool follows) {
    status st = text_add(&s->text, trace, follows);
    if (st == STATUS_OK) st = kept_step_set(&s->newest, trace);
    s->any = s->due = st == STATUS_OK;
    return st;
}

void watch_screen_resized(watch_screen *s) {
    s->due = s->any;
}

void watch_screen_left(watch_screen *s) {
    in_place_leave(&s->place);
    s->left = true;
    s->due = s->any;
}

bool watch_screen_is_due(const watch_screen *s) {
    return s->due;
}

/* The end of the text on one line, quoted. A token may be half a character, which is shown
 * as U+FFFD, so that it does not make all of the text escapes. */
static void print_tail(FILE *to, const buffer *text, size_t n_columns) {
    size_t n_room = n_columns < TAIL_CELLS ? n_columns : TAIL_CELLS, n_whole;
    char *whole = text_replace_ill_formed((const uint8_t *)text->bytes, text->n_bytes, &n_whole);
    char *line = whole ? term_quote((const uint8_t *)whole, n_whole) : NULL;
    free(whole);
    if (!line) return;
    const char *from = line;
    size_t width = term_width(from), n_cells = 0;
    while (width > n_room - 1) {
        from += term_character(from, &n_cells);
        width -= n_cells;
    }
    fprintf(to, "%s%s\n", from == line ? "" : "\u2026", from);
    free(line);
}

/* malloc'ed; NULL: no memory. */
static char *lines_of(const watch_screen *s) {
    char *lines = NULL;
    size_t n_bytes = 0, n_columns = in_place_columns(&s->place);
    FILE *to = open_memstream(&lines, &n_bytes);
    if (!to) return NULL;
    print_tail(to, &s->text, n_columns);
    candidates_print(to, &s->newest.token, &s->newest.chain, n_columns, s->colour);
    if (fclose(to) == 0) return lines;
    free(lines);
    return NULL;
}

status watch_screen_draw(watch_screen *s, FILE *to) {
    char *lines = lines_of(s);
    if (!lines) return STATUS_NO_MEMORY;
    if (s->left) fputc('\r', to);
    in_place_print(&s->place, to, lines);
    free(lines);
    s->left = s->due = false;
    return STATUS_OK;
}
