/* The keys of this process, from a folder of keys (key_files.h). They keep strangers out of tcp endpoints: both ends prove
 * who they are, and what they say is encrypted (CURVE, RFC 26). Whoever joins knows the server key of the other end, and
 * whoever is joined knows which keys may. The folder is looked into anew as it changes, and what it says holds from then on. */
#ifndef TRIVIUM_KEYS_H
#define TRIVIUM_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "key_files.h"
#include "key_pair.h"
#include "proto/base/status.h"
#include "proto/net/loop.h"

typedef struct keys keys;

/* Which folder --keys, --insecure and TRIVIUM_KEYS name together: *folder is the value of --keys, or NULL, and becomes
 * what the environment says where neither flag was given. STATUS_BAD_REQUEST: both flags, or an empty --keys. */
status keys_choose(const char **folder, bool insecure, failure *f);

/* Of this folder, which is borrowed, and looked into when the first tcp endpoint is opened; NULL: there are none, and *out
 * is NULL. The loop must outlive it. STATUS_NO_MEMORY. */
status keys_open(keys **out, const char *folder, loop *l, failure *f);
void keys_close(keys **k);              /* after all endpoints that have them. NULL is fine */

/* ---- the joining end ---- */

/* Gives a socket of ZeroMQ, before it connects, our own key and that of the other end. While a server key is being changed
 * there may be two, which have their turns by the number of the try. What the folder has at that moment counts; where it cannot
 * be read any more, what it had before. Failures: as of key_pair.h, with the path. */
status keys_dress_joining(keys *k, key_link link, void *socket, uint32_t n_tries, failure *f);

/* ---- the bound end ---- */

/* Called from the loop. */
typedef struct keys_events {
    void (*authorised_changed)(void *context);  /* ask keys_find of everybody who is there */
    bool (*server_key_changed)(void *context);  /* newcomers are to meet the new one: keys_dress_bound. False: they do not yet,
                                                 * and a second later it is called again */
    void *context;
} keys_events;

/* From now on this process lets joiners of the link in, or not: to be called before it binds. Fails where the server key
 * cannot be read, or the authorised folder or any key in it; STATUS_BUSY: the link, or all of them by other keys, are guarded
 * already. */
status keys_guard(keys *k, key_link link, const keys_events *events, failure *f);
void keys_guard_end(keys *k, key_link link);        /* one that was never guarded is fine */

/* Gives a socket of ZeroMQ, before it binds, the server key of a link that is guarded. */
status keys_dress_bound(keys *k, key_link link, void *socket, failure *f);

/* Is this public key (Z85) authorised for the guarded link, and with which rights? */
bool keys_find(const keys *k, key_link link, const char *public_key, key_rights *rights);
/* What the file that authorises it is called, without its suffix. False: there is none, and `out` is "". */
bool keys_name(const keys *k, key_link link, const char *public_key, char out[KEY_NAME_BYTES_MAX + 1]);
/* Is a newcomer let in with it? Nobody is while its file or the folder cannot be read. */
bool keys_admit(const keys *k, key_link link, const char *public_key);

#endif
