/* Messages through the gate, between a joining and a bound socket of ZeroMQ's (borrowed). */
#ifndef TRIVIUM_TESTS_GATE_TRAFFIC_H
#define TRIVIUM_TESTS_GATE_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/status.h"

enum { TRAFFIC_SOON_MS = 60000 };

/* Within TRAFFIC_SOON_MS. */
bool traffic_becomes(size_t value(void), size_t expected);
/* The value, once it has stayed for some time: all that is still on its way has come. */
size_t traffic_settles(size_t value(void));

/* A message whose header and raw frames, n_raw of them, two at most, have about so many bytes. */
status traffic_send(void *joined, size_t n_header, size_t n_raw_bytes, size_t n_raw);
/* The same, as soon as it is connected; n_more bytes have come through the gate when this returns. */
void traffic_send_through(void *joined, size_t n_header, size_t n_raw_bytes, size_t n_raw, size_t n_more);

/* False: there is none. The descriptor of its connection goes to *connection, unless that is NULL. */
bool traffic_receive(void *bound, int *connection);

/* n messages of all sizes, some of them under way at a time: what the gate counts meanwhile is gone at the end. */
void traffic_leaves_nothing(void *joined, void *bound, int n);

#endif
