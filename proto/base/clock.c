#include "clock.h"

#include <time.h>

uint64_t clock_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_ms(void) {
    return clock_us() / 1000;
}

uint64_t clock_since_1970_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

double clock_wait_s(uint32_t wait_ms) {
    return wait_ms > 1 ? wait_ms / 1000.0 : 0;
}
