/* A call of the loop that is asked for many times and made once. */
#ifndef TRIVIUM_MODELD_WAKEUP_H
#define TRIVIUM_MODELD_WAKEUP_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/net/loop.h"

typedef struct wakeup {
    loop *loop; /* borrowed */
    loop_handler *handler;
    void *context;
    bool due;
} wakeup;

/* Call the handler after `delay_ms`, if no call is due already; 0: in the next turn. `w` stays where it
 * is until then. False, and logged: no memory, there will be no call. */
bool wakeup_set(wakeup *w, uint32_t delay_ms);

#endif
