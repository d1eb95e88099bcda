#include "log.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 1024 };

/* A pipe that is ready for writing takes so much without waiting: a line, and one before it about those that were dropped. */
static_assert(2 * LINE_BYTES_MAX <= PIPE_BUF, "a write of the log never waits for a reader");

static const char *log_daemon = "trivium";
static _Atomic log_level log_limit = LOG_ERROR;     /* threads that compute read it, too */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;     /* from the look for room to the write; and n_dropped */
static size_t n_dropped;                            /* lines, of which the log does not tell yet */

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

/* The format's own quotes are where its words differ from those of the same format with other marks for quotes: values say
 * what they like, and are the same in both. */
static size_t put_words(char plain[LINE_BYTES_MAX], char marked[LINE_BYTES_MAX], const char *format, va_list values) {
    char marks[LINE_BYTES_MAX];
    va_list again;
    snprintf(marks, sizeof marks, "%s", format);
    for (char *at = marks; (at = strchr(at, '"')); at++) *at = '\'';
    va_copy(again, values);
    size_t n = written(vsnprintf(plain, LINE_BYTES_MAX, format, values), LINE_BYTES_MAX);
    vsnprintf(marked, LINE_BYTES_MAX, marks, again);
    va_end(again);
    return n;
}

/* Values may come from a peer: one event stays one line, no terminal is steered by it, and a value in quotes ends where
 * its own do. Returns the length; what finds no room is left out, but for the quote that ends a value. */
static size_t put_safely(char *out, size_t room, const char *plain, const char *marked, size_t n_bytes) {
    bool is_quoted = false;
    size_t n = 0;
    for (size_t i = 0; i < n_bytes && n + 3 <= room; i++) {
        char c = plain[i];
        if (c != marked[i]) is_quoted = !is_quoted;
        else if (is_quoted && (c == '"' || c == '\\')) out[n++] = '\\';
        out[n++] = (unsigned char)c < ' ' || c == 0x7f ? '?' : c;
    }
    if (is_quoted) out[n++] = '"';
    return n;
}

static size_t begin_line(char *line, size_t room, const char *event, const char *before) {
    size_t n = put_time(line, room);
    return n + written(snprintf(line + n, room - n, " %s %s %s", log_daemon, event, before), room - n);
}

/* A pipe or a socket that nobody reads is full one day, and whoever wrote to it then would stand still. A terminal is waited
 * for: somebody is there who stopped it. */
static bool has_room(void) {
    struct pollfd log = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&log, 1, 0) > 0 || isatty(STDERR_FILENO);
}

/* One write, so that lines of processes that share a file do not mix. A log that cannot be written is no reason to stop
 * serving: what is lost is counted, and told as soon as a line can be written again. */
static void write_line(const char *line, size_t n_bytes) {
    char bytes[2 * LINE_BYTES_MAX];
    size_t n = 0;
    pthread_mutex_lock(&lock);
    if (n_dropped > 0) {
        n = begin_line(bytes, LINE_BYTES_MAX, "log_dropped", "");
        n += written(snprintf(bytes + n, LINE_BYTES_MAX - n, "lines=%zu\n", n_dropped), LINE_BYTES_MAX - n);
    }
    memcpy(bytes + n, line, n_bytes);
    if (has_room() && write(STDERR_FILENO, bytes, n + n_bytes) >= 0) n_dropped = 0;
    else n_dropped++;
    pthread_mutex_unlock(&lock);
}

void log_words(log_level level, const char *event, const char *before, const char *format, va_list values) {
    if (!log_writes(level)) return;

    char line[LINE_BYTES_MAX], plain[LINE_BYTES_MAX], marked[LINE_BYTES_MAX];
    size_t room = sizeof line - 1; /* one byte is the newline's */
    size_t n = begin_line(line, room, event, before);
    size_t n_words = put_words(plain, marked, format, values);
    n += put_safely(line + n, room - n, plain, marked, n_words);
    line[n++] = '\n';
    write_line(line, n);
}

void log_event(log_level level, const char *event, const char *format, ...) {
    va_list values;
    va_start(values, format);
    log_words(level, event, "", format, values);
    va_end(values);
}

void log_quote(char *out, size_t out_bytes, const char *value) {
    size_t n = 0;
    for (; *value && n + 3 <= out_bytes; value++) {
        if (*value == '"' || *value == '\\') out[n++] = '\\';
        out[n++] = *value;
    }
    out[n] = '\0';
}
