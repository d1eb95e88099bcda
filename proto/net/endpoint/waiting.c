#include "waiting.h"

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"

/* One more line of the process, now. */
static bool may_write(uint64_t now_ms) {
    static uint64_t began_ms;
    static size_t n_lines;
    if (n_lines == 0 || now_ms - began_ms >= WAITING_NEXT_MS) {
        began_ms = now_ms;
        n_lines = 0;
    }
    n_lines++;
    return n_lines <= WAITING_LINES_MAX;
}

void waiting_goes_on(waiting *w, const char *endpoint, const char *reach) {
    uint64_t now_ms = clock_ms();
    if (w->line_ms == 0) w->line_ms = now_ms + WAITING_FIRST_MS;
    if (now_ms < w->line_ms) return;
    w->line_ms = now_ms + WAITING_NEXT_MS;
    if (may_write(now_ms)) log_event(LOG_INFO, "waiting", "endpoint=%s reach=%s", endpoint, reach);
}

void waiting_over(waiting *w) {
    w->line_ms = 0;
}
