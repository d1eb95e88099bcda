#include "key_files.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const roles[KEY_ROLES] = {"tokenizerd", "modeld", "samplerd", "client"};

static const struct {
    const char *name;
    key_role server, joiner;
} links[KEY_LINKS] = {
    [LINK_TEXT] = {"text", ROLE_TOKENIZERD, ROLE_CLIENT},
    [LINK_TOKENS] = {"tokens", ROLE_TOKENIZERD, ROLE_MODELD},
    [LINK_LOGITS] = {"logits", ROLE_MODELD, ROLE_SAMPLERD},
};

const char *key_role_name(key_role role) {
    assert(role < KEY_ROLES);
    return roles[role];
}

const char *key_link_name(key_link link) {
    assert(link < KEY_LINKS);
    return links[link].name;
}

key_role key_link_server(key_link link) {
    assert(link < KEY_LINKS);
    return links[link].server;
}

key_role key_link_joiner(key_link link) {
    assert(link < KEY_LINKS);
    return links[link].joiner;
}

static bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

status key_name_check(const char *name, failure *f) {
    size_t n = 0;
    bool fits = is_letter_or_digit(name[0]);
    for (; fits && name[n]; n++)
        fits = n < KEY_NAME_BYTES_MAX && (is_letter_or_digit(name[n]) || strchr("._-", name[n]));
    if (fits) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST, "a name of a host or a client has 1 to %d letters, digits, dots, hyphens and "
                "underscores, and begins with a letter or a digit, not as \"%.80s\"", KEY_NAME_BYTES_MAX, name);
}

/* ---- paths ---- */

static status check_fit(int n, failure *f) {
    if (n >= 0 && n < KEY_PATH_BYTES) return STATUS_OK;
    return fail(f, STATUS_TOO_LONG, "the path of a key is longer than %d bytes", KEY_PATH_BYTES - 1);
}

status key_server_path(char *out, const char *folder, key_role role, bool next, failure *f) {
    const char *which = next ? ".next" : "";
    return check_fit(snprintf(out, KEY_PATH_BYTES, "%s/server/%s%s" KEY_SUFFIX, folder, key_role_name(role), which), f);
}

status key_own_path(char *out, const char *folder, key_role role, failure *f) {
    return check_fit(snprintf(out, KEY_PATH_BYTES, "%s/own/%s" KEY_SUFFIX, folder, key_role_name(role)), f);
}

status key_authorised_path(char *out, const char *folder, key_link link, const char *name, failure *f) {
    const char *slash = name ? "/" : "", *suffix = name ? KEY_SUFFIX : "";
    return check_fit(snprintf(out, KEY_PATH_BYTES, "%s/authorised/%s%s%s%s", folder, key_link_name(link), slash,
                              name ? name : "", suffix), f);
}

status key_secret_path(char *out, const char *path, failure *f) {
    return check_fit(snprintf(out, KEY_PATH_BYTES, "%s_secret", path), f);
}

/* ---- rights ---- */

status key_rights_read(key_rights *out, const char *words, failure *f) {
    *out = (key_rights){0};
    for (const char *word = words ? words : ""; *word;) {
        size_t n = strcspn(word, " ");
        if (n == strlen("operator") && memcmp(word, "operator", n) == 0) out->is_operator = true;
        else if (n == strlen("gateway") && memcmp(word, "gateway", n) == 0) out->is_gateway = true;
        else if (n > 0)
            return fail(f, STATUS_BAD_REQUEST, "\"%.40s\" is no right of a key: those are operator and gateway", word);
        word += n + (word[n] == ' ');
    }
    return STATUS_OK;
}

const char *key_rights_words(key_rights rights) {
    if (rights.is_operator) return rights.is_gateway ? "operator gateway" : "operator";
    return rights.is_gateway ? "gateway" : "";
}

bool key_rights_equal(key_rights one, key_rights other) {
    return one.is_operator == other.is_operator && one.is_gateway == other.is_gateway;
}

key_rights key_rights_of_both(key_rights one, key_rights other) {
    return (key_rights){.is_operator = one.is_operator || other.is_operator, .is_gateway = one.is_gateway || other.is_gateway};
}

/* ---- who may have written it, and who may read it ---- */

static status look(const char *what, const char *path, struct stat *info, failure *f) {
    if (stat(path, info) == 0) return STATUS_OK;
    if (errno == ENOENT || errno == ENOTDIR) return fail(f, STATUS_NOT_FOUND, "there is no %s %s", what, path);
    return fail(f, STATUS_IO, "cannot look at %s: %s", path, strerror(errno));
}

/* Root may write anywhere, so what is root's is no worse. */
static status check_writers(const char *path, const struct stat *info, failure *f) {
    if (info->st_uid != geteuid() && info->st_uid != 0)
        return fail(f, STATUS_FORBIDDEN, "%s belongs to another user (uid %u)", path, (unsigned)info->st_uid);
    if (info->st_mode & 022)
        return fail(f, STATUS_FORBIDDEN, "others may write %s: chmod go-w %s", path, path);
    return STATUS_OK;
}

status key_folder_check(const char *path, failure *f) {
    struct stat info;
    status st = look("folder", path, &info, f);
    if (st != STATUS_OK) return st;
    if (!S_ISDIR(info.st_mode)) return fail(f, STATUS_IO, "%s is not a folder", path);
    return check_writers(path, &info, f);
}

status key_folders_check(const char *folder, const char *below, failure *f) {
    char path[KEY_PATH_BYTES];
    status st = key_folder_check(folder, f);
    if (st != STATUS_OK) return st;
    st = check_fit(snprintf(path, sizeof path, "%s/%s", folder, below), f);
    return st == STATUS_OK ? key_folder_check(path, f) : st;
}

status key_file_check(const char *path, bool is_secret, failure *f) {
    struct stat info;
    status st = look("file", path, &info, f);
    return st == STATUS_OK ? key_file_check_stat(path, &info, is_secret, f) : st;
}

status key_file_check_stat(const char *path, const struct stat *info, bool is_secret, failure *f) {
    if (!S_ISREG(info->st_mode)) return fail(f, STATUS_IO, "%s is not a file", path);
    if (info->st_size > KEY_FILE_BYTES_MAX) return fail(f, STATUS_IO, "%s is too large for a key", path);
    status st = check_writers(path, info, f);
    if (st == STATUS_OK && is_secret && (info->st_mode & 077))
        st = fail(f, STATUS_FORBIDDEN, "others may read the secret key %s: chmod 600 %s", path, path);
    return st;
}
