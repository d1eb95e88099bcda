#include "set_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>             /* after ours: it has a macro named fail */

char set_folder[64];

int set_folder_begin(void **state) {
    (void)state;
    snprintf(set_folder, sizeof set_folder, "/tmp/trivium-test-XXXXXX");
    return mkdtemp(set_folder) ? 0 : -1;
}

int set_folder_end(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", set_folder);
    return system(command);
}

const char *at(const char *name) {
    static char paths[4][256];
    static size_t next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", set_folder, name);
    return path;
}

bool is_there(const char *name) {
    struct stat info;
    return lstat(at(name), &info) == 0;
}

key_pair pair_of(const char *name, bool is_secret) {
    key_pair pair;
    failure f;
    const char *path = at(name);
    status st = is_secret ? key_pair_read_secret(&pair, path, NULL, &f) : key_pair_read_public(&pair, path, &f);
    if (st != STATUS_OK) fail_msg("%s", f.message);
    return pair;
}

void assert_one_key(const char *one, const char *other) {
    key_pair a = pair_of(one, strstr(one, "secret")), b = pair_of(other, strstr(other, "secret"));
    assert_string_equal(a.public_key, b.public_key);
}
