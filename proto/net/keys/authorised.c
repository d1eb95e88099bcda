#include "authorised.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "key_pair.h"
#include "proto/base/clock.h"
#include "proto/base/grow.h"
#include "proto/base/limits.h"
#include "proto/base/log.h"
#include "proto/net/faults/faults.h"

enum {
    FILE_NAME_BYTES = KEY_NAME_BYTES_MAX + sizeof KEY_SUFFIX,
    OTHERS_MAX = 4 * AUTHORISED_MAX,    /* files in the folder that are left out: all are passed over each time */
};

typedef struct key_entry {
    char file[FILE_NAME_BYTES];
    key_stamp stamp;
    char public_key[KEY_TEXT_BYTES];    /* "": it could not be read yet */
    key_rights rights;
    bool unreadable;                    /* as it is now, */
    bool unjudged;                      /* through no fault of its own: it is to be read again */
} key_entry;

typedef struct key_table {
    key_entry *entries;             /* [n], in order of their names */
    size_t n, capacity;
    size_t n_too_many, n_too_long;  /* keys that are left out: for want of room, for their names */
    size_t n_old;                   /* while it is made: of the first ones, that are known from before */
} key_table;

struct authorised {
    const char *folder;             /* of all keys */
    char path[KEY_PATH_BYTES];      /* of those of this link */
    key_link link;
    key_table table;
    bool readable;
    lasting_fault fault;            /* of the folder, while it is not */
    lasting_fault left_out;
    fault_crowd file_faults;
};

/* ---- the folder ---- */

static int by_name(const void *one, const void *other) {
    return strcmp(((const key_entry *)one)->file, ((const key_entry *)other)->file);
}

static const key_entry *find_file(const key_table *table, const key_entry *like) {
    return table->n > 0 ? bsearch(like, table->entries, table->n, sizeof *like, by_name) : NULL;
}

static bool is_key_file(const char *file) {
    size_t n = strlen(file), n_suffix = strlen(KEY_SUFFIX);
    return file[0] != '.' && n > n_suffix && strcmp(file + n - n_suffix, KEY_SUFFIX) == 0;
}

/* Of those that have a place already one that is not known from before. */
static key_entry *find_new(key_table *table, const key_table *before) {
    while (table->n_old < table->n && find_file(before, &table->entries[table->n_old])) table->n_old++;
    return table->n_old < table->n ? &table->entries[table->n_old] : NULL;
}

/* The places are for those that are known from before, then for others: one file too many takes nobody's. */
static status add_file(key_table *table, const key_table *before, const char *path, const char *file, failure *f) {
    key_entry added = {0};
    if (strlen(file) >= sizeof added.file) {
        table->n_too_long++;
        return STATUS_OK;
    }
    strcpy(added.file, file);
    if (table->n == AUTHORISED_MAX) {
        key_entry *place = find_file(before, &added) ? find_new(table, before) : NULL;
        if (place) *place = added;
        table->n_too_many++;
        return STATUS_OK;
    }
    key_entry *entries = grow(table->entries, &table->capacity, table->n + 1, sizeof *entries);
    if (!entries) return fail(f, STATUS_NO_MEMORY, "no memory for the keys of %s", path);
    table->entries = entries;
    entries[table->n++] = added;
    return STATUS_OK;
}

static status check_none_left_out(const key_table *table, const char *path, failure *f) {
    if (table->n_too_long > 0)
        return fail(f, STATUS_TOO_LONG, "%s: the name of a key has at most %d bytes: %zu with longer ones let nobody in", path,
                    KEY_NAME_BYTES_MAX, table->n_too_long);
    if (table->n_too_many > 0)
        return fail(f, STATUS_BUSY, "%s has more than %d keys, the most there can be: %zu of them let nobody in", path,
                    AUTHORISED_MAX, table->n_too_many);
    return STATUS_OK;
}

/* The names of all key files, in order. */
static status list(key_table *table, const key_table *before, DIR *folder, const char *path, failure *f) {
    status st = STATUS_OK;
    size_t n_others = 0;        /* with "." and ".." */
    for (const struct dirent *one; st == STATUS_OK && (errno = 0, one = readdir(folder));) {
        if (is_key_file(one->d_name)) st = add_file(table, before, path, one->d_name, f);
        else n_others++;
        if (n_others + table->n_too_many + table->n_too_long > OTHERS_MAX + 2)
            st = fail(f, STATUS_BUSY, "%s has more than %d files beside its keys", path, OTHERS_MAX);
    }
    if (st == STATUS_OK && errno != 0) st = fail(f, STATUS_IO, "cannot read %s: %s", path, strerror(errno));
    if (st == STATUS_OK && table->n > 0) qsort(table->entries, table->n, sizeof *table->entries, by_name);
    return st;
}

/* ---- its files ---- */

/* As it was before, or as it is now. This state of the file is not read again, once it could be judged. */
static status take_file(key_entry *entry, const key_entry *before, const char *path, const struct stat *info, failure *f) {
    key_stamp stamp = key_stamp_of(info);
    if (before) *entry = *before;
    if (before && !before->unjudged && key_stamp_equal(&stamp, &before->stamp)) return STATUS_OK;
    entry->stamp = stamp;
    key_pair pair;
    char file[KEY_PATH_BYTES + FILE_NAME_BYTES];
    snprintf(file, sizeof file, "%s/%s", path, entry->file);
    status st = key_pair_read_public(&pair, file, f);
    entry->unjudged = st == STATUS_NO_MEMORY;
    entry->unreadable = st != STATUS_OK;
    if (st != STATUS_OK) return st;
    memcpy(entry->public_key, pair.public_key, sizeof entry->public_key);
    entry->rights = pair.rights;
    return STATUS_OK;
}

/* One that went while we looked is as one that is just being written: its turn comes again. */
static status take_files(authorised *a, key_table *table, DIR *folder, bool is_first, failure *f) {
    for (size_t i = 0; i < table->n; i++) {
        key_entry *entry = &table->entries[i];
        struct stat info;
        if (fstatat(dirfd(folder), entry->file, &info, 0) != 0) info = (struct stat){0};
        const key_entry *before = find_file(&a->table, entry);
        status st = take_file(entry, before, a->path, &info, f);
        if (st != STATUS_OK && is_first) return st;
        bool is_told = before && before->unjudged && entry->unjudged;
        if (st != STATUS_OK && !is_told && faults_name(&a->file_faults, clock_ms()))
            log_event(LOG_ERROR, "key_unreadable", "why=\"%s\"", f->message);
    }
    return STATUS_OK;
}

static status read_folder(authorised *a, key_table *table, bool is_first, failure *f) {
    status st = key_folders_check(a->folder, "authorised", f);
    if (st == STATUS_OK) st = key_folder_check(a->path, f);
    if (st != STATUS_OK) return st;
    DIR *folder = opendir(a->path);
    if (!folder) return fail(f, STATUS_IO, "cannot open %s: %s", a->path, strerror(errno));
    st = list(table, &a->table, folder, a->path, f);
    if (st == STATUS_OK && is_first) st = check_none_left_out(table, a->path, f);
    if (st == STATUS_OK) st = take_files(a, table, folder, is_first, f);
    closedir(folder);
    return st;
}

/* ---- all of it ---- */

static void tell_if_empty(const authorised *a) {
    if (a->table.n > 0) return;
    log_event(LOG_INFO, "nobody_authorised", "link=%s folder=\"%s\"", key_link_name(a->link), a->path);
}

status authorised_new(authorised **out, const char *folder, key_link link, failure *f) {
    authorised *a = *out = calloc(1, sizeof *a);
    if (!a) return fail(f, STATUS_NO_MEMORY, "no memory for keys");
    a->folder = folder;
    a->link = link;
    a->readable = true;
    status st = key_authorised_path(a->path, folder, link, NULL, f);
    if (st == STATUS_OK) st = read_folder(a, &a->table, true, f);
    if (st == STATUS_OK) tell_if_empty(a);
    else authorised_free(out);
    return st;
}

void authorised_free(authorised **a) {
    if (!*a) return;
    free((*a)->table.entries);
    free(*a);
    *a = NULL;
}

static bool says_the_same(const key_table *one, const key_table *other) {
    bool same = one->n == other->n;
    for (size_t i = 0; same && i < one->n; i++) {
        const key_entry *a = &one->entries[i], *b = &other->entries[i];
        same = strcmp(a->public_key, b->public_key) == 0 && key_rights_equal(a->rights, b->rights);
    }
    return same;
}

static void tell_left_out(authorised *a) {
    failure f;
    if (check_none_left_out(&a->table, a->path, &f) == STATUS_OK) fault_is_over(&a->left_out);
    else if (fault_is_news(&a->left_out, &f))
        log_event(LOG_ERROR, "keys_left_out", "link=%s why=\"%s\"", key_link_name(a->link), f.message);
}

static void tell_other_files(authorised *a) {
    size_t n = faults_take_others(&a->file_faults, clock_ms());
    if (n > 0) log_event(LOG_ERROR, "key_unreadable", "others=%zu folder=\"%s\"", n, a->path);
}

bool authorised_refresh(authorised *a) {
    failure f;
    key_table now = {0};
    a->readable = read_folder(a, &now, false, &f) == STATUS_OK;
    tell_other_files(a);
    if (!a->readable) {
        if (fault_is_news(&a->fault, &f))
            log_event(LOG_ERROR, "keys_unreadable", "link=%s why=\"%s\"", key_link_name(a->link), f.message);
        free(now.entries);
        return false;
    }
    fault_is_over(&a->fault);
    bool changed = !says_the_same(&a->table, &now);
    free(a->table.entries);
    a->table = now;
    tell_left_out(a);
    if (changed) tell_if_empty(a);
    return changed;
}

bool authorised_find(const authorised *a, const char *public_key, key_rights *rights) {
    bool found = false;
    *rights = (key_rights){0};
    for (size_t i = 0; public_key[0] && i < a->table.n; i++) {
        const key_entry *entry = &a->table.entries[i];
        if (strcmp(entry->public_key, public_key) != 0) continue;
        found = true;
        *rights = key_rights_of_both(*rights, entry->rights);
    }
    return found;
}

bool authorised_admits(const authorised *a, const char *public_key) {
    for (size_t i = 0; a->readable && public_key[0] && i < a->table.n; i++)
        if (!a->table.entries[i].unreadable && strcmp(a->table.entries[i].public_key, public_key) == 0) return true;
    return false;
}

bool authorised_name(const authorised *a, const char *public_key, char out[KEY_NAME_BYTES_MAX + 1]) {
    failure unused;
    size_t i = 0;
    out[0] = 0;
    while (i < a->table.n && strcmp(a->table.entries[i].public_key, public_key) != 0) i++;
    if (!public_key[0] || i == a->table.n) return false;
    const char *file = a->table.entries[i].file;
    char name[FILE_NAME_BYTES];
    snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - strlen(KEY_SUFFIX)), file);
    if (key_name_check(name, &unused) != STATUS_OK) return false;
    snprintf(out, KEY_NAME_BYTES_MAX + 1, "%.*s", KEY_NAME_BYTES_MAX, name);
    return true;
}
