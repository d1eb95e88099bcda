/* How a link is opened. */
#ifndef TRIVIUM_LINK_OPTIONS_H
#define TRIVIUM_LINK_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/net/keys/keys.h"
#include "proto/net/loop.h"

typedef struct link_options {       /* borrowed as long as the link lives */
    loop *loop;
    const char *name;               /* ours, as status shows it */
    const char *address;            /* where to bind */
    uint64_t incarnation;           /* ours, the same on all links */
    uint32_t heartbeat_ms;
    key_link link;                  /* which of the two it is */
    keys *keys;                     /* for an address over tcp; NULL: there are none */
    bool insecure;                  /* tcp without keys is allowed */
} link_options;

#endif
