#include "input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/limits.h"

enum { READ_BYTES = 64 * 1024 };

static status read_stdin(buffer *out, failure *f) {
    char piece[READ_BYTES];
    for (;;) {
        ssize_t n = read(STDIN_FILENO, piece, sizeof piece);
        if (n == 0) return STATUS_OK;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(f, STATUS_IO, "cannot read stdin: %s", strerror(errno));
        if ((size_t)n > TEXT_BYTES_MAX - out->n_bytes) {
            return fail(f, STATUS_TOO_LONG, "the text on stdin is longer than %d bytes",
                        TEXT_BYTES_MAX);
        }
        if (buffer_add(out, piece, (size_t)n) != STATUS_OK) {
            return fail(f, STATUS_NO_MEMORY, "no memory for the text on stdin");
        }
    }
}

/* Nearly every text ends with one because a line does: no part of what was meant. */
static void drop_newline(buffer *text) {
    if (text->n_bytes > 0 && text->bytes[text->n_bytes - 1] == '\n') text->n_bytes--;
}

void input_tell_waiting(const char *what) {
    if (isatty(STDIN_FILENO))
        fprintf(stderr, "reading %s from the terminal: end it with Ctrl-D\n", what);
}

status input_read(buffer *out, const char *what, const char *word, bool keep_newline, failure *f) {
    if (!word || strcmp(word, "-") == 0) {
        input_tell_waiting(what);
        status st = read_stdin(out, f);
        if (st == STATUS_OK && !keep_newline) drop_newline(out);
        return st;
    }
    size_t n_bytes = strlen(word);
    if (n_bytes > TEXT_BYTES_MAX) {
        return fail(f, STATUS_TOO_LONG, "the text is longer than %d bytes", TEXT_BYTES_MAX);
    }
    return buffer_add(out, word, n_bytes) == STATUS_OK
               ? STATUS_OK
               : fail(f, STATUS_NO_MEMORY, "no memory for the text");
}
