/* A folder of keys: what lies where in it, and what a file must be to be trusted. Whoever reads keys (keys.h) and
 * whoever writes them (key_set.h) has names, paths and checks from here. All files are zcert's: X.key has a public key,
 * X.key_secret both halves. For users: deploy/RUNNING.md, "Keys".
 *
 *     server/ROLE.key, ROLE.next.key       of tokenizerd and modeld: what joiners check the other end against
 *     server/ROLE.key_secret               where ROLE runs
 *     own/ROLE.key, ROLE.key_secret        of client, modeld and samplerd: who this host is
 *     authorised/LINK/NAME.key             who may join the link, with metadata KEY_NAME and KEY_RIGHTS
 *     hosts/NAME/                          such a folder for another host; only where the set is administered
 */
#ifndef TRIVIUM_KEY_FILES_H
#define TRIVIUM_KEY_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "proto/base/status.h"

typedef enum key_role { ROLE_TOKENIZERD, ROLE_MODELD, ROLE_SAMPLERD, ROLE_CLIENT, KEY_ROLES } key_role;
typedef enum key_link { LINK_TEXT, LINK_TOKENS, LINK_LOGITS, KEY_LINKS } key_link;

enum {
    KEY_NAME_BYTES_MAX = 64,
    KEY_PATH_BYTES = 4096,      /* with the NUL; also the room for each `out` below */
    KEY_FILE_BYTES_MAX = 16384, /* a larger file is no key: it is not read */
};

#define KEY_SUFFIX ".key"               /* a file whose name ends otherwise, or begins with a dot, is none */
#define KEY_SECRET_SUFFIX ".key_secret"
#define KEY_HOSTS "hosts"
#define KEY_ADMIN "admin"               /* the name under which a set's own host is authorised */
#define KEY_NAME "name"                 /* metadata of an authorised key */
#define KEY_RIGHTS "rights"

const char *key_role_name(key_role role);       /* "tokenizerd" */
const char *key_link_name(key_link link);       /* "text": also the domain of ZAP */
key_role key_link_server(key_link link);        /* whose server key that link's bound end has */
key_role key_link_joiner(key_link link);        /* whose own key its joining end has */

/* Of a host or a client: letters, digits, '.', '_' and '-', the first one a letter or a digit. STATUS_BAD_REQUEST. */
status key_name_check(const char *name, failure *f);

/* FOLDER/server/ROLE.key, or ROLE.next.key. STATUS_TOO_LONG, these three and key_secret_path. */
status key_server_path(char *out, const char *folder, key_role role, bool next, failure *f);
status key_own_path(char *out, const char *folder, key_role role, failure *f);
/* FOLDER/authorised/LINK/NAME.key; without a name (NULL) the folder alone. */
status key_authorised_path(char *out, const char *folder, key_link link, const char *name, failure *f);
/* X.key_secret of X.key. */
status key_secret_path(char *out, const char *path, failure *f);

/* What a key may beyond asking for texts of its own: metadata KEY_RIGHTS, words with a blank between. */
typedef struct key_rights {
    bool is_operator;           /* sees and changes everybody's texts */
    bool is_gateway;            /* may name owners on behalf of whom it asks */
} key_rights;
/* STATUS_BAD_REQUEST: another word than "operator" and "gateway". NULL and "" are no rights. */
status key_rights_read(key_rights *out, const char *words, failure *f);
const char *key_rights_words(key_rights rights);    /* the reverse; "" for none */
bool key_rights_equal(key_rights one, key_rights other);
key_rights key_rights_of_both(key_rights one, key_rights other);    /* what either has */

/* Is it a folder of this process's user (or root's) in which nobody else may write? STATUS_NOT_FOUND, STATUS_IO,
 * STATUS_FORBIDDEN with what to do about it. */
status key_folder_check(const char *path, failure *f);
/* The same of `folder` and of the one in it that is called `below`: others may neither change it nor put another in its place. */
status key_folders_check(const char *folder, const char *below, failure *f);
/* Is it such a file, of a size that a key may have? A secret one may not be read by others, either. */
status key_file_check(const char *path, bool is_secret, failure *f);
/* The same of what stat() said: for whoever has done it anyway. */
status key_file_check_stat(const char *path, const struct stat *info, bool is_secret, failure *f);

#endif
