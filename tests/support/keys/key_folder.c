#include "key_folder.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { PATH_BYTES = 256, TEXT_BYTES = 512 };

void key_folder_make(key_folder *folder) {
    static const char *const below[] = {"server", "own", "authorised", "authorised/text", "authorised/tokens",
                                        "authorised/logits"};
    strcpy(folder->path, "/tmp/keys.XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s/%s", folder->path, below[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where) {
    (void)info, (void)kind, (void)where;
    return remove(path);
}

void key_folder_remove(key_folder *folder) {
    if (folder->path[0]) nftw(folder->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    folder->path[0] = 0;
}

key_pair key_pair_new(void) {
    key_pair pair = {0};
    assert_int_equal(zmq_curve_keypair(pair.public_key, pair.secret_key), 0);
    return pair;
}

void key_folder_write(const key_folder *folder, const char *name, const char *text, unsigned mode) {
    char path[PATH_BYTES], new[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    snprintf(new, sizeof new, "%s/.new", folder->path);
    FILE *file = fopen(new, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(new, mode), 0);
    assert_int_equal(rename(new, path), 0);
}

static void put_public(const key_folder *folder, const char *name, const key_pair *pair, const char *rights) {
    char text[TEXT_BYTES];
    snprintf(text, sizeof text, "#   of a test\nmetadata\n    rights = \"%s\"\ncurve\n    public-key = \"%s\"\n", rights, pair->public_key);
    key_folder_write(folder, name, text, 0644);
}

static void put_secret(const key_folder *folder, const char *name, const key_pair *pair) {
    char text[TEXT_BYTES];
    snprintf(text, sizeof text, "metadata\ncurve\n    public-key = \"%s\"\n    secret-key = \"%s\"\n", pair->public_key, pair->secret_key);
    key_folder_write(folder, name, text, 0600);
}

void key_folder_put_known(const key_folder *folder, key_role role, bool next, const key_pair *pair) {
    char name[PATH_BYTES];
    snprintf(name, sizeof name, "server/%s%s.key", key_role_name(role), next ? ".next" : "");
    put_public(folder, name, pair, "");
}

void key_folder_put_server(const key_folder *folder, key_role role, const key_pair *pair) {
    char name[PATH_BYTES];
    key_folder_put_known(folder, role, false, pair);
    snprintf(name, sizeof name, "server/%s.key_secret", key_role_name(role));
    put_secret(folder, name, pair);
}

void key_folder_put_own(const key_folder *folder, key_role role, const key_pair *pair) {
    char name[PATH_BYTES];
    snprintf(name, sizeof name, "own/%s.key_secret", key_role_name(role));
    put_secret(folder, name, pair);
}

void key_folder_authorise(const key_folder *folder, key_link link, const char *name, const key_pair *pair, const char *rights) {
    char file[PATH_BYTES];
    snprintf(file, sizeof file, "authorised/%s/%s.key", key_link_name(link), name);
    put_public(folder, file, pair, rights);
}

void key_folder_revoke(const key_folder *folder, key_link link, const char *name) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/authorised/%s/%s.key", folder->path, key_link_name(link), name);
    assert_int_equal(unlink(path), 0);
}
