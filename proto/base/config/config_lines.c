#include "config_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/text.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"     /* some editors begin a file with it */

/* Whatever it is, nobody waits for it: a named pipe is opened without its writer. */
static int open_file(const char *path, failure *f) {
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0)
        fail(f, STATUS_IO, "cannot read the settings in %s: %s", path, strerror(errno));
    else if (S_ISDIR(info.st_mode)) fail(f, STATUS_IO, "the settings are to be a file, and %s is a folder", path);
    else if (!S_ISREG(info.st_mode)) fail(f, STATUS_IO, "the settings are to be a file, and %s is none", path);
    else if (info.st_size > CONFIG_BYTES_MAX)
        fail(f, STATUS_IO, "%s is larger than the %d bytes that settings may have", path, CONFIG_BYTES_MAX);
    else return fd;
    if (fd >= 0) close(fd);
    return -1;
}

/* At most CONFIG_BYTES_MAX, however the file grows meanwhile. */
static status read_text(char *text, size_t *n_bytes, const char *path, failure *f) {
    int fd = open_file(path, f);
    if (fd < 0) return f->code;
    ssize_t n = 1;
    for (*n_bytes = 0; n > 0 && *n_bytes < CONFIG_BYTES_MAX; *n_bytes += (size_t)n) {
        n = read(fd, text + *n_bytes, CONFIG_BYTES_MAX - *n_bytes);
        if (n >= 0) continue;
        fail(f, STATUS_IO, "cannot read the settings in %s: %s", path, strerror(errno));
        close(fd);
        return f->code;
    }
    close(fd);
    text[*n_bytes] = '\0';
    if (memchr(text, 0, *n_bytes))
        return fail(f, STATUS_BAD_REQUEST, "%s has a NUL byte in it: it is no settings file", path);
    if (!text_is_utf8((const uint8_t *)text, *n_bytes)) return fail(f, STATUS_BAD_REQUEST, "%s is not UTF-8", path);
    return STATUS_OK;
}

/* Cut the blanks at both ends of what ends at `end`. */
static char *trim(char *begin, char *end) {
    while (begin < end && text_is_blank((uint8_t)*begin)) begin++;
    while (end > begin && text_is_blank((uint8_t)end[-1])) end--;
    *end = '\0';
    return begin;
}

/* False: there is nothing in this line. */
static bool take_line(config_line *out, char *line, char *end) {
    line = trim(line, end);
    if (!*line || *line == '#') return false;
    char *sign = strchr(line, '=');
    out->value = sign ? trim(sign + 1, sign + 1 + strlen(sign + 1)) : NULL;
    out->key = sign ? trim(line, sign) : line;
    return true;
}

static status take_lines(config_lines *out, size_t n_bytes, const char *path, failure *f) {
    char *end_of_text = out->text + n_bytes;
    size_t n_max = 1;
    for (const char *p = out->text; p < end_of_text; p++) n_max += *p == '\n';
    out->lines = calloc(n_max, sizeof *out->lines);
    if (!out->lines) return fail(f, STATUS_NO_MEMORY, "no memory for settings");
    char *at = out->text + (strncmp(out->text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0 ? strlen(BYTE_ORDER_MARK) : 0);
    for (unsigned number = 1; at < end_of_text; number++) {
        char *end = memchr(at, '\n', (size_t)(end_of_text - at));
        if (!end) end = end_of_text;
        config_line *line = &out->lines[out->n_lines];
        *line = (config_line){.number = number};
        bool has_something = take_line(line, at, end);
        if (has_something && !*line->key)
            return fail(f, STATUS_BAD_REQUEST, "%s:%u: a setting is written key = value, and here is no key", path,
                        number);
        out->n_lines += has_something;
        at = end + 1;
    }
    return STATUS_OK;
}

status config_lines_read(config_lines *out, const char *path, failure *f) {
    size_t n_bytes = 0;
    *out = (config_lines){.text = malloc(CONFIG_BYTES_MAX + 1)};
    if (!out->text) return fail(f, STATUS_NO_MEMORY, "no memory for settings");
    status st = read_text(out->text, &n_bytes, path, f);
    if (st == STATUS_OK) st = take_lines(out, n_bytes, path, f);
    if (st != STATUS_OK) config_lines_clear(out);
    return st;
}

void config_lines_clear(config_lines *lines) {
    free(lines->lines);
    free(lines->text);
    *lines = (config_lines){0};
}
