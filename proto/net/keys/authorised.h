/* Who may join one link: the keys in its authorised folder, read anew as they change. */
#ifndef TRIVIUM_AUTHORISED_H
#define TRIVIUM_AUTHORISED_H

#include <stdbool.h>

#include "key_files.h"
#include "proto/base/status.h"

typedef struct authorised authorised;

/* Reads the folder of this link in `folder` (borrowed). What is wrong with the folder or with any of its keys is the
 * failure; STATUS_NO_MEMORY. */
status authorised_new(authorised **out, const char *folder, key_link link, failure *f);
void authorised_free(authorised **a);           /* NULL is fine */

/* Reads what has changed since. A file that cannot be read, as one that is just being written, keeps the key that it had, for
 * those who are here, and a folder that cannot be read all of them. Where there are more keys than AUTHORISED_MAX those stay that
 * were there, and others are left out, as is one whose name is too long. The log has each state of a file once, but not of all where
 * there are many (faults.h), and each fault of the folder. True: keys or rights are not what they were. */
bool authorised_refresh(authorised *a);

/* Is this key (Z85) one of them, and with which rights? Where several files have it, with those of all. */
bool authorised_find(const authorised *a, const char *public_key, key_rights *rights);
/* The name of the first file that has this key, without KEY_SUFFIX. False: there is none, or it is no name as key_name_check
 * has it. */
bool authorised_name(const authorised *a, const char *public_key, char out[KEY_NAME_BYTES_MAX + 1]);
/* Is somebody new let in with it? Only where its file, and the folder, can be read now. */
bool authorised_admits(const authorised *a, const char *public_key);

#endif
