#include "command_line.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static size_t count_words(const command_line *c) {
    size_t n = 0;
    for (size_t i = 0; i < c->n_bytes; i++) n += c->bytes[i] == '\0';
    return n;
}

status command_line_add(command_line *c, failure *f, const char *format, ...) {
    size_t n_left = sizeof c->bytes - c->n_bytes;
    va_list values;
    va_start(values, format);
    int n = vsnprintf(c->bytes + c->n_bytes, n_left, format, values);
    va_end(values);
    if (n < 0 || (size_t)n >= n_left || count_words(c) == COMMAND_LINE_WORDS_MAX)
        return fail(f, STATUS_TOO_LONG, "a daemon's command line is longer than %d bytes",
                    COMMAND_LINE_BYTES);
    c->n_bytes += (size_t)n + 1;
    return STATUS_OK;
}

bool command_line_of(pid_t pid, command_line *out) {
    char path[64];
    out->n_bytes = 0;
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = 0;
    while (out->n_bytes < sizeof out->bytes &&
           (n = read(fd, out->bytes + out->n_bytes, sizeof out->bytes - out->n_bytes)) > 0)
        out->n_bytes += (size_t)n;
    close(fd);
    bool whole = n == 0 && out->n_bytes > 0 && out->bytes[out->n_bytes - 1] == '\0';
    if (whole && count_words(out) <= COMMAND_LINE_WORDS_MAX) return true;
    out->n_bytes = 0;
    return false;
}

/* The word after `word`; NULL: it is the last. */
static const char *next_word(const command_line *c, const char *word) {
    const char *next = word + strlen(word) + 1;
    return next < c->bytes + c->n_bytes ? next : NULL;
}

const char *command_line_value(const command_line *c, const char *name) {
    size_t n_name = strlen(name);
    const char *value = NULL;
    for (const char *word = c->n_bytes ? c->bytes : NULL; word; word = next_word(c, word)) {
        if (strncmp(word, "--", 2) != 0 || strncmp(word + 2, name, n_name) != 0) continue;
        if (word[2 + n_name] == '=') value = word + 2 + n_name + 1;
        else if (word[2 + n_name] == '\0') value = next_word(c, word);
    }
    return value;
}

void command_line_words(const command_line *c, const char *argv[COMMAND_LINE_WORDS_MAX + 1]) {
    size_t n = 0;
    for (const char *word = c->n_bytes ? c->bytes : NULL; word; word = next_word(c, word))
        argv[n++] = word;
    argv[n] = NULL;
}
