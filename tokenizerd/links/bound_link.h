/* What the two links have in common: a bound endpoint, the peers that join it. */
#ifndef TRIVIUM_BOUND_LINK_H
#define TRIVIUM_BOUND_LINK_H

#include "link_options.h"
#include "proto/base/status.h"
#include "proto/net/peer.h"

typedef struct bound_link {
    peers *peers;
    uint64_t n_garbage;             /* messages that were readable and made no sense */
} bound_link;

/* Bind and attach to the loop. The failure says which endpoint and why: codes of peers_bind. */
status bound_link_open(bound_link *b, const link_options *options,
                       const ProtobufCMessageDescriptor *incoming, const peers_events *events,
                       void *context, failure *f);
void bound_link_close(bound_link *b);       /* says Leave to all; one that was never opened is fine */

/* A message that is readable and makes no sense: counted; the first is logged. */
void bound_link_garbage(bound_link *b, const char *what);
uint64_t bound_link_garbage_count(const bound_link *b);     /* those that could not be read included */

ProtobufCBinaryData bytes_to_wire(const uint8_t *bytes, size_t n_bytes);    /* borrowed */

#endif
