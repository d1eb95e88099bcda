/* The keys of this process, from a folder of keys (key_files.h). They keep strangers out of tcp endpoints: both ends prove
 * who they are, and what they say is encrypted (CURVE, RFC 26). */
#ifndef TRIVIUM_KEYS_H
#define TRIVIUM_KEYS_H

#include <stdbool.h>

#include "key_files.h"
#include "proto/base/status.h"
#include "proto/net/loop.h"

typedef struct keys keys;

/* Which folder --keys, --insecure and TRIVIUM_KEYS name together: *folder is the value of --keys, or NULL, and becomes
 * what the environment says where neither flag was given. STATUS_BAD_REQUEST: both flags. */
status keys_choose(const char **folder, bool insecure, failure *f);

/* Of this folder, which is borrowed, and looked into when the first tcp endpoint is opened; NULL: there are none, and *out
 * is NULL. The loop must outlive it. STATUS_NO_MEMORY. */
status keys_open(keys **out, const char *folder, loop *l, failure *f);
void keys_close(keys **k);              /* after all endpoints that have them. NULL is fine */

#endif
