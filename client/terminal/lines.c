#include "lines.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/buffer.h"

struct lines {
    buffer pending;
    size_t start;               /* of the next line in `pending` */
    size_t scanned;             /* no newline in start … scanned-1; scanned ≥ start */
    size_t line_bytes_max;
    bool skipping;              /* within a line that was told as too long */
    bool ended;
};

lines *lines_new(size_t line_bytes_max) {
    lines *l = calloc(1, sizeof *l);
    if (l) l->line_bytes_max = line_bytes_max;
    return l;
}

void lines_free(lines **l) {
    if (!*l) return;
    buffer_clear(&(*l)->pending);
    free(*l);
    *l = NULL;
}

status lines_add(lines *l, const void *bytes, size_t n_bytes) {
    buffer_drop(&l->pending, l->start);
    l->scanned -= l->start;
    l->start = 0;
    return buffer_add(&l->pending, bytes, n_bytes);
}

void lines_end(lines *l) {
    l->ended = true;
}

/* The line that ends before `end` and whose newline, if any, lies there. */
static lines_outcome line_take(lines *l, size_t end, const char **line, size_t *n_bytes) {
    bool skipped = l->skipping;
    *line = l->pending.bytes + l->start;
    *n_bytes = end - l->start;
    l->start = l->scanned = end < l->pending.n_bytes ? end + 1 : end;
    l->skipping = false;
    if (skipped) return lines_next(l, line, n_bytes);
    return *n_bytes > l->line_bytes_max ? LINES_TOO_LONG : LINES_LINE;
}

lines_outcome lines_next(lines *l, const char **line, size_t *n_bytes) {
    size_t n_left = l->pending.n_bytes - l->scanned;
    const char *from = n_left ? l->pending.bytes + l->scanned : NULL;
    const char *newline = n_left ? memchr(from, '\n', n_left) : NULL;
    if (newline) return line_take(l, (size_t)(newline - l->pending.bytes), line, n_bytes);
    l->scanned = l->pending.n_bytes;
    size_t n_unfinished = l->pending.n_bytes - l->start;
    if (l->ended) {
        return n_unfinished ? line_take(l, l->pending.n_bytes, line, n_bytes) : LINES_NONE;
    }
    if (!l->skipping && n_unfinished <= l->line_bytes_max) return LINES_NONE;
    lines_outcome outcome = l->skipping ? LINES_NONE : LINES_TOO_LONG;
    l->start = l->scanned;
    l->skipping = true;
    return outcome;
}
