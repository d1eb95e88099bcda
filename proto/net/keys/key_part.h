/* What the files of key_set.h have in common: one folder of keys, the set's own or one in its hosts/, and what is
 * done to its files. */
#ifndef TRIVIUM_KEY_PART_H
#define TRIVIUM_KEY_PART_H

#include "key_pair.h"
#include "key_set.h"

typedef struct key_part {
    const key_set *set;
    char name[sizeof KEY_HOSTS "/" + KEY_NAME_BYTES_MAX];   /* "", or "hosts/NAME" */
    char folder[KEY_PATH_BYTES];
} key_part;

/* The set itself, or with a host's name its part. STATUS_TOO_LONG. */
status key_part_open(key_part *out, const key_set *set, const char *host, failure *f);

bool key_exists(const char *path);

/* A folder in it ("server", "authorised/text"; "" itself): made where it is missing, else checked. */
status key_part_folder(const key_part *part, const char *name, failure *f);

/* Have at `path` what `pair` says, if it is not there already; it is told what was done. */
status key_part_put(const key_part *part, const key_pair *pair, const char *path, bool is_secret, failure *f);
status key_part_remove(const key_part *part, const char *path, failure *f);     /* one that is not there is fine */

/* Both files of a key pair, made where there is none; the public one from the secret one. */
status key_part_pair(const key_part *part, const char *path, key_pair *out, failure *f);

/* Call `each` for every name in `folder` (of keys in a folder authorised/LINK, or of hosts), without the suffix; a
 * folder that is missing is empty. Names that are none are passed over. Ends with the first that fails. */
typedef status key_each(void *context, const char *name, failure *f);
status key_names(const char *folder, const char *suffix, key_each *each, void *context, failure *f);

#endif
