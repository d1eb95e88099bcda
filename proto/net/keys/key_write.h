/* Keys made, and written so that nobody ever reads half of a file. */
#ifndef TRIVIUM_KEY_WRITE_H
#define TRIVIUM_KEY_WRITE_H

#include <stdbool.h>

#include "key_pair.h"

#define KEY_PARTIAL_SUFFIX ".tmp"

/* A new one, without rights. STATUS_UNSUPPORTED: this libzmq has no CURVE. */
status key_pair_make(key_pair *out, failure *f);

/* Into X.key the public half, or with is_secret into X.key_secret both, by zcert, with the rights and a name, which
 * is X, in mode 0600. Until all of it is written and has been read again for a test, what was at `path` stays; it lies in
 * .X.key.tmp till then, which whoever was killed leaves there, and the next one at the same path takes. One process at a time.
 * STATUS_IO, STATUS_TOO_LONG, STATUS_NO_MEMORY. */
status key_pair_write(const key_pair *pair, const char *path, bool is_secret, failure *f);

#endif
