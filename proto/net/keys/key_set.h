/* Writing folders of keys (key_files.h): the set of whoever administers, and in its hosts/ a part for each other
 * host. The set is what counts; its parts follow it, so whatever is interrupted is completed by the next call of
 * any of these.
 *
 * No key is ever replaced but by key_set_rotate, and none goes away but by key_set_revoke. One process at a time:
 * STATUS_BUSY for another. All of them may fail with STATUS_IO (as for a file that is no key), STATUS_NO_MEMORY,
 * STATUS_TOO_LONG, STATUS_FORBIDDEN (others could write there, or read a secret), or STATUS_BAD_REQUEST (half of a set
 * is missing), with a sentence that names the file. */
#ifndef TRIVIUM_KEY_SET_H
#define TRIVIUM_KEY_SET_H

#include <stdbool.h>

#include "key_files.h"
#include "proto/base/status.h"

typedef enum key_change { KEY_MADE, KEY_CHANGED, KEY_REMOVED } key_change;

/* After each file that was written or removed: its path, "" or "hosts/NAME" for the folder it is in, valid during the
 * call. */
typedef void key_set_told(void *context, key_change change, const char *path, const char *part);

typedef struct key_set {
    const char *folder;         /* borrowed */
    key_set_told *told;
    void *context;
} key_set;

/* Make the folder where there is none, and all that is missing in it; its own host's keys are an operator's.
 * STATUS_BAD_REQUEST: a folder of other things. The others below do the same first. */
status key_set_make(const key_set *set, failure *f);

/* Of another host: as key_name_check has it, and not that of the set's own. STATUS_BAD_REQUEST. */
status key_set_check_name(const char *name, failure *f);

typedef struct key_host {
    const char *name;
    bool has_roles;             /* else: those that it has, or all when it is new */
    bool roles[KEY_ROLES];      /* besides those that it has */
    key_rights rights;          /* besides those that its keys have */
} key_host;

/* What a host had before and keeps, though it was not asked for: only key_set_revoke takes away. */
typedef struct key_kept {
    bool roles[KEY_ROLES];      /* of those that were given, if any were */
    key_rights rights;
} key_kept;

/* Make or complete the part for another host, and authorise its keys everywhere. STATUS_BAD_REQUEST: not a name,
 * or one that is authorised with another key. */
status key_set_host(const key_set *set, const key_host *host, key_kept *kept, failure *f);

/* Its keys are authorised no more, and its part is deleted. servers[ROLE]: it has the secret of that role's server
 * key, which is to be rotated. STATUS_NOT_FOUND: there is no such name. */
status key_set_revoke(const key_set *set, const char *name, bool servers[KEY_ROLES], failure *f);

/* Of tokenizerd or modeld. The first call makes a second server key, which joiners accept from then on; the second
 * one puts it in place of the first. *is_over: it was the second one. */
status key_set_rotate(const key_set *set, key_role role, bool *is_over, failure *f);

#endif
