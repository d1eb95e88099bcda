/* What a process says of itself when it joins: checked at the edge, and kept. */
#ifndef TRIVIUM_HELLO_H
#define TRIVIUM_HELLO_H

#include "common.pb-c.h"
#include "status.h"

/* STATUS_BAD_VERSION: another protocol version; the sentence has both numbers. STATUS_BAD_REQUEST:
 * a name that is too long, or not printable UTF-8. STATUS_TOO_LONG: more than any honest Hello
 * holds. */
status hello_check(const Trivium__Hello *hello, failure *f);

/* A copy that borrows nothing. NULL: no memory. To be freed with
 * trivium__hello__free_unpacked(copy, NULL). */
Trivium__Hello *hello_copy(const Trivium__Hello *hello);

/* Its heartbeat interval, brought within HEARTBEAT_MS_MIN … HEARTBEAT_MS_MAX; 0 is the default. */
uint32_t hello_heartbeat_ms(const Trivium__Hello *hello);

#endif
