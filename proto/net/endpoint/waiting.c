#include "waiting.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"

void waiting_goes_on(waiting *w, const char *endpoint, const char *reach) {
    uint64_t now_ms = clock_ms();
    if (w->line_ms == 0) w->line_ms = now_ms + WAITING_FIRST_MS;
    if (now_ms < w->line_ms) return;
    w->line_ms = now_ms + WAITING_NEXT_MS;
    log_event(LOG_INFO, "waiting", "endpoint=%s reach=%s", endpoint, reach);
}

void waiting_over(waiting *w) {
    w->line_ms = 0;
}
