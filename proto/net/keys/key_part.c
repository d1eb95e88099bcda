#include "key_part.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "key_write.h"

status key_part_open(key_part *out, const key_set *set, const char *host, failure *f) {
    out->set = set;
    *out->name = '\0';
    if (host) snprintf(out->name, sizeof out->name, KEY_HOSTS "/%s", host);
    const char *slash = host ? "/" : "";
    int n = snprintf(out->folder, sizeof out->folder, "%s%s%s", set->folder, slash, out->name);
    if (n >= 0 && (size_t)n < sizeof out->folder) return STATUS_OK;
    return fail(f, STATUS_TOO_LONG, "the folder's path is too long");
}

bool key_exists(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0;
}

status key_part_folder(const key_part *part, const char *name, failure *f) {
    char path[KEY_PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s%s%s", part->folder, *name ? "/" : "", name);
    if (n < 0 || (size_t)n >= sizeof path) return fail(f, STATUS_TOO_LONG, "the folder's path is too long");
    if (mkdir(path, 0700) == 0) return STATUS_OK;
    if (errno != EEXIST) return fail(f, STATUS_IO, "cannot make the folder %s: %s", path, strerror(errno));
    return key_folder_check(path, f);
}

static void tell(const key_part *part, key_change change, const char *path) {
    if (part->set->told) part->set->told(part->set->context, change, path, part->name);
}

static bool is_equal(const key_pair *a, const key_pair *b, bool is_secret) {
    return strcmp(a->public_key, b->public_key) == 0 &&
           (is_secret ? strcmp(a->secret_key, b->secret_key) == 0 : key_rights_equal(a->rights, b->rights));
}

status key_part_put(const key_part *part, const key_pair *pair, const char *path, bool is_secret, failure *f) {
    key_pair there;
    bool is_there = key_exists(path);
    if (is_there) {
        status st = is_secret ? key_pair_read_secret(&there, path, NULL, f) : key_pair_read_public(&there, path, f);
        if (st != STATUS_OK) return st;
        if (is_equal(&there, pair, is_secret)) return STATUS_OK;
    }
    status st = key_pair_write(pair, path, is_secret, f);
    if (st == STATUS_OK) tell(part, is_there ? KEY_CHANGED : KEY_MADE, path);
    return st;
}

status key_part_remove(const key_part *part, const char *path, failure *f) {
    if (unlink(path) == 0) tell(part, KEY_REMOVED, path);
    else if (errno != ENOENT && errno != ENOTDIR)
        return fail(f, STATUS_IO, "cannot remove %s: %s", path, strerror(errno));
    return STATUS_OK;
}

/* A pair that is there: both are of one key, or the public one is what was not written any more. */
static status complete_pair(const key_part *part, const char *path, const char *secret, key_pair *out, failure *f) {
    key_pair there;
    status st = key_pair_read_secret(out, secret, NULL, f);
    if (st != STATUS_OK || !key_exists(path)) return st == STATUS_OK ? key_part_put(part, out, path, false, f) : st;
    st = key_pair_read_public(&there, path, f);
    if (st == STATUS_OK && strcmp(there.public_key, out->public_key) != 0)
        st = fail(f, STATUS_BAD_REQUEST, "%s and %s are of two keys: if a rotation was interrupted, the same --rotate "
                  "again ends it", path, secret);
    return st;
}

status key_part_pair(const key_part *part, const char *path, key_pair *out, failure *f) {
    char secret[KEY_PATH_BYTES];
    status st = key_secret_path(secret, path, f);
    if (st != STATUS_OK) return st;
    if (key_exists(secret)) return complete_pair(part, path, secret, out, f);
    if (key_exists(path))
        return fail(f, STATUS_BAD_REQUEST, "%s is there without its secret half, %s: put that back, or remove both and "
                    "have another made", path, strrchr(secret, '/') + 1);
    st = key_pair_make(out, f);
    if (st == STATUS_OK) st = key_part_put(part, out, secret, true, f);
    return st == STATUS_OK ? key_part_put(part, out, path, false, f) : st;
}

/* "bob" of "bob.key"; false: it is no such name. */
static bool take_name(char name[KEY_NAME_BYTES_MAX + 1], const char *file, const char *suffix) {
    failure ignored;
    size_t n_file = strlen(file), n_suffix = strlen(suffix);
    if (n_file <= n_suffix || strcmp(file + n_file - n_suffix, suffix) != 0) return false;
    if (n_file - n_suffix > KEY_NAME_BYTES_MAX) return false;
    memcpy(name, file, n_file - n_suffix);
    name[n_file - n_suffix] = '\0';
    return key_name_check(name, &ignored) == STATUS_OK;
}

status key_names(const char *folder, const char *suffix, key_each *each, void *context, failure *f) {
    struct dirent **list = NULL;
    int n = scandir(folder, &list, NULL, alphasort);
    if (n < 0 && errno == ENOENT) return STATUS_OK;
    if (n < 0) return fail(f, STATUS_IO, "cannot read the folder %s: %s", folder, strerror(errno));
    status st = STATUS_OK;
    for (int i = 0; i < n; i++) {
        char name[KEY_NAME_BYTES_MAX + 1];
        if (st == STATUS_OK && take_name(name, list[i]->d_name, suffix)) st = each(context, name, f);
        free(list[i]);
    }
    free(list);
    return st;
}
