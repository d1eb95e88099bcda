/* What an owner holds in modeld. */
#ifndef TRIVIUM_SEQUENCE_OWNERS_H
#define TRIVIUM_SEQUENCE_OWNERS_H

#include "proto/base/owners/owners.h"

enum {
    HOLDING_TEXTS,
    HOLDING_CALLS,
    HOLDING_TEXT_BYTES,     /* ids, strategies, samplers' states of texts */
    HOLDING_CALL_BYTES,     /* ids and answers of scores and probes */
    HOLDINGS
};

owners *sequence_owners_new(void); /* NULL: no memory */

#endif
