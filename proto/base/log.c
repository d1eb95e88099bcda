#include "log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 1024 };

static const char *log_daemon = "trivium";
static _Atomic log_level log_limit = LOG_ERROR;     /* threads that compute read it, too */

static const struct {
    const char *word;
    log_level level;
} words[] = {
    {"quiet", LOG_QUIET},
    {"error", LOG_ERROR},
    {"info", LOG_INFO},
    {"debug", LOG_DEBUG},
};

void log_open(const char *daemon, log_level level) {
    log_daemon = daemon;
    log_limit = level;
}

void log_level_changed(void *level) {
    log_limit = *(const log_level *)level;
}

bool log_writes(log_level level) {
    return level != LOG_QUIET && level <= log_limit;
}

status log_take_level(void *out, const char *flag, const char *value, failure *f) {
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(value, words[i].word) != 0) continue;
        *(log_level *)out = words[i].level;
        return STATUS_OK;
    }
    return fail(f, STATUS_BAD_REQUEST, "--%s must be quiet, error, info or debug, not %s", flag, value);
}

/* "2026-01-31T12:00:00.000Z" (UTC): the same moment sorts the same in the logs of all daemons. */
static size_t put_time(char *out, size_t out_bytes) {
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t n = strftime(out, out_bytes, "%Y-%m-%dT%H:%M:%S", &parts);
    return n + (size_t)snprintf(out + n, out_bytes - n, ".%03dZ", (int)(now.tv_nsec / 1000000));
}

/* snprintf's answer, as the length of what is really in a buffer of `room` bytes. */
static size_t written(int n, size_t room) {
    if (n < 0) return 0;
    return (size_t)n < room ? (size_t)n : room - 1;
}

void log_event(log_level level, const char *event, const char *format, ...) {
    if (!log_writes(level)) return;

    char line[LINE_BYTES_MAX];
    size_t room = sizeof line - 1; /* one byte is the newline's */
    size_t n = put_time(line, room);
    n += written(snprintf(line + n, room - n, " %s %s ", log_daemon, event), room - n);
    va_list arguments;
    va_start(arguments, format);
    n += written(vsnprintf(line + n, room - n, format, arguments), room - n);
    va_end(arguments);

    /* Values may come from a peer: one event stays one line, and no terminal is steered by it. */
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f) line[i] = '?';
    line[n++] = '\n';
    /* One write, so that lines of processes that share a file do not mix. A log that cannot be
     * written is no reason to stop serving. */
    ssize_t ignored = write(STDERR_FILENO, line, n);
    (void)ignored;
}
