/* Strategies to and from protobuf. Apart from strategy.h so that pure modules need no generated code. */
#ifndef TRIVIUM_STRATEGY_WIRE_H
#define TRIVIUM_STRATEGY_WIRE_H

#include "common.pb-c.h"
#include "strategy.h"

/* A message tree that borrows nothing: free it with trivium__strategy__free_unpacked(m, NULL).
 * NULL: no memory. */
Trivium__Strategy *strategy_to_wire(const strategy *s);

/* `out` is cleared first. STATUS_UNSUPPORTED for a stage this build does not know, STATUS_BAD_REQUEST for
 * numbers out of range, STATUS_BAD_MESSAGE for the wrong count of them. NULL is the empty chain. */
status strategy_from_wire(strategy *out, const Trivium__Strategy *m, failure *f);

#endif
