/* The words that a program is started with, or was. */
#ifndef TRIVIUM_COMMAND_LINE_H
#define TRIVIUM_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/base/status.h"

enum { COMMAND_LINE_BYTES = 16 * 1024, COMMAND_LINE_WORDS_MAX = 255 };

/* The form that /proc/PID/cmdline has: words, each with its NUL. All zero is an empty one. */
typedef struct command_line {
    char bytes[COMMAND_LINE_BYTES];
    size_t n_bytes;
} command_line;

/* Another word, printf style. STATUS_TOO_LONG. */
status command_line_add(command_line *c, failure *f, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Of a process that runs; false: there is none, or it has more words than fit. */
bool command_line_of(pid_t pid, command_line *out);

/* What `--name=V` or `--name V` gives, the last where it stands twice; NULL: it stands nowhere. Borrowed
 * from `c`. */
const char *command_line_value(const command_line *c, const char *name);

/* Fill argv, NULL at its end; the words are borrowed from `c`. */
void command_line_words(const command_line *c, const char *argv[COMMAND_LINE_WORDS_MAX + 1]);

#endif
