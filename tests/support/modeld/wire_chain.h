/* Strategies as the wire has them. Each is valid until the next one is made. */
#ifndef TRIVIUM_TESTS_WIRE_CHAIN_H
#define TRIVIUM_TESTS_WIRE_CHAIN_H

#include "common.pb-c.h"

Trivium__Strategy *wire_temperature(double number);     /* alone */
Trivium__Strategy *wire_unknown(void);                  /* what no build knows */

#endif
