#include "key_pair.h"

#include <czmq.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { VALUE_BYTES = 256 };

key_stamp key_stamp_of(const struct stat *info) {
    return (key_stamp){info->st_dev, info->st_ino, info->st_size, info->st_mtim, info->st_ctim};
}

static bool same_time(struct timespec one, struct timespec other) {
    return one.tv_sec == other.tv_sec && one.tv_nsec == other.tv_nsec;
}

bool key_stamp_equal(const key_stamp *one, const key_stamp *other) {
    return one->device == other->device && one->inode == other->inode && one->n_bytes == other->n_bytes &&
           same_time(one->written, other->written) && same_time(one->changed, other->changed);
}

/* What is checked is what is read: a file of that name may be another one a moment later. */
static status read_checked(int fd, const char *path, bool is_secret, key_stamp *stamp, char text[KEY_FILE_BYTES_MAX + 1],
                           failure *f) {
    struct stat info;
    if (fstat(fd, &info) != 0) return fail(f, STATUS_IO, "cannot look at %s: %s", path, strerror(errno));
    status st = key_file_check_stat(path, &info, is_secret, f);
    if (st != STATUS_OK) return st;
    if (stamp) *stamp = key_stamp_of(&info);
    size_t n = 0;
    for (ssize_t n_read = 1; n_read > 0 && n < KEY_FILE_BYTES_MAX; n += (size_t)n_read) {
        n_read = read(fd, text + n, KEY_FILE_BYTES_MAX - n);
        if (n_read < 0) return fail(f, STATUS_IO, "cannot read %s: %s", path, strerror(errno));
    }
    text[n] = 0;
    return STATUS_OK;
}

static bool is_want(int error) {
    return error == EMFILE || error == ENFILE || error == ENOMEM;
}

/* A file that a symbolic link leads to will do. Anything else is not even opened, for that may be to use it; should it take the
 * place of a file just then, the opening waits for nobody. */
static status read_file(const char *path, bool is_secret, key_stamp *stamp, char text[KEY_FILE_BYTES_MAX + 1], failure *f) {
    status st = key_file_check(path, is_secret, f);
    if (st != STATUS_OK) return st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT) return fail(f, STATUS_NOT_FOUND, "there is no file %s", path);
    if (fd < 0) return fail(f, is_want(errno) ? STATUS_NO_MEMORY : STATUS_IO, "cannot open %s: %s", path, strerror(errno));
    st = read_checked(fd, path, is_secret, stamp, text, f);
    close(fd);
    return st;
}

static bool take_key(char out[KEY_TEXT_BYTES], const char *text) {
    uint8_t bytes[KEY_BYTES];
    if (strlen(text) != KEY_TEXT_BYTES - 1 || !zmq_z85_decode(bytes, text)) return false;
    memcpy(out, text, KEY_TEXT_BYTES);
    return true;
}

static bool take_secret(key_pair *out, const char *text) {
    char matching[KEY_TEXT_BYTES];
    return take_key(out->secret_key, text) && zmq_curve_public(matching, out->secret_key) == 0 &&
           strcmp(matching, out->public_key) == 0;
}

/* A value of zcert's: `    name = "value"` below `section`. Too long or missing, it is "". zcert itself is of no use for
 * reading: it takes a secret file for the public one beside it, and writes lines that it cannot read to stdout, whatever
 * they hold. */
static void find_value(const char *text, const char *section, const char *name, char *out, size_t out_bytes) {
    bool inside = false;
    size_t n_section = strlen(section), n_name = strlen(name);
    out[0] = 0;
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t n_blanks = strspn(line, " \t");
        const char *word = line + n_blanks;
        if (*word == '#' || *word == '\n') continue;
        if (n_blanks == 0) inside = strncmp(word, section, n_section) == 0 && strchr(" \t\r\n", word[n_section]);
        if (n_blanks == 0 || !inside || strncmp(word, name, n_name) != 0) continue;
        const char *value = word + n_name + strspn(word + n_name, " \t");
        if (*value++ != '=') continue;
        value += strspn(value, " \t");
        size_t n = *value == '"' ? strcspn(value + 1, "\"\n") : 0;
        if (n == 0 || n >= out_bytes || value[n + 1] != '"') continue;
        memcpy(out, value + 1, n);
        out[n] = 0;
        return;
    }
}

static status take(key_pair *out, const char *text, const char *path, bool is_secret, failure *f) {
    char value[VALUE_BYTES];
    *out = (key_pair){0};
    find_value(text, "curve", "public-key", value, sizeof value);
    if (!take_key(out->public_key, value)) return fail(f, STATUS_IO, "%s has no public key", path);
    if (is_secret) find_value(text, "curve", "secret-key", value, sizeof value);
    bool fits = !is_secret || take_secret(out, value);
    explicit_bzero(value, sizeof value);
    if (!fits) return fail(f, STATUS_IO, "%s has no secret key, or another one than that of its public key", path);
    failure why;
    find_value(text, "metadata", KEY_RIGHTS, value, sizeof value);
    if (key_rights_read(&out->rights, value, &why) == STATUS_OK) return STATUS_OK;
    return fail(f, STATUS_IO, "%s: %s", path, why.message);
}

static status pair_read(key_pair *out, const char *path, bool is_secret, key_stamp *stamp, failure *f) {
    char text[KEY_FILE_BYTES_MAX + 1];
    status st = read_file(path, is_secret, stamp, text, f);
    if (st == STATUS_OK) st = take(out, text, path, is_secret, f);
    explicit_bzero(text, sizeof text);
    return st;
}

void key_user(char out[KEY_TEXT_BYTES], void *message) {
    const char *user = zmq_msg_gets(message, "User-Id");
    snprintf(out, KEY_TEXT_BYTES, "%s", user ? user : "");
}

status key_pair_read_public(key_pair *out, const char *path, failure *f) {
    return pair_read(out, path, false, NULL, f);
}

status key_pair_read_secret(key_pair *out, const char *path, key_stamp *stamp, failure *f) {
    return pair_read(out, path, true, stamp, f);
}
