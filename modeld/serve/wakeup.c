#include "wakeup.h"

#include "proto/base/log.h"

static void call(void *context) {
    wakeup *w = context;
    w->due = false;
    w->handler(w->context);
}

bool wakeup_set(wakeup *w, uint32_t delay_ms) {
    if (w->due) return true;
    w->due = loop_once(w->loop, delay_ms, call, w) >= 0;
    if (!w->due) log_event(LOG_ERROR, "no_memory", "for=timer");
    return w->due;
}
