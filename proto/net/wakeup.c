#include "wakeup.h"

void wakeup_set(wakeup *w, uint32_t delay_ms) {
    if (!timer_is_set(&w->timer)) loop_once(w->loop, &w->timer, delay_ms, w->handler, w->context);
}

void wakeup_cancel(wakeup *w) {
    loop_cancel(w->loop, &w->timer);
}
