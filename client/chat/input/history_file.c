#include "history_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/json.h"
#include "proto/base/buffer.h"

enum {
    FILE_BYTES_MAX = 16 * 1024 * 1024,  /* that are read, from its end */
    LOCK_TRIES = 100, LOCK_PAUSE_MS = 2,
    OPEN_TRIES = 5,
};

struct history_file {
    char *path;
};

/* ---- the path ---- */

/* malloc'ed; NULL: none, or no memory. */
static char *path_make(void) {
    const char *told = getenv("TRIVIUM_HISTORY"), *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = 0;
    if (told) return *told ? strdup(told) : NULL;
    if (state && *state == '/') n = asprintf(&path, "%s/trivium/chat_history", state);
    else if (home && *home == '/') n = asprintf(&path, "%s/.local/state/trivium/chat_history", home);
    return n < 0 ? NULL : path;
}

/* Those above the file that are not there. */
static void folders_make(char *path) {
    for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
}

/* ---- the file ---- */

/* A descriptor of a file that is the user's own; -1: errno. Nothing is followed, nothing is waited for. */
static int file_open(const char *path) {
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0600);
    struct stat is;
    if (fd < 0) return -1;
    if (fstat(fd, &is) == 0 && S_ISREG(is.st_mode) && is.st_uid == geteuid() &&
        ((is.st_mode & 077) == 0 || fchmod(fd, 0600) == 0)) return fd;
    close(fd);
    errno = EPERM;
    return -1;
}

/* Whoever holds the lock needs it for an instant, unless it was stopped: it is not waited for longer than that. */
static bool file_lock(int fd) {
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

static bool is_at(int fd, const char *path) {
    struct stat is, there;
    return fstat(fd, &is) == 0 && lstat(path, &there) == 0 && is.st_ino == there.st_ino &&
           is.st_dev == there.st_dev;
}

/* The file that is there now, and not one that another chat has just put a shorter one in the place of. */
static int file_open_locked(const char *path, bool *is_locked) {
    for (int i = 0; i < OPEN_TRIES; i++) {
        int fd = file_open(path);
        if (fd < 0) return -1;
        *is_locked = file_lock(fd);
        if (is_at(fd, path)) return fd;
        close(fd);
    }
    errno = EBUSY;
    return -1;
}

static bool write_all(int fd, const char *bytes, size_t n_bytes) {
    while (n_bytes > 0) {
        ssize_t n = write(fd, bytes, n_bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes += n;
        n_bytes -= (size_t)n;
    }
    return true;
}

static status io_failed(const history_file *h, failure *f) {
    return fail(f, STATUS_IO, "what is typed is not kept: %s: %s", h->path, strerror(errno));
}

status history_file_open(history_file **out, failure *f) {
    char *path = path_make();
    *out = NULL;
    if (!path) return STATUS_OK;
    history_file *h = calloc(1, sizeof *h);
    if (!h) {
        free(path);
        return fail(f, STATUS_NO_MEMORY, "no memory for what was typed");
    }
    h->path = path;
    folders_make(path);
    int fd = file_open(path);
    status st = fd < 0 ? io_failed(h, f) : STATUS_OK;
    if (fd >= 0) close(fd);
    if (st == STATUS_OK) *out = h;
    else history_file_close(&h);
    return st;
}

void history_file_close(history_file **h) {
    if (!*h) return;
    free((*h)->path);
    free(*h);
    *h = NULL;
}

/* ---- entries ---- */

/* The whole lines at the end of the file. */
static status lines_read(int fd, buffer *out) {
    struct stat is;
    if (fstat(fd, &is) != 0) return STATUS_IO;
    off_t from = is.st_size > FILE_BYTES_MAX ? is.st_size - FILE_BYTES_MAX : 0;
    const off_t begin = from;
    char piece[65536];
    for (ssize_t n; from < is.st_size && (n = pread(fd, piece, sizeof piece, from)) != 0; from += n) {
        if (n < 0) return STATUS_IO;
        if (buffer_add(out, piece, (size_t)n) != STATUS_OK) return STATUS_NO_MEMORY;
    }
    char *last = out->n_bytes ? memrchr(out->bytes, '\n', out->n_bytes) : NULL;
    out->n_bytes = last ? (size_t)(last - out->bytes) + 1 : 0;
    char *first = begin > 0 && last ? memchr(out->bytes, '\n', out->n_bytes) : NULL;
    if (first) buffer_drop(out, (size_t)(first - out->bytes) + 1);
    return STATUS_OK;
}

static size_t lines_count(const buffer *text) {
    size_t n = 0;
    for (size_t i = 0; i < text->n_bytes; i++) n += text->bytes[i] == '\n';
    return n;
}

static void line_tell(const char *line, size_t n_bytes, void (*entry)(void *context, const char *text),
                      void *context) {
    json_t *value = json_loadb(line, n_bytes, JSON_DECODE_ANY, NULL);
    const char *text = json_string_value(value);
    if (text && *text && json_string_length(value) <= HISTORY_ENTRY_BYTES_MAX) entry(context, text);
    json_decref(value);
}

/* Where this fails the file stays as long as it is. */
static void shorten(const history_file *h, const char *bytes, size_t n_bytes) {
    char *shorter;
    if (asprintf(&shorter, "%s.new", h->path) < 0) return;
    unlink(shorter);            /* of a chat that was ended in the middle of this */
    int fd = open(shorter, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool is_written = fd >= 0 && write_all(fd, bytes, n_bytes);
    if (fd >= 0) close(fd);
    if (fd >= 0 && (!is_written || rename(shorter, h->path) != 0)) unlink(shorter);
    free(shorter);
}

status history_file_read(history_file *h, void (*entry)(void *context, const char *text), void *context,
                         failure *f) {
    bool is_locked;
    buffer text = {0};
    int fd = file_open_locked(h->path, &is_locked);
    status st = fd < 0 ? STATUS_IO : lines_read(fd, &text);
    if (st == STATUS_IO) st = io_failed(h, f);
    else if (st != STATUS_OK) fail(f, st, "no memory for what was typed");
    size_t n_lines = st == STATUS_OK ? lines_count(&text) : 0, at = 0;
    const size_t n_left_out = n_lines > HISTORY_ENTRIES_MAX ? n_lines - HISTORY_ENTRIES_MAX : 0;
    for (size_t i = 0; i < n_lines; i++) {
        const char *line = text.bytes + at;
        size_t n_bytes = (size_t)((const char *)memchr(line, '\n', text.n_bytes - at) - line);
        if (i == n_left_out && i > 0 && is_locked) shorten(h, line, text.n_bytes - at);
        if (i >= n_left_out) line_tell(line, n_bytes, entry, context);
        at += n_bytes + 1;
    }
    if (fd >= 0) close(fd);
    buffer_clear(&text);
    return st;
}

/* Does the file end within a line, of a chat that was ended in the middle of it? */
static bool is_cut(int fd) {
    struct stat is;
    char last;
    return fstat(fd, &is) == 0 && is.st_size > 0 && pread(fd, &last, 1, is.st_size - 1) == 1 && last != '\n';
}

status history_file_add(history_file *h, const char *text, failure *f) {
    if (strlen(text) > HISTORY_ENTRY_BYTES_MAX) return STATUS_OK;
    bool is_locked;
    json_t *value = json_text(text);
    char *line = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    json_decref(value);
    if (!line) return fail(f, STATUS_NO_MEMORY, "no memory for what was typed");
    int fd = file_open_locked(h->path, &is_locked);
    const size_t n_bytes = strlen(line);
    line[n_bytes] = '\n';       /* in the place of its zero: a line is one write, so that lines stay whole */
    bool is_written = fd >= 0 && (!is_cut(fd) || write_all(fd, "\n", 1)) && write_all(fd, line, n_bytes + 1);
    status st = is_written ? STATUS_OK : io_failed(h, f);
    if (fd >= 0) close(fd);
    free(line);
    return st;
}
