/* A folder of keys for a test to write, as proto/net/keys/key_files.h lays it out; removed at the end. */
#ifndef TRIVIUM_TESTS_KEY_FOLDER_H
#define TRIVIUM_TESTS_KEY_FOLDER_H

#include "proto/net/keys/keys.h"

typedef struct key_folder {
    char path[64];
} key_folder;

void key_folder_make(key_folder *folder);       /* with empty authorised folders */
void key_folder_remove(key_folder *folder);     /* one that was never made is fine */

key_pair key_pair_new(void);

void key_folder_put_server(const key_folder *folder, key_role role, const key_pair *pair);          /* both halves */
void key_folder_put_known(const key_folder *folder, key_role role, bool next, const key_pair *pair); /* the public one alone */
void key_folder_put_own(const key_folder *folder, key_role role, const key_pair *pair);
void key_folder_authorise(const key_folder *folder, key_link link, const char *name, const key_pair *pair, const char *rights);
void key_folder_revoke(const key_folder *folder, key_link link, const char *name);

/* FOLDER/name anew, in one step, with this mode. */
void key_folder_write(const key_folder *folder, const char *name, const char *text, unsigned mode);

#endif
