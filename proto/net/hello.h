/* What a process says of itself when it joins: checked at the edge, and kept. */
#ifndef TRIVIUM_HELLO_H
#define TRIVIUM_HELLO_H

#include <stdbool.h>

#include "common.pb-c.h"
#include "proto/base/status.h"

/* STATUS_BAD_VERSION: no protocol version is spoken on both sides; the sentence has both ranges. STATUS_BAD_REQUEST:
 * a name that is too long, or not printable UTF-8. STATUS_TOO_LONG: more than any honest Hello
 * holds. */
status hello_check(const Trivium__Hello *hello, failure *f);

/* The version that is spoken with whoever said this: the newest of both sides. 0: there is none. */
uint32_t hello_version(const Trivium__Hello *hello);

enum { HOST_BYTES = 128 };
void hello_host(char host[HOST_BYTES]);     /* the name of this one, as far as it is known */

/* Fill in what every Hello of this process says: versions, process id, host. `host` is borrowed for the life
 * of `hello`. */
void hello_fill(Trivium__Hello *hello, char host[HOST_BYTES]);

/* For command lines (option_take): a name that a peer accepts, not empty. `out` is a const char **. */
status hello_take_name(void *out, const char *flag, const char *value, failure *f);

/* The same, where an empty one means the default. */
status hello_take_pool(void *out, const char *flag, const char *value, failure *f);

/* A copy that borrows nothing. NULL: no memory. To be freed with
 * trivium__hello__free_unpacked(copy, NULL). */
Trivium__Hello *hello_copy(const Trivium__Hello *hello);

/* Is this message of a link (whose field 1 is Control) a Hello? */
bool hello_in(const ProtobufCMessage *m);

/* Its heartbeat interval, brought within HEARTBEAT_MS_MIN … HEARTBEAT_MS_MAX; 0 is the default. */
uint32_t hello_heartbeat_ms(const Trivium__Hello *hello);

#endif
