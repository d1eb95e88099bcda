/* Monotonic time for deadlines and durations, and the date. */
#ifndef TRIVIUM_CLOCK_H
#define TRIVIUM_CLOCK_H

#include <stdint.h>

uint64_t clock_us(void);                    /* monotonic, microseconds */
uint64_t clock_ms(void);                    /* the same clock, milliseconds */
uint64_t clock_since_1970_ms(void);         /* the wall clock, which may be set */

/* Seconds of a wait, as sentences tell them. A message says 1 ms for none, since 0 there means that nobody said how long. */
double clock_wait_s(uint32_t wait_ms);

#endif
