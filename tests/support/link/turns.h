/* Turns of a loop within a test: until something holds, or for a while. */
#ifndef TRIVIUM_TESTS_TURNS_H
#define TRIVIUM_TESTS_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/net/loop.h"

enum { SOON_MS = 30000 };       /* what has not come after so long will not come */

/* How long turns_until waits: SOON_MS, but for whoever runs tests that are to fail. */
extern uint32_t turns_soon_ms;

typedef bool turns_condition(void *context);

/* Run the loop until `holds(context)` is true, asked every millisecond. False: it was not within
 * turns_soon_ms. */
bool turns_until(loop *l, turns_condition *holds, void *context);

/* Until `*n`, a count of what has happened, is at least `wanted`. */
bool turns_until_count(loop *l, const size_t *n, size_t wanted);

void turns_for_ms(loop *l, uint32_t ms);

/* Run the loop until what it serves stops it, or a signal, which it says as loop_run does. That nobody stops it within
 * turns_soon_ms fails the test. */
bool turns_to_the_end(loop *l);

/* As loop_once and loop_every do, with a timer that nobody has to keep: one of many of the program's. */
timer *turns_once(loop *l, uint32_t delay_ms, loop_handler *handler, void *context);
timer *turns_every(loop *l, uint32_t interval_ms, loop_handler *handler, void *context);

#endif
