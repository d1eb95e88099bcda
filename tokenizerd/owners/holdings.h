/* What an owner holds in tokenizerd. */
#ifndef TRIVIUM_HOLDINGS_H
#define TRIVIUM_HOLDINGS_H

#include "proto/base/owners/owners.h"

typedef enum holding {
    HOLDING_REQUESTS,
    HOLDING_CALLS,
    HOLDING_WATCHES,
    HOLDING_REQUEST_BYTES,      /* ids, stops and strategies of requests */
    HOLDING_CALL_BYTES,         /* ids, rows and answers of calls, and conversations */
    HOLDING_TEXT_BYTES,         /* texts that wait to be encoded */
    HOLDINGS
} holding;

/* What one owner may hold at most, besides its share of what there is; 0: its share alone. */
typedef struct owner_limits {
    size_t n_requests, n_calls, n_watches;
    size_t n_bytes;             /* of all three kinds together */
} owner_limits;

owners *holdings_new(const owner_limits *limits);   /* NULL: none. NULL comes back without memory */
void holdings_limit(owners *os, const owner_limits *limits);        /* others from now on: owners_limit */

#endif
