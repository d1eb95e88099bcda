/* Request ids as people type them: hexadecimal, in full or the beginning. */
#ifndef TRIVIUM_REQUEST_H
#define TRIVIUM_REQUEST_H

#include <stdint.h>

#include "client/lib/client.h"
#include "proto/base/limits.h"

enum { REQUEST_DIGITS = 2 * REQUEST_BYTES };

/* STATUS_BAD_REQUEST when the text can be the beginning of no id. */
status request_check(const char *text, failure *f);

/* The one request that runs and whose id begins with `text` (checked): an exit code, after the
 * sentence when there is none or more than one. A full id is taken as it is. */
int request_find(client *c, const char *text, uint8_t out[REQUEST_BYTES]);

#endif
