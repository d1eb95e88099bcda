/* One file of a folder of keys, as zcert writes it, read and checked. */
#ifndef TRIVIUM_KEY_PAIR_H
#define TRIVIUM_KEY_PAIR_H

#include <stdbool.h>
#include <sys/stat.h>

#include "key_files.h"
#include "proto/base/status.h"

enum {
    KEY_BYTES = 32,             /* of Curve25519 (RFC 26) */
    KEY_TEXT_BYTES = 41,        /* the same in Z85 (RFC 32), with its NUL */
};

typedef struct key_pair {
    char public_key[KEY_TEXT_BYTES];
    char secret_key[KEY_TEXT_BYTES];    /* "": only the public half was asked for */
    key_rights rights;                  /* of one in an authorised folder */
} key_pair;

/* Tells a file from what it was before it was written anew. */
typedef struct key_stamp {
    dev_t device;
    ino_t inode;
    off_t n_bytes;
    struct timespec written, changed;
} key_stamp;

key_stamp key_stamp_of(const struct stat *info);
bool key_stamp_equal(const key_stamp *one, const key_stamp *other);

/* The public half in `path`, X.key. STATUS_NOT_FOUND; STATUS_FORBIDDEN: others may write it; STATUS_IO: it cannot be read, or
 * is no key; STATUS_NO_MEMORY: not now, for want of memory or descriptors; all with its path. */
status key_pair_read_public(key_pair *out, const char *path, failure *f);
/* Both halves in X.key_secret, which nobody else may read. `stamp` may be NULL. */
status key_pair_read_secret(key_pair *out, const char *path, key_stamp *stamp, failure *f);

/* Whose key ZAP let in on the connection of this message (a zmq_msg_t); "": it has none. */
void key_user(char out[KEY_TEXT_BYTES], void *message);

#endif
