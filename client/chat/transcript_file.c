#include "transcript_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/json.h"
#include "proto/base/buffer.h"
#include "proto/base/process/whole_file.h"
#include "proto/base/text.h"

enum {
    FILE_BYTES_MAX = 8 * TEXT_BYTES_MAX,
    PIECE_BYTES = 65536,
};

/* ---- loading ---- */

static status cannot_read(const char *path, const char *why, failure *f) {
    return fail(f, STATUS_IO, "cannot read %s: %s", path, why);
}

static status too_long(const char *path, failure *f) {
    return fail(f, STATUS_TOO_LONG, "%s is longer than %d bytes", path, FILE_BYTES_MAX);
}

static status read_bytes(int from, const char *path, buffer *out, failure *f) {
    char piece[PIECE_BYTES];
    ssize_t n;
    while ((n = read(from, piece, sizeof piece)) > 0) {
        if (out->n_bytes + (size_t)n > FILE_BYTES_MAX) return too_long(path, f);
        if (buffer_add(out, piece, (size_t)n) != STATUS_OK)
            return fail(f, STATUS_NO_MEMORY, "no memory for %s", path);
    }
    return n < 0 ? cannot_read(path, strerror(errno), f) : STATUS_OK;
}

/* A file alone: whatever else there is could keep the chat waiting. */
static status read_file(const char *path, buffer *out, failure *f) {
    struct stat what;
    int from = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (from < 0) return cannot_read(path, strerror(errno), f);
    status st = STATUS_OK;
    if (fstat(from, &what) != 0) st = cannot_read(path, strerror(errno), f);
    else if (S_ISDIR(what.st_mode)) st = cannot_read(path, strerror(EISDIR), f);
    else if (!S_ISREG(what.st_mode)) st = cannot_read(path, "it is no file", f);
    else st = read_bytes(from, path, out, f);
    close(from);
    return st;
}

/* The literal of this name; NULL: it is none. */
static const char *role_named(const char *name) {
    static const char *const roles[] = {"system", "user", "assistant"};
    for (size_t i = 0; name && i < sizeof roles / sizeof *roles; i++)
        if (strcmp(roles[i], name) == 0) return roles[i];
    return NULL;
}

static status message_take(transcript *c, const json_t *message, bool is_first, failure *f) {
    const json_t *content = json_object_get(message, "content");
    const char *role = role_named(json_string_value(json_object_get(message, "role")));
    if (!role)
        return fail(f, STATUS_BAD_REQUEST, "\"role\" must be \"system\", \"user\" or \"assistant\"");
    if (!json_is_string(content)) return fail(f, STATUS_BAD_REQUEST, "\"content\" must be a text");
    bool is_system = strcmp(role, "system") == 0;
    if (is_system && !is_first)
        return fail(f, STATUS_BAD_REQUEST, "only the first message may be the system message");
    const char *text = json_string_value(content);
    size_t n_bytes = json_string_length(content);
    if (n_bytes > TEXT_BYTES_MAX)
        return fail(f, STATUS_TOO_LONG, "a message may have %d bytes", TEXT_BYTES_MAX);
    status st = is_system ? transcript_set_system(c, text, n_bytes) : transcript_add(c, role, text, n_bytes);
    return st == STATUS_OK ? st : fail(f, st, "no memory for the message");
}

static status line_take(transcript *c, const char *line, size_t n_bytes, bool is_first, failure *f) {
    json_t *message = json_read_object(line, n_bytes, f);
    if (!message) return f->code;
    status st = message_take(c, message, is_first, f);
    json_decref(message);
    return st;
}

static bool is_blank(const char *line, size_t n_bytes) {
    while (n_bytes > 0 && text_is_blank((uint8_t)line[n_bytes - 1])) n_bytes--;
    return n_bytes == 0;
}

static status lines_take(transcript *c, const char *path, const buffer *text, failure *f) {
    failure why;
    bool is_first = true;
    size_t number = 1, n_bytes;
    for (size_t at = 0; at < text->n_bytes; at += n_bytes + 1, number++) {
        const char *line = text->bytes + at, *end = memchr(line, '\n', text->n_bytes - at);
        n_bytes = end ? (size_t)(end - line) : text->n_bytes - at;
        if (is_blank(line, n_bytes)) continue;
        status st = line_take(c, line, n_bytes, is_first, &why);
        if (st != STATUS_OK) return fail(f, st, "%s, line %zu: %s", path, number, why.message);
        is_first = false;
    }
    return is_first ? fail(f, STATUS_BAD_REQUEST, "there is no message in %s", path) : STATUS_OK;
}

transcript *transcript_load(const char *path, failure *f) {
    buffer text = {0};
    transcript *c = transcript_new(NULL);
    status st = c ? read_file(path, &text, f) : fail(f, STATUS_NO_MEMORY, "no memory to load");
    if (st == STATUS_OK) st = lines_take(c, path, &text, f);
    if (st != STATUS_OK) transcript_free(&c);
    buffer_clear(&text);
    return c;
}

/* ---- saving ---- */

/* False: no memory. What cannot be written, the stream knows. */
static bool write_lines(const transcript *c, FILE *to) {
    const conversation_message *m;
    for (size_t i = 0; (m = transcript_message(c, i)) != NULL; i++) {
        char *line = json_line(json_pack("{s: s, s: o}", "role", m->role,
                                         "content", json_bytes(m->content, m->n_bytes)));
        if (!line) return false;
        fputs(line, to);
        free(line);
    }
    return true;
}

/* A file that holds something, but no conversation. */
static bool is_other_file(const char *path) {
    struct stat what;
    failure unused;
    if (stat(path, &what) != 0 || !S_ISREG(what.st_mode) || what.st_size == 0) return false;
    transcript *saved = transcript_load(path, &unused);
    bool is_other = !saved;
    transcript_free(&saved);
    return is_other;
}

status transcript_save(const transcript *c, const char *path, failure *f) {
    whole_file *file;
    if (is_other_file(path))
        return fail(f, STATUS_BAD_REQUEST, "%s is no conversation: it is left as it is", path);
    if (whole_file_begin(&file, path, f) != STATUS_OK) return f->code;
    if (write_lines(c, whole_file_stream(file))) return whole_file_finish(&file, f);
    whole_file_drop(&file);
    return fail(f, STATUS_NO_MEMORY, "no memory to save");
}
