/* How a daemon ends when it is told to: it drains (PROTOCOL.md, Draining).
 *
 * Told once, by SIGTERM or by an operator, it takes nothing new, and its loop stops as soon as it has nothing under way, or
 * when its patience is over. By a second SIGTERM, or a SIGINT, the loop stops at once. */
#ifndef TRIVIUM_DRAINING_H
#define TRIVIUM_DRAINING_H

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"

typedef struct draining draining;

typedef struct draining_options {
    loop *loop;
    double patience_s;              /* 0 … DRAIN_MS_MAX / 1000; 0: the loop stops at once */
    void (*begin)(void *context);   /* once: tell peers, and take nothing new from here on */
    bool (*is_idle)(void *context); /* is nothing under way, and all that was said sent? Asked again and again */
    void *context;
} draining_options;

/* From here on SIGTERM begins it. The options' context is borrowed. NULL: no memory. */
draining *draining_new(const draining_options *options);
void draining_free(draining **d);   /* NULL is fine. SIGTERM ends the loop again */

void draining_order(draining *d);   /* an operator wants it: as SIGTERM, and `up --keep` does not start it again */
/* Another one has its place, and nobody else can go on with what is under way here: so it ends when that is over, however long it
 * takes. Whoever wants it gone sooner says so, by SIGTERM or draining_order: from then on its patience counts. */
void draining_replaced(draining *d);
bool draining_has_begun(const draining *d);

#endif
