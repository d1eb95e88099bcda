/* How a link is opened. */
#ifndef TRIVIUM_LINK_OPTIONS_H
#define TRIVIUM_LINK_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/net/loop.h"

typedef struct link_options {       /* borrowed as long as the link lives */
    loop *loop;
    const char *name;               /* ours, as status shows it */
    const char *address;            /* where to bind */
    uint64_t incarnation;           /* ours, the same on all links */
    uint32_t heartbeat_ms;
    bool insecure;                  /* a bind outside loopback is allowed */
} link_options;

#endif
