/* Monotonic time for deadlines and durations. */
#ifndef TRIVIUM_CLOCK_H
#define TRIVIUM_CLOCK_H

#include <stdint.h>

uint64_t clock_us(void);                    /* monotonic, microseconds */
uint64_t clock_ms(void);                    /* the same clock, milliseconds */

#endif
