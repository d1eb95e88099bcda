/* A call of the loop that is asked for many times and made once. */
#ifndef TRIVIUM_WAKEUP_H
#define TRIVIUM_WAKEUP_H

#include <stdint.h>

#include "proto/net/loop.h"

typedef struct wakeup {
    loop *loop; /* borrowed */
    loop_handler *handler;
    void *context;
    timer timer;
} wakeup;

/* Call the handler after `delay_ms`, unless a call is due already; 0: in the next turn. `w` stays where it is until then. */
void wakeup_set(wakeup *w, uint32_t delay_ms);
void wakeup_cancel(wakeup *w);      /* before `w` goes away; one that is all zeros is fine */

#endif
