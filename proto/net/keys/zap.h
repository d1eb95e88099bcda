/* Who may connect: ZeroMQ asks the one handler of a process (ZAP, RFC 27) for each connection that has shown its key. */
#ifndef TRIVIUM_ZAP_H
#define TRIVIUM_ZAP_H

#include <stdbool.h>

#include "proto/base/status.h"
#include "proto/net/loop.h"

typedef struct zap zap;

/* May this key (Z85) connect to an endpoint of this domain? */
typedef bool zap_admits(void *context, const char *domain, const char *public_key);

/* Answers from the loop. STATUS_BUSY: this process has a handler already; STATUS_NO_MEMORY. */
status zap_new(zap **out, loop *l, zap_admits *admits, void *context, failure *f);
void zap_free(zap **z);         /* from now on nobody is let in. NULL is fine */

#endif
