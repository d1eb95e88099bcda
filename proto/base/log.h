/* One line an event on stderr: time, daemon, event, then key=value. Nobody waits for whoever reads it: a line for which a pipe
 * or a socket has no room is dropped, and `log_dropped lines=N` before the next one counts them. From any thread. */
#ifndef TRIVIUM_LOG_H
#define TRIVIUM_LOG_H

/* czmq.h includes it, and its macros would win over the names below: include it first, undefine them. */
#include <syslog.h>
#undef LOG_INFO
#undef LOG_DEBUG

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "status.h"

typedef enum log_level { LOG_QUIET, LOG_ERROR, LOG_INFO, LOG_DEBUG } log_level;

/* `daemon` is borrowed for the life of the process. */
void log_open(const char *daemon, log_level level);

/* Another level from now on: the log_level that `level` points to. A config_changed (config.h). */
void log_level_changed(void *level);

/* Are lines of this level written? For whoever would make the words of one in vain, many times a second. */
bool log_writes(log_level level);

/* "quiet", "error", "info" or "debug", the value of a flag (option_take of options.h), into a log_level. STATUS_BAD_REQUEST:
 * another word. */
status log_take_level(void *out, const char *flag, const char *value, failure *f);

/* log_event(LOG_INFO, "joined", "peer=\"%s\" pid=%d", name, pid): values with blanks are the format's to quote. A quote or a
 * backslash within has a backslash before it in the line. */
void log_event(log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, with words before those of the format that are fit for a line as they are. */
void log_words(log_level level, const char *event, const char *before, const char *format, va_list values)
    __attribute__((format(printf, 4, 0)));

/* As in a line: for a word that has its quotes before log_event gets it, and is not quoted there. */
void log_quote(char *out, size_t out_bytes, const char *value);

#endif
